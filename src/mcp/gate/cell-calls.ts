/**
 * Which calls are in flight in each cell, and what ended a moment ago: what the data plane holds a cell's requests
 * against. Asked for at every request, so what it gives is made once between two changes.
 */
import { type CellId, type Clock, limits } from '../../kernel/index.ts';
import type { CallRef, CellCalls, EndedCaller, EndedTool } from '../ports/cell-calls.ts';

/** Before any call. */
const NONE: CellCalls = {
  inFlight: [],
  count: 0,
  running: [],
  callers: [],
  profiles: [],
  begun: false,
  last: null,
  ended: [],
  endedCallers: [],
};

/** Where a call comes from, and until when that matters. */
export interface CallOrigin {
  /** Null: the operator's own. */
  readonly profile: string | null;
  /** Settles when the cell is gone: then what it did is forgotten. */
  readonly exited: Promise<unknown>;
}

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

  enter(cell: CellId, call: CallRef, { profile, exited }: CallOrigin): void {
    let calls = this.#cells.get(cell);
    if (calls === undefined) {
      calls = new CallsOfCell(this.#clock);
      this.#cells.set(cell, calls);
      void exited.then(() => this.#cells.delete(cell));
    }
    calls.enter(call, profile);
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
  /** By caller, likewise. */
  readonly #endedCallers = new Map<string, EndedCaller>();
  /** There are as many as were made. What a server was told in a call of one it may keep for later. */
  readonly #profiles = new Set<string>();
  #last: CellCalls['last'] = null;
  #now: CellCalls | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#inFlight.size;
  }

  enter(call: CallRef, profile: string | null): void {
    if (profile !== null) this.#profiles.add(profile);
    this.#inFlight.set(call.id, call);
    this.#now = null;
  }

  leave(id: string): void {
    const call = this.#inFlight.get(id);
    if (call === undefined) return;
    const endedMs = this.#clock.monotonic();
    this.#inFlight.delete(id);
    this.#last = { call, endedMs };
    const { tool, readOnly, token, user, agent } = call;
    setLast(this.#ended, tool, { tool, readOnly, endedMs });
    setLast(this.#endedCallers, callerKey(call), { token, user, agent, endedMs });
    this.#now = null;
  }

  now(): CellCalls {
    this.#now ??= {
      inFlight: firstOf(this.#inFlight.values(), limits.requestCallsMax),
      count: this.#inFlight.size,
      running: this.#running(),
      callers: this.#callers(),
      profiles: [...this.#profiles],
      begun: true,
      last: this.#last,
      ended: [...this.#ended.values()].toReversed(),
      endedCallers: [...this.#endedCallers.values()].toReversed(),
    };
    return this.#now;
  }

  /** A tool that said different things of itself while it was called counts as both. */
  #running(): CellCalls['running'] {
    const tools = new Map<string, CallRef>();
    for (const call of this.#inFlight.values()) tools.set(`${call.readOnly} ${call.tool}`, call);
    return [...tools.values()].map(({ tool, readOnly }) => ({ tool, readOnly }));
  }

  #callers(): CellCalls['callers'] {
    const callers = new Map<string, CallRef>();
    for (const call of this.#inFlight.values()) {
      callers.set(callerKey(call), call);
    }
    return [...callers.values()].map(({ token, user, agent }) => ({ token, user, agent }));
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

const callerKey = ({ token, user, agent }: CallRef): string => JSON.stringify([token, user, agent]);

/** As the latest; the one that was set longest ago gives way where there are too many. */
function setLast<T>(ended: Map<string, T>, key: string, value: T): void {
  ended.delete(key);
  ended.set(key, value);
  if (ended.size <= limits.cellEndedToolsMax) return;
  const [oldest] = ended.keys();
  if (oldest !== undefined) ended.delete(oldest);
}
