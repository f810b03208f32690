/** The calls of a cell as the data plane knows them. */

/** Whose call it is. */
interface Caller {
  readonly token: string | null;
  readonly user: string | null;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
}

/** A `tools/call` in flight in a cell, for correlating the cell's requests with it. */
export interface CallRef extends Caller {
  readonly id: string;
  /** The server's own name of the tool. */
  readonly tool: string;
  /** Whether the server says that the tool only reads. */
  readonly readOnly: boolean;
  /** Whoever made the call, as the audit names it: the id of a token or a user, or the operating system's user id. */
  readonly actor: string;
}

/** Somebody who called, and when a call of theirs ended last: `Clock.monotonic()`. */
export interface EndedCaller extends Caller {
  readonly endedMs: number;
}

/** A tool, and when a call of it ended last: `Clock.monotonic()`. */
export interface EndedTool {
  readonly tool: string;
  readonly readOnly: boolean;
  readonly endedMs: number;
}

/** The calls of a cell at one moment. */
export interface CellCalls {
  /** Those that have been in flight for longest, up to `requestCallsMax`. */
  readonly inFlight: readonly CallRef[];
  /** How many there are. */
  readonly count: number;
  /** The tools that they call, each once. */
  readonly running: readonly { readonly tool: string; readonly readOnly: boolean }[];
  /** Who called, each once, however many calls are in flight. */
  readonly callers: readonly Caller[];
  /** Profiles from which calls came since the cell started, each once; none for the operator's own. */
  readonly profiles: readonly string[];
  /** Whether any call has begun in this cell. */
  readonly begun: boolean;
  /** The call that ended last: `Clock.monotonic()`. */
  readonly last: { readonly call: CallRef; readonly endedMs: number } | null;
  /** The latest first, up to `cellEndedToolsMax`. */
  readonly ended: readonly EndedTool[];
  /** When a call of each caller ended last, likewise. */
  readonly endedCallers: readonly EndedCaller[];
}
