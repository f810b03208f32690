/**
 * What the data plane needs from outside, and what it is told about a cell. The vault, the database and the
 * MCP front stand behind these interfaces; `main/` supplies them.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';
import type { Readable } from 'node:stream';
import type { CellId, JsonObject, Secret, WorkspaceId } from '../kernel/index.ts';
import type {
  CredentialUse,
  DecidedLimit,
  Exceeded,
  LimitedRequest,
  Rules,
  ToolEgress,
  ToolUse,
} from '../policy/index.ts';
import type { Fields } from '../wire/index.ts';

/** Who all traffic on a cell's listeners comes from. Decided by which listener accepted, never by the sender. */
export interface CellIdentity {
  readonly cell: CellId;
  readonly workspace: WorkspaceId;
  /** The server's slug. */
  readonly server: string;
  readonly profile: string;
  /** User whose credentials apply; null for the shared ones. */
  readonly owner: string | null;
  /**
   * Set for a program outside of any cell, which comes through the explicit proxy: it is known by the token that it
   * shows, and not by the kernel.
   */
  readonly proxy?: ProxyIdentity;
}

export interface ProxyIdentity {
  /** The token's id. */
  readonly token: string;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
}

/** One place that the cell may connect to. Same shape as in a manifest. */
export interface EgressRule {
  readonly host: string;
  readonly port: number;
  /** What decides who handles a connection: see `protocol.ts`. */
  readonly protocol: 'https' | 'http' | 'tcp';
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
  /** `tcp`: a connection that is passed on unread; its method is CONNECT. */
  readonly scheme: 'https' | 'http' | 'tcp';
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

/** Whose call it is. */
interface Caller {
  readonly token: string | null;
  readonly user: string | null;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
}

/** A `tools/call` that a client is waiting for. */
export interface CallRef extends ToolUse, Caller {
  readonly id: string;
  /** Whoever made the call, as the audit names it: the id of a token or a user, or the operating system's user id. */
  readonly actor: string;
}

/** The calls of a cell at one moment. */
export interface CellCalls {
  /** Those that have been in flight for longest, up to `requestCallsMax`. */
  readonly inFlight: readonly CallRef[];
  /** How many there are. */
  readonly count: number;
  /** The tools that they call, each once. */
  readonly running: readonly ToolUse[];
  /** Who called, each once, however many calls are in flight. */
  readonly callers: readonly Caller[];
  /** Profiles from which calls came since the cell started, each once; none for the operator's own. */
  readonly profiles: readonly string[];
  /** Whether any call has begun in this cell. */
  readonly begun: boolean;
  /** The call that ended last. */
  readonly last: { readonly call: CallRef; readonly endedMs: number } | null;
  /** When a call of each tool ended last, on the monotonic clock; the latest first. */
  readonly ended: readonly (ToolUse & { readonly endedMs: number })[];
  /** The same of each caller. */
  readonly endedCallers: readonly (Caller & { readonly endedMs: number })[];
}

/** Which calls are in flight in a cell. */
export interface CallCorrelation {
  /** The same object until a call begins or ends. Asked for at every request. */
  callsIn(cell: CellId): CellCalls;
}

/** The owner's rules. Asked at every request, and at every piece of what goes on for longer. */
export interface RequestRules {
  /**
   * Those that hold now, from memory: for the cell's profile, or, where it is of none, for those that call it.
   *
   * @param profiles from which calls came
   */
  current(cell: CellIdentity, profiles: readonly string[]): Rules;
}

/** Where limits are counted, by all processes together. */
export interface RequestLimits {
  /**
   * Counts the request against all of these limits, or against none of them.
   *
   * @returns the one that has no room for it; null: it was counted
   * @throws AppError `store_*`
   */
  count(
    workspace: WorkspaceId,
    held: readonly DecidedLimit[],
    request: LimitedRequest,
  ): Promise<Exceeded | null>;
}

/** Name resolution outside the cell. */
export interface Resolver {
  /** Addresses in text form, both families. @throws AppError `egress_name_unresolved` */
  resolve(host: string): Promise<readonly string[]>;
}

/** What a program shows to the explicit proxy. */
export interface ProxyLogin {
  /** Slug of the server whose rules and credentials it wants; null: the only one of the token's profile. */
  readonly server: string | null;
  readonly token: string;
}

/** Who may use the explicit proxy, and as what. Asked for every tunnel and for every request that is not in one. */
export interface ProxyAdmission {
  /**
   * The share of the data plane of this token with this server; the same one each time, for as long as neither has changed.
   * @throws AppError of kind `unauthenticated`, `limited`, `denied` or `not_found`
   */
  admit(login: ProxyLogin, remoteAddress: string): Promise<CellEgress>;
  /** Where it is recorded that somebody came without a token, or with one that is not good for this. */
  readonly workspace: WorkspaceId;
}

/** One cell's share of the data plane, or that of one program outside. */
export interface CellEgress {
  /** Root certificate that the cell has to trust, PEM. */
  readonly caPem: string;
  /** TCP ports to listen on inside the cell; 53 is not among them. */
  readonly ports: readonly number[];
  /** @param server listening inside the cell, with `pauseOnConnect` */
  acceptTcp(port: number, server: Server): void;
  acceptDnsUdp(socket: UdpSocket): void;
  acceptDnsTcp(server: Server): void;
  /** Credentials have changed: from now on answers are scrubbed of the new values too. */
  refresh(): Promise<void>;
  /** Cuts every connection of the cell, and of its upstreams, now. The listeners stay their owner's. */
  close(): void;
}

/** A request that the gateway makes itself, for a server that is no program in a cell. */
export interface OwnRequest {
  readonly method: string;
  readonly scheme: 'https' | 'http';
  /** Canonical name. */
  readonly host: string;
  readonly port: number;
  /** Path and query. Judged like that of any other request. */
  readonly target: string;
  /** Without Host and framing. Credentials are put in below this, where their bindings say. */
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer | null;
}

export interface OwnAnswer {
  readonly status: number;
  /** Scrubbed, without those that concern one connection only. */
  readonly fields: Fields;
  /** Scrubbed. Errors with an AppError when it breaks off; destroying it gives the request up. */
  readonly body: Readable;
}

/** The share of the data plane of a server for which the gateway makes the requests. */
export interface OwnShare {
  /**
   * @param signal nobody wants the answer any more; its reason is thrown, and ends a body that has begun
   * @throws AppError with the refusal's code, message and hint, as a program in a cell would get them; `egress_closed`
   */
  request(request: OwnRequest, signal: AbortSignal): Promise<OwnAnswer>;
  /** Credentials have changed. */
  refresh(): Promise<void>;
  /** Ends every request now. */
  close(): void;
}
