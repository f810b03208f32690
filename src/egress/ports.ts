/**
 * What the data plane needs from outside, and what it is told about a cell. The vault, the database and the
 * MCP front stand behind these interfaces; `main/` supplies them.
 */
import type { CellId, JsonObject, Secret, WorkspaceId } from '../kernel/index.ts';
import type { CredentialUse, ToolEgress, ToolUse } from '../policy/index.ts';

/** Who all traffic on a cell's listeners comes from. Decided by which listener accepted, never by the sender. */
export interface CellIdentity {
  readonly cell: CellId;
  readonly workspace: WorkspaceId;
  /** The server's slug. */
  readonly server: string;
  readonly profile: string;
  /** User whose credentials apply; null for the shared ones. */
  readonly owner: string | null;
}

/** One place that the cell may connect to. Same shape as in a manifest. */
export interface EgressRule {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'https' | 'http';
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
}

/** Where a placeholder may stand. Same shape as in a manifest. */
export type InjectRule =
  | { readonly header: string; readonly format: string }
  | { readonly basic: 'user' | 'password' }
  | { readonly query: string }
  | { readonly cookie: string }
  | { readonly path: string }
  | { readonly json: string }
  | { readonly form: string }
  | { readonly multipart: string }
  | { readonly websocket: string; readonly format?: string }
  | { readonly hmac: HmacRule };

/** A keyed hash of the body in a header, as senders of webhooks make it. */
export interface HmacRule {
  readonly header: string;
  /** With `{signature}` in it. */
  readonly format: string;
  readonly over: 'body';
  readonly algorithm: 'sha1' | 'sha256' | 'sha512';
  readonly encoding: 'hex' | 'base64';
}

/** A sealed credential of a cell: its stand-in, and the only requests that the real value may be put into. */
export interface CredentialBinding {
  readonly name: string;
  readonly placeholder: string;
  readonly hosts: readonly string[];
  readonly ports?: readonly number[];
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly inject: readonly InjectRule[];
  /** Absent: always. */
  readonly use?: CredentialUse;
}

export interface CellEgressSpec {
  readonly identity: CellIdentity;
  readonly rules: readonly EgressRule[];
  readonly credentials: readonly CredentialBinding[];
  /** What may be sent while certain tools run; absent: tools that say that they only read are watched. */
  readonly tools?: ToolEgress;
  readonly addresses: 'synthetic' | 'real';
}

/** The request that a credential is wanted for, as far as the audit needs it. */
export interface RequestFacts {
  readonly requestId: string;
  readonly scheme: 'https' | 'http';
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** Normalised path without the query. */
  readonly path: string;
  /** All of it and the calls that it may belong to, as every event about the request says it. Shared: never changed. */
  readonly data: JsonObject;
}

/** The vault, as the data plane sees it. */
export interface CredentialSource {
  /**
   * Opens a credential to put it into one request. Resolves only after the intent is durable in the audit log.
   * The `Secret` is the data plane's own from then on: it is destroyed as soon as the request was written.
   * @throws AppError `vault_credential_missing`, `vault_denied`, `audit_unavailable`, `kill_active`
   */
  use(cell: CellIdentity, credential: string, request: RequestFacts): Promise<Secret>;
  /**
   * Every value that this cell's server may be given now: what answers are scrubbed of. The values
   * are the data plane's own too, and are destroyed with the cell.
   */
  known(cell: CellIdentity): Promise<readonly KnownSecret[]>;
}

export interface KnownSecret {
  /** The credential's name. */
  readonly name: string;
  readonly value: Secret;
}

/** A `tools/call` that a client is waiting for. */
export interface CallRef extends ToolUse {
  readonly id: string;
  /** Whoever made the call, as the audit names it: the id of a token or a user, or the operating system's user id. */
  readonly actor: string;
  readonly token: string | null;
  readonly user: string | null;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
}

/** The calls of a cell at one moment. */
export interface CellCalls {
  /** Those that have been in flight for longest, up to `requestCallsMax`. */
  readonly inFlight: readonly CallRef[];
  /** How many there are. */
  readonly count: number;
  /** The tools that they call, each once. */
  readonly running: readonly ToolUse[];
  /** Whether any call has begun in this cell. */
  readonly begun: boolean;
  /** The call that ended last. */
  readonly last: { readonly call: CallRef; readonly endedMs: number } | null;
  /** When a call of each tool ended last, on the monotonic clock; the latest first. */
  readonly ended: readonly (ToolUse & { readonly endedMs: number })[];
}

/** Which calls are in flight in a cell. */
export interface CallCorrelation {
  /** The same object until a call begins or ends. Asked for at every request. */
  callsIn(cell: CellId): CellCalls;
}

/** Name resolution outside the cell. */
export interface Resolver {
  /** Addresses in text form, both families. @throws AppError `egress_name_unresolved` */
  resolve(host: string): Promise<readonly string[]>;
}
