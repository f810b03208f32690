/**
 * What a login needs from outside: a way to authorization servers, a place for values, a place for what is no secret.
 * `main/` answers them with the data plane, the vault and the store. No stored value ever comes this way: a request names
 * the slots whose values are put in below, and an answer in which one is repeated has its stand-in there.
 */
import type { Clock, JsonObject, Log, Random, Secret, ServerId } from '../kernel/index.ts';
import type { Grant } from './grant.ts';

/** The remote server that a grant is for. */
export interface GrantServer {
  readonly id: ServerId;
  readonly slug: string;
  /** Where it takes messages. */
  readonly url: string;
}

/** Credentials of a server that no manifest lists. */
export type GrantSlot = 'OAUTH_ACCESS_TOKEN' | 'OAUTH_REFRESH_TOKEN' | 'OAUTH_CLIENT_SECRET';
export const GRANT_SLOTS: readonly GrantSlot[] = [
  'OAUTH_ACCESS_TOKEN',
  'OAUTH_REFRESH_TOKEN',
  'OAUTH_CLIENT_SECRET',
];

/** A value that is put into a request on its way: in a form field, or as the password of Basic. */
export interface SlotUse {
  readonly slot: GrantSlot;
  readonly into: { readonly form: string } | { readonly basic: 'password' };
}

export interface OAuthRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | null;
  readonly slots: readonly SlotUse[];
}

export interface OAuthAnswer {
  readonly status: number;
  readonly wwwAuthenticate: string | null;
  readonly text: string;
  /** What stands in the text where a stored value stood. */
  readonly placeholders: ReadonlyMap<GrantSlot, string>;
}

export interface OAuthHttp {
  /**
   * One exchange. No redirect is followed.
   *
   * @throws AppError `egress_*` as for any request that leaves, `oauth_answer_too_large`, `oauth_timeout`
   */
  send(server: GrantServer, request: OAuthRequest): Promise<OAuthAnswer>;
}

/** The vault, which this can write to, and not read. */
export interface GrantValues {
  put(server: GrantServer, slot: GrantSlot, value: Secret): Promise<void>;
  /** Nothing happens where there is no value. */
  remove(server: GrantServer, slot: GrantSlot): Promise<void>;
  /** Goes up with each value; null: none is set. */
  version(server: GrantServer, slot: GrantSlot): Promise<number | null>;
}

export interface GrantRows {
  /** From memory where nothing has changed. Null also for a row that cannot be read. */
  find(server: GrantServer): Promise<Grant | null>;
  /**
   * Changes what is stored, as one step in which nobody else writes.
   *
   * @param change may be asked more than once; null: there is none from now on
   */
  edit(server: GrantServer, change: (before: Grant | null) => Grant | null): Promise<void>;
}

/** Puts on record what became of a login. @throws AppError `audit_unavailable` */
export type GrantRecorder = (
  type: 'grant.begun' | 'grant.granted' | 'grant.refreshed' | 'grant.refused' | 'grant.removed',
  server: GrantServer,
  data: JsonObject,
) => Promise<void>;

/** Everything that logins are made with. */
export interface GrantDeps {
  readonly http: OAuthHttp;
  readonly values: GrantValues;
  readonly rows: GrantRows;
  readonly record: GrantRecorder;
  /** Address of a document that describes this gateway as a client; null: there is none. */
  readonly documentUrl: string | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
