/**
 * Keeps a hostile cell from flooding the audit log with refusals, and from hiding one among many: the first of
 * each kind is recorded, then repetitions are only counted until the interval is over, and there is a bound on
 * all of them together. What was counted is told with a later event of the kind, or when the interval is over.
 */
import { type Clock, limits } from '../kernel/index.ts';

export interface GateRules {
  /** How often one kind is recorded within an interval. */
  readonly eachMax: number;
  /** Kinds of one sort that are recorded the first time however many refusals there were. A program can make up kinds without end. */
  readonly firstsMax: number;
}

interface Seen<Event> {
  readonly since: number;
  recorded: number;
  suppressed: number;
  last: Event | null;
}

/** The last of those that were only counted. */
export interface Counted<Event> {
  readonly event: Event;
  /** How many there were before it. */
  readonly suppressed: number;
}

export class FloodGate<Event> {
  readonly #clock: Clock;
  readonly #rules: GateRules;
  /** Longest ago first. */
  readonly #seen = new Map<string, Seen<Event>>();
  readonly #firsts = new Map<string, Set<string>>();
  #intervalStart: number;
  #recorded = 0;
  /** Not recorded, and of no kind that is known any more. */
  #unreported = 0;
  #lastUnreported: Event | null = null;

  constructor(clock: Clock, rules: GateRules) {
    this.#clock = clock;
    this.#rules = rules;
    this.#intervalStart = clock.monotonic();
  }

  /**
   * @param sort what kinds belong to, one of few
   * @param key what makes two refusals of a sort the same kind
   * @returns null when this one is only counted; else how many were only counted before it
   */
  pass(sort: string, key: string, event: Event): number | null {
    const now = this.#roll();
    const kind = `${sort} ${key}`;
    const seen = this.#seen.get(kind);
    const isFresh = seen !== undefined && now - seen.since < limits.cellRefusalIntervalMs;
    if (isFresh && seen.recorded >= this.#rules.eachMax) {
      seen.suppressed += 1;
      seen.last = event;
      return null;
    }
    if (!this.#isFirst(sort, key)) {
      if (this.#recorded >= limits.cellRefusalEventsMax) {
        this.#forget(1, event);
        return null;
      }
      this.#recorded += 1;
    }
    const suppressed = this.#unreported + (isFresh ? 0 : (seen?.suppressed ?? 0));
    this.#unreported = 0;
    if (isFresh) seen.recorded += 1;
    else this.#begin(kind, now);
    return suppressed;
  }

  /** What was counted in intervals that are over, as far as it may be recorded now. */
  overdue(): readonly Counted<Event>[] {
    const now = this.#roll();
    const due: Counted<Event>[] = [];
    for (const [kind, { last, since, suppressed }] of this.#seen) {
      if (now - since < limits.cellRefusalIntervalMs) break;
      if (last !== null && this.#recorded >= limits.cellRefusalEventsMax) return due;
      this.#seen.delete(kind);
      if (last === null) continue;
      this.#recorded += 1;
      due.push({ event: last, suppressed: suppressed - 1 });
    }
    if (
      this.#lastUnreported !== null &&
      this.#unreported > 0 &&
      this.#recorded < limits.cellRefusalEventsMax
    ) {
      this.#recorded += 1;
      due.push({ event: this.#lastUnreported, suppressed: this.#unreported - 1 });
      this.#unreported = 0;
    }
    return due;
  }

  /** All that was counted and not told yet, in a bounded number of events: nothing comes after this. */
  rest(): readonly Counted<Event>[] {
    for (const [kind, { last, suppressed }] of this.#seen) {
      if (last === null) this.#seen.delete(kind);
      else if (this.#seen.size > limits.cellRefusalEventsMax) {
        this.#seen.delete(kind);
        this.#forget(suppressed, last);
      }
    }
    const due = [...this.#seen.values()].flatMap(({ last, suppressed }) =>
      last === null ? [] : [{ event: last, suppressed: suppressed - 1 }],
    );
    const [unreported, last] = [this.#unreported, this.#lastUnreported];
    return last === null || unreported === 0 ? due : [...due, { event: last, suppressed: unreported - 1 }];
  }

  #roll(): number {
    const now = this.#clock.monotonic();
    if (now - this.#intervalStart >= limits.cellRefusalIntervalMs) {
      this.#intervalStart = now;
      this.#recorded = 0;
    }
    return now;
  }

  #isFirst(sort: string, key: string): boolean {
    const known = this.#firsts.get(sort) ?? new Set();
    if (known.has(key) || known.size >= this.#rules.firstsMax) return false;
    this.#firsts.set(sort, known.add(key));
    return true;
  }

  #begin(kind: string, now: number): void {
    this.#seen.delete(kind);
    this.#seen.set(kind, { since: now, recorded: 1, suppressed: 0, last: null });
    if (this.#seen.size <= limits.cellRefusalKeysMax) return;
    const [oldest] = this.#seen;
    if (oldest === undefined) return;
    this.#seen.delete(oldest[0]);
    if (oldest[1].last !== null) this.#forget(oldest[1].suppressed, oldest[1].last);
  }

  #forget(count: number, last: Event): void {
    this.#unreported += count;
    this.#lastUnreported = last;
  }
}
