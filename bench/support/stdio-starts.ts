/** How long an MCP client waits for `sallyport stdio`: from the start of the program to its answer to `initialize`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { INITIALIZE } from './callers.ts';
import { median } from './measured.ts';

const STARTS = 30;
const PROGRAM = fileURLToPath(new URL('../../bin/sallyport.mjs', import.meta.url));
/** What any Node program costs before it does anything, and what none can be quicker than. */
const ECHO = "process.stdin.once('data', () => process.stdout.write('\\n', () => process.exit()))";

export interface StdioStarts {
  readonly bareMs: number;
  readonly joinedMs: number;
}

/** @param home of a gateway that runs; its server `echo` has been started */
export async function stdioStarts(home: string): Promise<StdioStarts> {
  const [bare, joined]: [number[], number[]] = [[], []];
  for (let start = 0; start < STARTS; start += 1) {
    bare.push(await timed(['--eval', ECHO], {}));
    joined.push(await timed([PROGRAM, 'stdio', '--server', 'echo'], { SALLYPORT_HOME: home }));
  }
  return { bareMs: median(bare), joinedMs: median(joined) };
}

async function timed(words: readonly string[], env: Record<string, string>): Promise<number> {
  const before = performance.now();
  const child = spawn(process.execPath, [...words], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.write(`${INITIALIZE}\n`);
  await once(child.stdout, 'data');
  const ms = performance.now() - before;
  const ended = once(child, 'exit');
  child.stdin.end();
  child.stdout.resume();
  await ended;
  return ms;
}
