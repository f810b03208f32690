/** Which cell is above its limit, told from a table of processes that the test writes. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixedClock } from '../../src/kernel/index.ts';
import { type CellWatch, createCellWatch } from '../../src/sandbox/cell-watch.ts';
import type { ProcReader } from '../../src/sandbox/process-table.ts';

interface FakeProcess {
  parent: number;
  startTime: string;
  cpuTicks: number;
  residentKiB: number;
  /** Null: this process may not look. */
  takenKiB: number | null;
  session: number;
}

const KIB = 1024;
let machine: Map<number, FakeProcess>;
let asked: number[];
let exact: number[];
/** Processes whose sessions were told to give way. */
let given: number[];
let clock: ReturnType<typeof fixedClock>;
let watch: CellWatch;

const put = (pid: number, parent: number, more: Partial<FakeProcess> = {}): void => {
  const old = machine.get(pid) ?? {
    startTime: `${pid}0`,
    cpuTicks: 0,
    residentKiB: 4,
    takenKiB: 4,
    session: 1,
  };
  machine.set(pid, { ...old, parent, ...more });
};

const reader: ProcReader = {
  pids: () => [...machine.keys()],
  stat(pid) {
    asked.push(pid);
    const found = machine.get(pid);
    if (found === undefined) return null;
    const { parent, startTime, cpuTicks, residentKiB, session } = found;
    return `${pid} (p) S ${parent} 0 ${session} 0 0 0 0 0 0 0 ${cpuTicks} 0 0 0 0 0 0 0 ${startTime} 0 ${residentKiB / 4} 0\n`;
  },
  memory(pid) {
    exact.push(pid);
    const found = machine.get(pid);
    if (found === undefined) return '';
    return found.takenKiB === null ? null : `Pss_Anon: ${found.takenKiB} kB\n`;
  },
  pageBytes: 4 * KIB,
};

