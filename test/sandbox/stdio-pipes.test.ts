/** Pipes for cells to come: made several at once, each used once, and nothing of them is left. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { type CellStdio, openPipeStock, type PipeStock } from '../../src/sandbox/stdio-pipes.ts';
import { writeProgram } from './fault-tools.ts';

let root: string;
let stock: PipeStock | null = null;
const taken: CellStdio[] = [];
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-pipes-')));
});
afterEach(() => {
  stock?.close();
  for (const stdio of taken.splice(0)) {
    stdio.giveAway();
    for (const stream of [stdio.stdin, stdio.stdout, stdio.stderr]) stream.destroy();
  }
  rmSync(root, { recursive: true, force: true });
});

/** One whose program notes each time that it is run. */
function open(script = 'exec mkfifo "$@"'): PipeStock {
  let count = 0;
  const newPaths = () => {
    count += 1;
    const key = count;
    return (name: string): string => join(root, `pipe.${key}.${name}`);
  };
  const mkfifo = writeProgram(root, 'mkfifo', `echo >>'${root}/runs'; PATH=/usr/bin:/bin; ${script}`);
  stock = openPipeStock({ mkfifo, newPaths });
  return stock;
}
async function take(from: PipeStock): Promise<CellStdio> {
  const stdio = await from.take();
  taken.push(stdio);
  return stdio;
}
const runs = (): number => readFileSync(join(root, 'runs'), 'utf8').length;
const named = (): readonly string[] => readdirSync(root).filter((name) => name.startsWith('pipe.'));

describe('pipes for cells', () => {
  it('are made by one program for as many cells as is said, also where several ask at once', async () => {
    const from = open();
    await Promise.all(Array.from({ length: limits.cellPipesAhead }, () => take(from)));
    for (const stdio of taken) {
      expect(named()).toEqual(expect.arrayContaining((stdio.names ?? []).map((path) => basename(path))));
      stdio.giveAway();
    }
    expect([runs(), named()]).toEqual([1, []]);
    await take(from);
    expect(runs()).toBe(2);
  });

  it('are of one cell: what it writes no other reads', async () => {
    const from = open();
    const [one, other] = [await take(from), await take(from)];
    writeSync(one.theirs[1], 'of one');
    writeSync(other.theirs[1], 'of the other');
    const first = async ({ stdout }: CellStdio): Promise<string> => {
      for await (const chunk of stdout.iterator({ destroyOnReturn: false })) return String(chunk);
      return '';
    };
    expect(await Promise.all([one, other].map(first))).toEqual(['of one', 'of the other']);
  });

  it('that nobody took are gone with the stock', async () => {
    const from = open();
    (await take(from)).giveAway();
    expect(named()).toHaveLength(3 * (limits.cellPipesAhead - 1));
    from.close();
    expect(named()).toEqual([]);
  });

  it('that could not all be made leave nothing, and are tried again', async () => {
    const from = open(`mkfifo "$4"; [ -e '${root}/works' ] || exit 1; shift 4; exec mkfifo "$@"`);
    await expect(from.take()).rejects.toThrow('Command failed');
    expect(named()).toEqual([]);
    writeProgram(root, 'works', '');
    await take(from);
    expect(runs()).toBe(2);
  });
});
