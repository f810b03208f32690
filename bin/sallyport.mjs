#!/usr/bin/env node
// Starts Sallyport with a Node that is recent enough: this one, or the one that scripts/setup brought.
// Plain JavaScript that Node 18 understands, because it may be what runs it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { serveFlags } from './flags.mjs';

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
  const program = [fileURLToPath(entry), ...process.argv.slice(2)];

  if (major > 24 || (major === 24 && minor >= 7)) {
    // The same process goes on, with the flags: whoever started it keeps its id and its pipes.
    const missing = flags.filter((flag) => !process.execArgv.includes(flag));
    if (missing.length > 0)
      process.execve(
        process.execPath,
        [process.execPath, ...missing, ...process.execArgv, ...program],
        process.env,
      );
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
  const child = spawn(own, [...flags, ...program], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`sallyport: ${own} does not run: ${error.message}. Run scripts/setup again.`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
