/** How many prepared cells there are, and when: with stand-ins for them, and time that is told to pass. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixedClock, limits, type Log, silentLog } from '../../src/kernel/index.ts';
import type { CellShape } from '../../src/sandbox/plan-shell.ts';
import { createPreparedPool, type Preparable } from '../../src/sandbox/prepared-pool.ts';

const web: CellShape = { tcpPorts: [443, 80], terminal: false };
const database: CellShape = { tcpPorts: [443, 80, 5432], terminal: false };

class StandIn implements Preparable {
  readonly shape: CellShape;
  readonly ended: Promise<void>;
  discarded = 0;
  #alive = true;
  #end: () => void;

  constructor(shape: CellShape) {
    this.shape = shape;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  alive(): boolean {
    return this.#alive;
  }

  die(): void {
    this.#alive = false;
    this.#end();
  }

  discard(): Promise<void> {
    this.discarded += 1;
    this.die();
    return Promise.resolve();
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function world(
  max: number,
  prepare: (shape: CellShape) => Promise<StandIn> = async (shape) => new StandIn(shape),
) {
  const clock = fixedClock(0);
  const made: StandIn[] = [];
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (event) => void warnings.push(event) };
  let most = 0;
  let atOnce = 0;
  const pool = createPreparedPool<StandIn>({
    max,
    async prepare(shape) {
      atOnce += 1;
      most = Math.max(most, atOnce);
      try {
        const item = await prepare(shape);
        made.push(item);
        return item;
      } finally {
        atOnce -= 1;
      }
    },
    clock,
    log,
  });
  return {
    pool,
    made,
    warnings,
    mostAtOnce: () => most,
    living: () => made.filter((item) => item.alive()),
    take: (shape: CellShape) => pool.take(shape, () => true),
    /** Lets time pass, in steps small enough for everything that waits. */
    pass: async (ms: number) => {
      const step = 10;
      for (let passed = 0; passed < ms; passed += step) {
        clock.advance(step);
        await vi.advanceTimersByTimeAsync(step);
      }
    },
  };
}

