/**
 * Which calls a request belongs to, as far as that can be known. The gateway sees calls and requests, not what ties them
 * together inside of the server: a request may belong to any call that is in flight. A hostile server can wait for
 * somebody else's call, so this is a fact for whoever reads the log and a limit on what may happen when; it is never
 * a proof of who wanted a request.
 */
import { type CellId, type Clock, type JsonObject, limits } from '../kernel/index.ts';
import type { CallTimes, ToolUse } from '../policy/index.ts';
import type { CallCorrelation, CallRef, CellCalls } from './ports.ts';

/**
 * `only`: the one call in flight. `one-of`: of several. `late`: none is in flight, one ended within `callGraceMs`.
 * `none`: nobody asked for anything.
 */
type Attribution = 'only' | 'one-of' | 'late' | 'none';

/** What the audit is told about the calls of a request. */
interface CallData {
  readonly attribution: Attribution;
  readonly calls: readonly JsonObject[];
  /** How many there are, where that is more than are named. */
  readonly callsInFlight?: number;
}

/** A cell's calls when a request was judged. */
export interface Occasion {
  readonly calls: CellCalls;
  /** Shared by the requests of this occasion: never changed. */
  readonly data: CallData;
}

/** Before any call. */
export const NO_CALLS: CellCalls = {
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
const NO_DATA: CallData = { attribution: 'none', calls: [] };
export const NO_OCCASION: Occasion = { calls: NO_CALLS, data: NO_DATA };

/** The calls of one cell, made ready for the log once for all requests between two changes. */
export class Correlation {
  readonly #source: CallCorrelation;
  readonly #cell: CellId;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #busy: Occasion = NO_OCCASION;
  /** With nothing in flight: shortly after the last call, and later. */
  #late: Occasion = NO_OCCASION;
  #idle: Occasion = NO_OCCASION;

  constructor(source: CallCorrelation, cell: CellId, clock: Clock) {
    this.#source = source;
    this.#cell = cell;
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  now(): Occasion {
    const calls = this.#source.callsIn(this.#cell);
    if (calls.count > 0) {
      if (this.#busy.calls !== calls) this.#busy = { calls, data: busyData(calls) };
      return this.#busy;
    }
    const { last } = calls;
    if (last !== null && this.#isRecent(last.endedMs)) {
      if (this.#late.calls !== calls) {
        this.#late = { calls, data: { attribution: 'late', calls: [callData(last.call)] } };
      }
      return this.#late;
    }
    if (this.#idle.calls !== calls) this.#idle = { calls, data: NO_DATA };
    return this.#idle;
  }

  /** Tools whose last call ended a moment ago. */
  recentTools({ ended }: CellCalls): readonly ToolUse[] {
    return ended.filter(({ endedMs }) => this.#isRecent(endedMs));
  }

  /** Those whose last call ended a moment ago. */
  recentCallers({ endedCallers }: CellCalls): CellCalls['callers'] {
    return endedCallers.filter(({ endedMs }) => this.#isRecent(endedMs));
  }

  times({ begun, count, last }: CellCalls): CallTimes {
    const now = this.#clock.monotonic();
    return {
      inFlight: count,
      begun,
      sinceStartMs: now - this.#startedMs,
      sinceEndMs: last === null ? null : now - last.endedMs,
    };
  }

  #isRecent(endedMs: number): boolean {
    return this.#clock.monotonic() - endedMs <= limits.callGraceMs;
  }
}

function busyData({ count, inFlight }: CellCalls): CallData {
  return {
    attribution: count === 1 ? 'only' : 'one-of',
    calls: inFlight.slice(0, limits.requestCallsMax).map(callData),
    ...(count > limits.requestCallsMax ? { callsInFlight: count } : {}),
  };
}

const callData = ({ id, tool, actor, token, user, agent }: CallRef): JsonObject => ({
  actor,
  agent,
  id,
  token,
  tool: tool.slice(0, limits.toolNameShownCharsMax).toWellFormed(),
  user,
});