/** The next so many looks, a second apart. */
async function looks(count = 1): Promise<void> {
  for (let look = 0; look < count; look += 1) {
    clock.advance(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    // A look of many processes takes several turns.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  machine = new Map();
  asked = [];
  exact = [];
  clock = fixedClock(0);
  put(1, 0);
  put(10, 1);
  given = [];
  const sessionGivesWay = (pid: number): void => void given.push(pid);
  const deps = { proc: () => reader, clock, sessionGivesWay };
  watch = createCellWatch({ ...deps, intervalMs: 1_000, cpuWindowMs: 10_000 });
});
afterEach(() => vi.useRealTimers());

const cell = (pid: number, limits: { memoryKiB?: number; cpus?: number; givesWay?: boolean }) => {
  const over = vi.fn();
  const remove = watch.add({
    first: { pid, startTime: `${pid}0` },
    memoryBytes: limits.memoryKiB === undefined ? null : limits.memoryKiB * KIB,
    cpus: limits.cpus ?? null,
    givesWay: limits.givesWay ?? false,
    over,
  });
  return { over, remove };
};

describe('memory', () => {
  it('is that of all processes of a cell, and of no other', async () => {
    put(20, 10);
    put(21, 20, { residentKiB: 400, takenKiB: 400 });
    put(22, 21, { residentKiB: 400, takenKiB: 400 });
    put(30, 10, { residentKiB: 9_000, takenKiB: 9_000 });
    const [small, large] = [cell(20, { memoryKiB: 800 }), cell(30, { memoryKiB: 10_000 })];
    await looks(2);
    expect(small.over).toHaveBeenCalledExactlyOnceWith('memory');
    expect(large.over).not.toHaveBeenCalled();
  });

  it('is asked for exactly only where what is mapped is above, and counts what is shared once', async () => {
    put(20, 10, { residentKiB: 700, takenKiB: 300 });
    put(21, 20, { residentKiB: 700, takenKiB: 300 });
    const { over } = cell(20, { memoryKiB: 800 });
    const other = cell(1, { memoryKiB: 1_000_000 });
    await looks();
    expect(exact).toEqual([20, 21]);
    put(21, 20, { takenKiB: 600 });
    await looks();
    expect(over).toHaveBeenCalledExactlyOnceWith('memory');
    expect(other.over).not.toHaveBeenCalled();
  });

  it('that may not be asked for exactly is what is mapped', async () => {
    put(20, 10, { residentKiB: 500, takenKiB: null });
    put(21, 20, { residentKiB: 500, takenKiB: 200 });
    const { over } = cell(20, { memoryKiB: 800 });
    await looks();
    expect(over).not.toHaveBeenCalled();
    put(20, 10, { residentKiB: 700 });
    await looks();
    expect(over).toHaveBeenCalledExactlyOnceWith('memory');
  });

  it('of a process that has the number of a cell that is gone is not counted', async () => {
    put(20, 10, { residentKiB: 900, takenKiB: 900, startTime: 'later' });
    const { over } = cell(20, { memoryKiB: 800 });
    await looks(3);
    expect(over).not.toHaveBeenCalled();
  });

  it('is not looked at any more when the cell has ended', async () => {
    put(20, 10, { residentKiB: 900, takenKiB: 900 });
    const { over, remove } = cell(20, { memoryKiB: 800 });
    remove();
    await looks(3);
    expect(over).not.toHaveBeenCalled();
  });

  it('is not above while a family ends that shares it, each with a greater share than the one before', async () => {
    const family = [20, 21, 22, 23];
    for (const pid of family) put(pid, pid === 20 ? 10 : 20, { residentKiB: 700 });
    const ending: ProcReader = {
      ...reader,
      memory(pid) {
        if (!machine.delete(pid)) return '';
        const left = family.filter((other) => machine.has(other)).length + 1;
        return `Pss_Anon: ${700 / left} kB\n`;
      },
    };
    watch = createCellWatch({ proc: () => ending, clock, intervalMs: 1_000 });
    const { over } = cell(20, { memoryKiB: 800 });
    await looks();
    expect(machine.has(23), 'all of them were asked').toBe(false);
    expect(over).not.toHaveBeenCalled();
  });

  it('is found in a circle of processes, which a torn look could show, once', async () => {
    put(20, 21, { residentKiB: 300, takenKiB: 300 });
    put(21, 20, { residentKiB: 300, takenKiB: 300 });
    const { over } = cell(20, { memoryKiB: 800 });
    await looks(2);
    expect(over).not.toHaveBeenCalled();
  });
});

describe('processor time', () => {
  it('counts as an average over the whole window', async () => {
    put(20, 10);
    put(21, 20);
    const { over } = cell(20, { cpus: 0.5 });
    for (let second = 1; second <= 9; second += 1) {
      put(21, 20, { cpuTicks: 100 * second });
      await looks();
    }
    // Busy all the time, but not yet for the whole window.
    expect(over).not.toHaveBeenCalled();
    put(21, 20, { cpuTicks: 1_000 });
    await looks(2);
    expect(over).toHaveBeenCalledExactlyOnceWith('cpu');
  });

  it('may be used in bursts', async () => {
    put(20, 10);
    put(21, 20);
    const { over } = cell(20, { cpus: 0.5 });
    for (let second = 1; second <= 60; second += 1) {
      const bursts = Math.floor(second / 10);
      put(21, 20, { cpuTicks: 400 * bursts });
      await looks();
    }
    expect(over).not.toHaveBeenCalled();
  });

  it('of children that have ended is their parents', async () => {
    put(20, 10);
    const { over } = cell(20, { cpus: 0.5 });
    for (let second = 1; second <= 12; second += 1) {
      // Each child lives for less than a look; what it used is added to its parent's.
      put(20, 10, { cpuTicks: 90 * second });
      await looks();
    }
    expect(over).toHaveBeenCalledExactlyOnceWith('cpu');
  });

  it('that left with a process is not counted against what is used later', async () => {
    put(20, 10);
    put(21, 20, { cpuTicks: 400 });
    const { over } = cell(20, { cpus: 0.5 });
    await looks(5);
    // Nobody waited for it, so its time is nobody's.
    machine.delete(21);
    for (let second = 1; second <= 6; second += 1) {
      expect(over).not.toHaveBeenCalled();
      put(22, 20, { cpuTicks: 120 * second });
      await looks();
    }
    // 6 s of these 10 were seen.
    expect(over).toHaveBeenCalledExactlyOnceWith('cpu');
  });
});

describe('a look', () => {
  it('does not read again and again what is no cell of anybody', async () => {
    for (let pid = 100; pid < 500; pid += 1) put(pid, 1);
    put(20, 10);
    put(21, 20);
    cell(20, { cpus: 1 });
    await looks();
    expect(asked).toHaveLength(404);
    asked = [];
    await looks();
    expect(asked.length).toBeLessThan(50);
    expect(asked).toEqual(expect.arrayContaining([20, 21]));
    await looks(16);
    expect(new Set(asked).size).toBe(404);
  });

  it('sees what was started before the cell was known', async () => {
    put(20, 10);
    put(30, 10);
    put(31, 30, { residentKiB: 900, takenKiB: 900 });
    cell(20, { cpus: 1 });
    await looks(3);
    const { over } = cell(30, { memoryKiB: 800 });
    await looks();
    expect(over).toHaveBeenCalledExactlyOnceWith('memory');
  });

  it('is not taken where nothing is to be watched', async () => {
    const { remove } = cell(20, {});
    await looks(3);
    expect(asked).toEqual([]);
    remove();
    const limited = cell(20, { cpus: 1 });
    limited.remove();
    await looks(3);
    expect(asked.length).toBeLessThanOrEqual(machine.size);
  });

  it('that fails is followed by the next', async () => {
    put(20, 10, { residentKiB: 900, takenKiB: 900 });
    let fail = true;
    const failing: ProcReader = {
      ...reader,
      pids() {
        if (fail) throw new Error('EMFILE');
        return reader.pids();
      },
    };
    watch = createCellWatch({ proc: () => failing, clock, intervalMs: 1_000 });
    const { over } = cell(20, { memoryKiB: 800 });
    await looks(2);
    fail = false;
    await looks();
    expect(over).toHaveBeenCalledExactlyOnceWith('memory');
  });
});

describe('sessions of a cell', () => {
  it("are told to give way at each look, each by one process of it, and no other cell's", async () => {
    put(20, 10, { session: 20 });
    put(21, 20, { session: 20 });
    put(30, 10, { session: 30 });
    cell(20, { givesWay: true });
    cell(30, { memoryKiB: 800 });
    await looks();
    expect(given).toEqual([20]);
    put(22, 21, { session: 22 });
    await looks();
    expect(given).toEqual([20, 20, 22]);
    machine.delete(20);
    put(21, 10, { session: 20 });
    await looks();
    expect(given, 'without its first process there is no cell').toEqual([20, 20, 22]);
  });
});
