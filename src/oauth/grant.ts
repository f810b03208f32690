/**
 * What is kept of a login besides its tokens, and no secret: by whom, for what, until when. It comes out of the store as
 * JSON and is read field by field, because a row may have been written by anybody who can write to the file.
 */
import type { Json, JsonObject } from '../kernel/index.ts';

/** How the client proves itself at the token endpoint (RFC 6749 section 2.3). */
export type ClientAuth = 'none' | 'client_secret_post' | 'client_secret_basic';
/** Where the client's name at the authorization server is from. */
export type ClientFrom = 'given' | 'document' | 'registered';

/** A renewal, or a login, that was begun and has not ended. */
interface Refreshing {
  /** Who does it: random, one for each process. */
  readonly by: string;
  readonly at: number;
  /** Of the refresh token that was used for it; 0 for a login. */
  readonly version: number;
}

export interface Grant {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint: string | null;
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  readonly clientFrom: ClientFrom;
  /** The one that the client was registered with. */
  readonly redirectUri: string;
  /** As the server names itself; null: it does not (before 2025-06-18). */
  readonly resource: string | null;
  /** Asked for at the last login. */
  readonly asked: readonly string[];
  /** To be asked for at the next one: what was, and what the server wanted besides. */
  readonly wanted: readonly string[];
  /** What was granted, where the authorization server says so; else what was asked for. */
  readonly granted: readonly string[];
  readonly state: 'ready' | 'login_needed';
  /** Milliseconds since the Unix epoch; null: not known. */
  readonly expiresAt: number | null;
  readonly refreshable: boolean;
  /** Whether each renewal gives another refresh token; null: there was none yet. */
  readonly rotates: boolean | null;
  /** When it was renewed last, or granted. */
  readonly refreshedAt: number;
  readonly refreshing: Refreshing | null;
  readonly stepUps: number;
  readonly steppedUpAt: number;
}

const text = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null);
const count = (value: Json | undefined): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const texts = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const AUTHS: readonly ClientAuth[] = ['none', 'client_secret_post', 'client_secret_basic'];
const SOURCES: readonly ClientFrom[] = ['given', 'document', 'registered'];

/** @returns null where something is missing that nothing can be done without */
export function readGrant(issuer: string, data: Json): Grant | null {
  if (!isObject(data)) return null;
  const tokenEndpoint = text(data['tokenEndpoint']);
  const clientId = text(data['clientId']);
  const redirectUri = text(data['redirectUri']);
  const clientAuth = AUTHS.find((one) => one === data['clientAuth']);
  if (tokenEndpoint === null || clientId === null || redirectUri === null || clientAuth === undefined)
    return null;
  return {
    issuer,
    tokenEndpoint,
    revocationEndpoint: text(data['revocationEndpoint']),
    clientId,
    clientAuth,
    clientFrom: SOURCES.find((one) => one === data['clientFrom']) ?? 'registered',
    redirectUri,
    resource: text(data['resource']),
    asked: texts(data['asked']),
    wanted: texts(data['wanted']),
    granted: texts(data['granted']),
    state: data['state'] === 'ready' ? 'ready' : 'login_needed',
    expiresAt: count(data['expiresAt']),
    refreshable: data['refreshable'] === true,
    rotates: typeof data['rotates'] === 'boolean' ? data['rotates'] : null,
    refreshedAt: count(data['refreshedAt']) ?? 0,
    refreshing: readRefreshing(data['refreshing']),
    stepUps: count(data['stepUps']) ?? 0,
    steppedUpAt: count(data['steppedUpAt']) ?? 0,
  };
}

function readRefreshing(value: Json | undefined): Refreshing | null {
  if (!isObject(value)) return null;
  // Whatever it is, somebody has begun: what cannot be read is as old, and as used, as can be.
  return {
    by: text(value['by']) ?? '',
    at: count(value['at']) ?? 0,
    version: count(value['version']) ?? Number.MAX_SAFE_INTEGER,
  };
}

export const grantData = ({ refreshing, ...grant }: Grant): JsonObject => ({
  ...grant,
  refreshing: refreshing === null ? null : { ...refreshing },
});
