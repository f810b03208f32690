/**
 * What the data plane needs from outside, and what it is told about a cell. The vault, the database and the
 * MCP front stand behind these interfaces; `main/` supplies them.
 */
import type { CellId, Secret, WorkspaceId } from '../kernel/index.ts';

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
  | { readonly json: string };

/** A sealed credential of a cell: its stand-in, and the only requests that the real value may be put into. */
export interface CredentialBinding {
  readonly name: string;
  readonly placeholder: string;
  readonly hosts: readonly string[];
  readonly ports?: readonly number[];
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly inject: readonly InjectRule[];
}

export interface CellEgressSpec {
  readonly identity: CellIdentity;
  readonly rules: readonly EgressRule[];
  readonly credentials: readonly CredentialBinding[];
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
  /** Calls that were in flight in the cell, up to a limit. */
  readonly calls: readonly CallRef[];
  /** How many there were. */
  readonly callsInFlight: number;
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
export interface CallRef {
  readonly id: string;
  readonly tool: string;
  /** Token or user that made the call, as the audit names it. */
  readonly actor: string;
}

/** Which calls are in flight in a cell. */
export interface CallCorrelation {
  inFlight(cell: CellId): readonly CallRef[];
}

/** Name resolution outside the cell. */
export interface Resolver {
  /** Addresses in text form, both families. @throws AppError `egress_name_unresolved` */
  resolve(host: string): Promise<readonly string[]>;
}
