/** What a start costs besides its cell: the check of the server's package, and of `sallyport run` the program itself. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashTree, stampTree } from '../../src/sandbox/packages/tree.ts';
import { median, print, tableLine } from './measured.ts';

const FOLDERS = 100;
const FILES_EACH = 20;
const FILE_BYTES = 4_096;
const PROGRAM = fileURLToPath(new URL('../../bin/sallyport.mjs', import.meta.url));
/** Where root runs this: no command in a cell runs as root, but as whom the folder belongs to. */
const OWNER = 23_456;

async function times(rounds: number, once: () => Promise<unknown>): Promise<readonly number[]> {
  const all: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = performance.now();
    await once();
    all.push(performance.now() - before);
  }
  return all;
}

const row = (name: string, all: readonly number[]): void =>
  print(tableLine([name, `${median(all).toFixed(1)} ms`, `${Math.min(...all).toFixed(1)} ms`], 12, 52));

/** A package is looked at before each start, and read whole before the first. */
export async function packageCheck(folder: string, rounds: number): Promise<void> {
  const root = join(folder, 'checked');
  for (let number = 0; number < FOLDERS; number += 1) {
    const inner = join(root, `folder-${number}`);
    mkdirSync(inner, { recursive: true });
    for (let file = 0; file < FILES_EACH; file += 1)
      writeFileSync(join(inner, `file-${file}.js`), Buffer.alloc(FILE_BYTES, file));
  }
  const files = `${(FOLDERS * FILES_EACH).toLocaleString('en')} files`;
  print(tableLine(['besides the cell', 'p50', 'least'], 12, 52));
  row(`check of a package of ${files}`, await times(rounds, () => stampTree(root)));
  row('the same, read whole at the first start', await times(5, () => hashTree(root)));
}

/** Of the program that was built, in a home of its own. */
export async function commandInCell(folder: string, rounds: number): Promise<void> {
  const home = join(folder, 'command-home');
  const cwd = join(folder, 'command');
  mkdirSync(cwd);
  if (process.getuid?.() === 0) chownSync(cwd, OWNER, OWNER);
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, SALLYPORT_HOME: home };
  const sallyport = (...words: readonly string[]) => [PROGRAM, ...words];
  const made = spawnSync(process.execPath, sallyport('init'), { cwd, env, encoding: 'utf8' });
  if (made.status !== 0) {
    print(`sallyport run does not work here: ${made.stderr.trim()}`);
    return;
  }
  const run = async (words: readonly string[]): Promise<void> => {
    const child = spawn(process.execPath, words, { cwd, env, stdio: 'ignore' });
    const [code]: unknown[] = await once(child, 'exit');
    if (code !== 0) throw new Error(`${words.join(' ')} ended with ${String(code)}`);
  };
  row('sallyport --version', await times(rounds, () => run(sallyport('--version'))));
  row('sallyport run -- true', await times(rounds, () => run(sallyport('run', '--', 'true'))));
}