describe('a pool of prepared cells', () => {
  it('makes nothing before anything is wanted or expected', async () => {
    const { pool, made, pass } = world(4);
    await pass(1_000);
    expect(made).toEqual([]);
    await pool.close();
  });

  it('keeps one of what is expected, and gives it away at once', async () => {
    const { pool, take, made, pass } = world(4);
    pool.expect([web]);
    await pass(500);
    expect(pool.counts).toEqual({ ready: 1, making: 0 });
    expect(take(web)).toBe(made[0]);
    expect(pool.counts.ready).toBe(0);
    expect(take(web)).toBe(null);
    await pool.close();
  });

  it('keeps as many as were wanted within a minute, made one at a time, then one, then none', async () => {
    const { pool, take, pass, mostAtOnce, made } = world(4);
    for (let start = 0; start < 3; start += 1) expect(take(web)).toBe(null);
    await pass(1_000);
    expect(pool.counts.ready).toBe(3);
    expect(mostAtOnce()).toBe(1);
    await pass(limits.preparedDemandMs + limits.preparedLookMs);
    expect(pool.counts.ready).toBe(1);
    await pass(limits.preparedKeepMs + limits.preparedLookMs);
    expect(pool.counts.ready).toBe(0);
    expect(made.every(({ discarded }) => discarded === 1)).toBe(true);
    await pool.close();
  });

  it('makes none in the first moments of a start', async () => {
    const { pool, take, made, pass } = world(4);
    take(web);
    await pass(limits.preparedDelayMs - 10);
    expect(made).toEqual([]);
    await pass(100);
    expect(made).toHaveLength(1);
    await pool.close();
  });

  it('tells shapes apart, and not the order of their ports', async () => {
    const { pool, take, pass } = world(4);
    pool.expect([web]);
    await pass(500);
    expect(take(database)).toBe(null);
    expect(take({ tcpPorts: [80, 443], terminal: true })).toBe(null);
    expect(take({ tcpPorts: [80, 443], terminal: false })).not.toBe(null);
    await pool.close();
  });

  it('gives nothing away that does not fit', async () => {
    const { pool, made, pass } = world(4);
    pool.expect([web]);
    await pass(500);
    expect(pool.take(web, () => false)).toBe(null);
    expect(pool.take(web, (item) => item === made[0])).toBe(made[0]);
    await pool.close();
  });

  it('makes room for a shape that has none', async () => {
    const { pool, take, living, pass } = world(2);
    take(web);
    take(web);
    await pass(500);
    expect(living().map(({ shape }) => shape)).toEqual([web, web]);
    take(database);
    await pass(500);
    expect(living().map(({ shape }) => shape)).toEqual([web, database]);
    await pool.close();
  });

  it('makes old ones anew', async () => {
    const { pool, made, living, pass } = world(2);
    pool.expect([web]);
    await pass(limits.preparedAgeMsMax + 2 * limits.preparedLookMs);
    expect(made).toHaveLength(2);
    expect(living()).toEqual([made[1]]);
    await pool.close();
  });

  it('forgets what is no longer expected', async () => {
    const { pool, pass } = world(2);
    pool.expect([web]);
    await pass(500);
    pool.expect([]);
    await pass(500);
    expect(pool.counts.ready).toBe(0);
    await pool.close();
  });

  it('replaces one that died, and never gives it away', async () => {
    const { pool, take, made, warnings, pass } = world(1);
    pool.expect([web]);
    await pass(500);
    made[0]?.die();
    expect(take(web)).toBe(null);
    await pass(500);
    expect(warnings).toEqual(['cell.prepare_failed']);
    expect(take(web)).toBe(made[1]);
    await pool.close();
  });

  it('rests after failures in a row, and tries again', async () => {
    let fails = true;
    const { pool, warnings, pass } = world(1, (shape) =>
      fails ? Promise.reject(new Error('no')) : Promise.resolve(new StandIn(shape)),
    );
    pool.expect([web]);
    await pass(10_000);
    expect(warnings).toHaveLength(3);
    fails = false;
    await pass(limits.preparedRestMs);
    expect(pool.counts.ready).toBe(1);
    await pool.close();
  });

  it('discards everything when it is closed, even what is being made, and makes nothing after', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { pool, take, made, pass } = world(2, async (shape) => {
      await promise;
      return new StandIn(shape);
    });
    pool.expect([web]);
    await pass(500);
    expect(pool.counts).toEqual({ ready: 0, making: 1 });
    const closing = pool.close();
    resolve();
    await closing;
    expect(made.map(({ discarded }) => discarded)).toEqual([1]);
    pool.expect([web]);
    expect(take(web)).toBe(null);
    await pass(1_000);
    expect(made).toHaveLength(1);
  });

  it('is off when it may keep none', async () => {
    const { pool, take, made, pass } = world(0);
    pool.expect([web]);
    expect(take(web)).toBe(null);
    await pass(1_000);
    expect(made).toEqual([]);
    await pool.close();
  });

  it('never keeps more than it may, makes one at a time, and loses none, whatever happens', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('take' as const), shape: fc.constantFrom(web, database) }),
      fc.record({ kind: fc.constant('expect' as const), shapes: fc.subarray([web, database]) }),
      fc.record({ kind: fc.constant('die' as const), index: fc.nat(20) }),
      fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(50, 400, 40_000) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 25 }),
        async (max, steps) => {
          const { pool, take, made, living, pass, mostAtOnce } = world(max);
          const given = new Set<StandIn>();
          for (const each of steps) {
            if (each.kind === 'take') {
              const item = take(each.shape);
              if (item !== null) {
                expect(item.alive() && !given.has(item) && item.discarded === 0).toBe(true);
                given.add(item);
              }
            } else if (each.kind === 'expect') pool.expect(each.shapes);
            else if (each.kind === 'die') made[each.index]?.die();
            else await pass(each.ms);
            expect(pool.counts.ready).toBeLessThanOrEqual(max);
          }
          expect(mostAtOnce()).toBeLessThanOrEqual(1);
          await pool.close();
          // What was given away is its taker's.
          expect(living().every((item) => given.has(item))).toBe(true);
          for (const item of given) expect(item.discarded).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
