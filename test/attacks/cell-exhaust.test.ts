/**
 * ATTACKS 7: taking everything there is. Each attempt gets as much as its own cell may have and keeps it, while a cell beside
 * it does an ordinary server's work.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { limits as all } from '../../src/kernel/index.ts';
import {
  type CellReport,
  hasPython,
  makeStage,
  type Mode,
  modes,
  needsPython,
  python,
  runCells,
} from './cell-harness.ts';

const stage = makeStage();
afterAll(() => stage.remove());

const limits = { memoryMiB: 128, processes: 48, openFiles: 256, diskMiB: 16 };

const works = {
  process: 'ok',
  thread: 'ok',
  file: 'ok',
  memory: 'ok',
  descriptors: 'ok',
  watch: 'ok',
  connection: 'ok',
};

type Took = Readonly<Record<string, { readonly got: number; readonly error: string }>>;

const json = ({ stdout }: CellReport): Record<string, unknown> => {
  const line = stdout.split('\n').find((text) => text.startsWith('{'));
  return JSON.parse(line ?? '{}') as Record<string, unknown>;
};

/** Runs attempts beside a neighbour. */
async function attack(mode: Mode, command: readonly string[], beside = limits) {
  const [neighbour, attacker] = await runCells(stage, mode, {
    held: true,
    cells: [
      { command: ['node', '/probes/neighbour.mjs'], files: stage.grant },
      { command, files: stage.grant, limits: beside },
    ],
  });
  if (neighbour === undefined || attacker === undefined) throw new Error('no report');
  return { round: json(neighbour), took: json(attacker) as Took, exit: attacker.exit };
}

const languages = [
  { language: 'Node', available: true, probe: ['node', '/probes/exhaust.mjs'] },
  { language: `Python${needsPython}`, available: hasPython, probe: [python, '-B', '/probes/exhaust.py'] },
] as const;

/** What each attempt gets at least (so that it was one) and at most, and what then stops it. In the order in which it is taken. */
const bounded: Readonly<
  Record<string, { readonly least: number; readonly most: number; readonly error: string }>
> = {
  disk: { least: 8, most: limits.diskMiB, error: 'ENOSPC' },
  home: { least: 8, most: limits.diskMiB, error: 'ENOSPC' },
  'shared memory': { least: 32, most: 64, error: 'ENOSPC' },
  'one file': { least: 8, most: limits.diskMiB, error: 'EFBIG' },
  'descriptors of several': { least: 400, most: 10 * limits.openFiles, error: 'EMFILE' },
  processes: { least: 5, most: limits.processes, error: 'EAGAIN' },
  descriptors: { least: 100, most: limits.openFiles, error: 'EMFILE' },
};

function expectWithin(took: Took, bounds: typeof bounded): void {
  expect(Object.keys(took)).toEqual(Object.keys(bounds));
  for (const [what, { least, most, error }] of Object.entries(bounds)) {
    expect(took[what], what).toMatchObject({ error });
    expect(took[what]?.got, what).toBeGreaterThanOrEqual(least);
    expect(took[what]?.got, what).toBeLessThanOrEqual(most);
  }
}

describe.each(languages)('taking everything, from $language', ({ language, available, probe }) => {
  it.skipIf(!available)('control: with other limits it gets more', async () => {
    const more = { ...limits, openFiles: 2 * limits.openFiles, diskMiB: 2 * limits.diskMiB };
    const { took } = await attack('user', [...probe, 'disk', 'descriptors'], more);
    expect(took['disk']?.got).toBeGreaterThan(limits.diskMiB);
    expect(took['descriptors']?.got).toBeGreaterThan(limits.openFiles);
  });

  describe.skipIf(!available).each(modes)('gateway as %s', (mode) => {
    it('gets the files, descriptors and processes that its cell may have, and its neighbour works', async () => {
      const { round, took, exit } = await attack(mode, [...probe, ...Object.keys(bounded)]);
      expectWithin(took, bounded);
      expect(round).toEqual(works);
      expect(exit).toMatchObject({ started: true, code: 0 });
    });

    it('a fork bomb: has so many processes at once, and its neighbour works', async () => {
      const { round, took, exit } = await attack(mode, [...probe, 'fork bomb']);
      expectWithin(took, { 'fork bomb': { least: 10, most: limits.processes, error: 'EAGAIN' } });
      expect(round).toEqual(works);
      expect(exit).toMatchObject({ started: true, code: 0 });
    });

    it('memory, in several processes: is ended for it, which is said, and its neighbour works', async () => {
      const { round, exit } = await attack(mode, [...probe, 'memory']);
      expect(round).toEqual(works);
      expect(exit).toMatchObject({ started: true, code: null, limit: { kind: 'memory' } });
    });

    // Node takes one, however much it watches.
    it.skipIf(language === 'Node')(
      'watchers of files and timers: has its own, and so has its neighbour',
      async () => {
        const { round, took } = await attack(mode, [...probe, 'watches', 'timers']);
        expectWithin(took, {
          watches: { least: 1, most: all.cellWatchersMax, error: 'EMFILE' },
          timers: { least: 1, most: all.cellSignalsMax, error: 'EAGAIN' },
        });
        expect(round).toEqual(works);
      },
    );
  });
});
