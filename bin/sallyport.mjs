#!/usr/bin/env node
// Starts Sallyport with a Node that is recent enough: this one, or the one that scripts/setup brought.
// Plain JavaScript that Node 18 understands, because it may be what runs it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { serveFlags } from './flags.mjs';

const PRLIMIT = '/usr/bin/prlimit';
const SETPRIV = '/usr/bin/setpriv';

/** What people and supervisors send to programs. */
const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'];

/** Those that run a gateway, with its keys in memory for as long as it lives. */
const GATEWAYS = ['serve', 'stdio', 'run'];

const entry = new URL('../dist/main/bin.js', import.meta.url);
const [command, ...words] = process.argv.slice(2);

if (!existsSync(entry)) {
  console.error('sallyport: this checkout is not built yet. Run scripts/setup first.');
  process.exit(1);
}
if (command !== 'stdio' || !(await joined())) await start();

/** Any Node can put an MCP client on the gateway that runs; the whole program is needed only where none does. */
async function joined() {
  const { joinFromCommandLine } = await import('../dist/main/stdio-join.js');
  const code = await joinFromCommandLine(words, process.env);
  if (code !== null) process.stdout.write('', () => process.exit(code));
  return code !== null;
}

async function start() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const flags = command === 'serve' ? serveFlags : [];
  const limited = GATEWAYS.includes(command) ? withoutCore() : [];
  const program = [fileURLToPath(entry), ...process.argv.slice(2)];

  if (major > 24 || (major === 24 && minor >= 7)) {
    // The same process goes on, with the flags and the limit: whoever started it keeps its id and its pipes.
    const missing = flags.filter((flag) => !process.execArgv.includes(flag));
    if (missing.length > 0 || limited.length > 0) {
      const words = [...limited, process.execPath, ...missing, ...process.execArgv, ...program];
      process.execve(words[0], words, process.env);
    }
    await import(entry.href);
    return;
  }
  const own = fileURLToPath(new URL('../.toolchain/bin/node', import.meta.url));
  if (!existsSync(own)) {
    console.error(`sallyport: Node.js 24.7 or newer is needed, and this is ${process.versions.node}.`);
    console.error(
      `Run ${fileURLToPath(new URL('../scripts/setup', import.meta.url))} to bring one, or install it.`,
    );
    process.exit(1);
  }
  const words = [...limited, own, ...flags, ...program];
  // From Node 22.15 on it can be the same process here too.
  if (typeof process.execve === 'function') process.execve(words[0], words, process.env);
  const [file, ...rest] = [...endingWithThis(), ...words];
  const child = spawn(file, rest, { stdio: 'inherit' });
  for (const signal of PASSED) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`sallyport: ${own} does not run: ${error.message}. Run scripts/setup again.`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

/** Where this process is killed, what it started must not go on without it: a gateway with its keys, a command with its cell. */
function endingWithThis() {
  return existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL'] : [];
}

/**
 * A gateway that crashes leaves no copy of its memory on a disk, keys and all. 1 and not 0: where the system hands such
 * copies to a program of its own, only this number keeps the kernel from it (core(5)). Where it is 0 already it cannot be
 * more, and Node has no way to set it from within.
 */
function withoutCore() {
  if (!existsSync(PRLIMIT)) return [];
  const isNone = /^Max core file size +(?:1 +1|\S+ +0) /m.test(readFileSync('/proc/self/limits', 'utf8'));
  return isNone ? [] : [PRLIMIT, '--core=1'];
}
