/**
 * Which calls are in flight in each cell, and what ended a moment ago: what the data plane holds a cell's requests
 * against. Asked for at every request, so what it gives is made once between two changes.
 */
import { type CellId, type Clock, limits } from '../kernel/index.ts';
import type { CallRef, CellCalls, EndedTool } from './ports.ts';

/** Before any call. */
const NONE: CellCalls = { inFlight: [], count: 0, running: [], begun: false, last: null, ended: [] };

export class CallsInFlight {
  readonly #clock: Clock;
  readonly #cells = new Map<CellId, CallsOfCell>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(cell: CellId): CellCalls {
    return this.#cells.get(cell)?.now() ?? NONE;
  }

  count(cell: CellId): number {
    return this.#cells.get(cell)?.count ?? 0;
  }

  /** @param exited settles when the cell is gone: then what it did is forgotten */
  enter(cell: CellId, call: CallRef, exited: Promise<unknown>): void {
    let calls = this.#cells.get(cell);
    if (calls === undefined) {
      calls = new CallsOfCell(this.#clock);
      this.#cells.set(cell, calls);
      void exited.then(() => this.#cells.delete(cell));
    }
    calls.enter(call);
  }

  leave(cell: CellId, id: string): void {
    this.#cells.get(cell)?.leave(id);
  }
}

class CallsOfCell {
  readonly #clock: Clock;
  readonly #inFlight = new Map<string, CallRef>();
  /** By tool, the longest ago first. */
  readonly #ended = new Map<string, EndedTool>();
  #last: CellCalls['last'] = null;
  #now: CellCalls | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#inFlight.size;
  }

  enter(call: CallRef): void {
    this.#inFlight.set(call.id, call);
    this.#now = null;
  }

  leave(id: string): void {
    const call = this.#inFlight.get(id);
    if (call === undefined) return;
    const endedMs = this.#clock.monotonic();
    this.#inFlight.delete(id);
    this.#last = { call, endedMs };
    const { tool, readOnly } = call;
    this.#ended.delete(tool);
    this.#ended.set(tool, { tool, readOnly, endedMs });
    if (this.#ended.size > limits.cellEndedToolsMax) {
      const [oldest] = this.#ended.keys();
      if (oldest !== undefined) this.#ended.delete(oldest);
    }
    this.#now = null;
  }

  now(): CellCalls {
    this.#now ??= {
      inFlight: firstOf(this.#inFlight.values(), limits.requestCallsMax),
      count: this.#inFlight.size,
      running: this.#running(),
      begun: true,
      last: this.#last,
      ended: [...this.#ended.values()].toReversed(),
    };
    return this.#now;
  }

  /** A tool that said different things of itself while it was called counts as both. */
  #running(): CellCalls['running'] {
    const tools = new Map<string, CallRef>();
    for (const call of this.#inFlight.values()) tools.set(`${call.readOnly} ${call.tool}`, call);
    return [...tools.values()].map(({ tool, readOnly }) => ({ tool, readOnly }));
  }
}

function firstOf<T>(items: Iterable<T>, max: number): readonly T[] {
  const first: T[] = [];
  for (const item of items) {
    if (first.length === max) break;
    first.push(item);
  }
  return first;
}
