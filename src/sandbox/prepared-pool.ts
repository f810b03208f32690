/**
 * Prepared cells that wait to be told what they are, so that a start costs no more than the server's own. As many as were
 * wanted lately, never more than it was given leave for, and made one at a time, when nobody waits for a start.
 *
 * It must never make a start wait, and never give away a cell that has ended.
 */
import { type Clock, limits, type Log } from '../kernel/index.ts';
import type { CellShape } from './plan-shell.ts';

/** What can be kept ready. */
export interface Preparable {
  alive(): boolean;
  /** Resolves when it has ended, whatever ended it. */
  readonly ended: Promise<void>;
  discard(): Promise<void>;
}

export interface PreparedPool<Item extends Preparable> {
  /**
   * Gives a prepared cell away, and remembers that one was wanted.
   *
   * @param fits whether it can become what is wanted
   * @returns null when none is ready; never waits
   */
  take(shape: CellShape, fits: (item: Item) => boolean): Item | null;
  /** From now on one of each of these shapes is kept ready, whether it was wanted or not. Replaces what was said before. */
  expect(shapes: readonly CellShape[]): void;
  readonly counts: { readonly ready: number; readonly making: number };
  /** Discards everything; nothing is made after it. */
  close(): Promise<void>;
}

export interface PreparedPoolDependencies<Item extends Preparable> {
  /** How many are kept ready at most, of all shapes together. */
  readonly max: number;
  prepare(shape: CellShape): Promise<Item>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known of one shape. */
interface Kind<Item> {
  readonly shape: CellShape;
  readonly ready: Ready<Item>[];
  /** `Clock.monotonic()` of each time that one was wanted lately, in order. */
  wanted: number[];
  expected: boolean;
}

interface Ready<Item> {
  readonly item: Item;
  readonly bornMs: number;
}

const keyOf = ({ tcpPorts, terminal }: CellShape): string =>
  `${tcpPorts.toSorted((one, other) => one - other).join(' ')}${terminal ? ' terminal' : ''}`;

export function createPreparedPool<Item extends Preparable>(
  deps: PreparedPoolDependencies<Item>,
): PreparedPool<Item> {
  const { max, clock, log } = deps;
  const kinds = new Map<string, Kind<Item>>();
  const leaving = new Set<Promise<void>>();
  let making: Promise<void> | null = null;
  let failures = 0;
  let restUntilMs = 0;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  const readyCount = (): number => [...kinds.values()].reduce((sum, { ready }) => sum + ready.length, 0);

  function kindOf(shape: CellShape): Kind<Item> {
    const key = keyOf(shape);
    const kind = kinds.get(key) ?? { shape, ready: [], wanted: [], expected: false };
    kinds.set(key, kind);
    return kind;
  }

  /** How many of a kind should be ready: as many as were wanted within a minute, one for a while after. */
  function target({ wanted, expected }: Kind<Item>, nowMs: number): number {
    const lately = wanted.filter((atMs) => nowMs - atMs < limits.preparedDemandMs).length;
    return Math.min(max, Math.max(lately, expected || wanted.length > 0 ? 1 : 0));
  }

  function discard(item: Item): void {
    const gone = item.discard().catch((error: unknown) => {
      log.warn('cell.discard_failed', { error: String(error) });
    });
    leaving.add(gone);
    void gone.then(() => leaving.delete(gone));
  }

  /** Looks again after a while: at once after a start would take the processor from the server that starts. */
  function look(afterMs: number): void {
    if (closed) return;
    clearTimeout(timer ?? undefined);
    timer = setTimeout(() => {
      timer = null;
      balance();
    }, afterMs).unref();
  }

  function balance(): void {
    const nowMs = clock.monotonic();
    for (const [key, kind] of kinds) {
      kind.wanted = kind.wanted.filter((atMs) => nowMs - atMs < limits.preparedKeepMs);
      const old = kind.ready.filter(({ bornMs }) => nowMs - bornMs >= limits.preparedAgeMsMax);
      const surplus = kind.ready.filter((each) => !old.includes(each)).slice(target(kind, nowMs));
      for (const { item } of [...old, ...surplus]) remove(kind, item);
      for (const { item } of [...old, ...surplus]) discard(item);
      if (kind.ready.length === 0 && target(kind, nowMs) === 0) kinds.delete(key);
    }
    const short = shortest(nowMs);
    if (short !== null && making === null && nowMs >= restUntilMs) {
      making = make(short).finally(() => {
        making = null;
        look(limits.preparedPauseMs);
      });
    } else if (kinds.size > 0) look(short === null ? limits.preparedLookMs : limits.preparedPauseMs);
  }

  /** The kind that one is to be made of, the last wanted first; null when all have theirs or there is no room. */
  function shortest(nowMs: number): Kind<Item> | null {
    const short = [...kinds.values()]
      .filter((kind) => kind.ready.length < target(kind, nowMs))
      .sort((one, other) => (other.wanted.at(-1) ?? 0) - (one.wanted.at(-1) ?? 0));
    const [kind] = short;
    if (kind === undefined || readyCount() < max) return kind ?? null;
    // Room is made by one of a kind that has more than the first that it keeps.
    const spare = [...kinds.values()].find((other) => other !== kind && other.ready.length > 1);
    if (spare === undefined || kind.ready.length > 0) return null;
    const last = spare.ready.at(-1);
    if (last === undefined) return null;
    remove(spare, last.item);
    discard(last.item);
    return kind;
  }

  async function make(kind: Kind<Item>): Promise<void> {
    try {
      const item = await deps.prepare(kind.shape);
      kind.ready.push({ item, bornMs: clock.monotonic() });
      log.debug('cell.prepared', { ports: kind.shape.tcpPorts.join(' '), ready: readyCount() });
      void item.ended.then(() => {
        if (!remove(kind, item)) return;
        discard(item);
        failed('it ended while it waited');
      });
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error));
    }
  }

  function failed(why: string): void {
    failures += 1;
    log.warn('cell.prepare_failed', { why, failures });
    if (failures < limits.preparedFailuresMax) return look(limits.preparedPauseMs);
    // Starts say themselves what is wrong; there is no use in trying on and on.
    restUntilMs = clock.monotonic() + limits.preparedRestMs;
    look(limits.preparedRestMs);
  }

  /** @returns false when it was not there any more */
  function remove(kind: Kind<Item>, item: Item): boolean {
    const index = kind.ready.findIndex((each) => each.item === item);
    if (index >= 0) kind.ready.splice(index, 1);
    return index >= 0;
  }

  return {
    take(shape, fits) {
      if (closed || max === 0) return null;
      const kind = kindOf(shape);
      const nowMs = clock.monotonic();
      kind.wanted = [...kind.wanted, nowMs].slice(-max);
      const found = kind.ready.find(({ item }) => item.alive() && fits(item));
      look(limits.preparedDelayMs);
      if (found === undefined) return null;
      remove(kind, found.item);
      failures = 0;
      return found.item;
    },
    expect(shapes) {
      if (closed || max === 0) return;
      for (const kind of kinds.values()) kind.expected = false;
      for (const shape of shapes) kindOf(shape).expected = true;
      look(limits.preparedDelayMs);
    },
    get counts() {
      return { ready: readyCount(), making: making === null ? 0 : 1 };
    },
    async close() {
      closed = true;
      clearTimeout(timer ?? undefined);
      await making;
      for (const kind of kinds.values()) for (const { item } of kind.ready.splice(0)) discard(item);
      await Promise.all(leaving);
    },
  };
}
