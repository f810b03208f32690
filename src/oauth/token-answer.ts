/** What a token endpoint answers (RFC 6749 sections 5.1 and 5.2). Pure. */
import { err, type JsonObject, limits, ok, type Result } from '../kernel/index.ts';
import { scopesIn } from './scopes.ts';

export interface TokenAnswer {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  /** How long the token is good, in seconds; null: it does not say. */
  readonly expiresIn: number | null;
  /** Null: what was asked for. */
  readonly scopes: readonly string[] | null;
}

/** RFC 6750 section 2.1, and whatever else a header field carries unchanged. */
const TOKEN = /^[\x21-\x7e]+$/;
const isToken = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= limits.oauthTokenCharsMax && TOKEN.test(value);

/** @returns why it is none, as a clause */
export function readTokens(document: JsonObject): Result<TokenAnswer, string> {
  const { access_token: accessToken, refresh_token: refreshToken, token_type: type } = document;
  if (!isToken(accessToken)) return err('`access_token` is missing or malformed');
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') return err('`token_type` is not Bearer');
  if (refreshToken !== undefined && !isToken(refreshToken)) return err('`refresh_token` is malformed');
  const { scope } = document;
  return ok({
    accessToken,
    refreshToken: refreshToken ?? null,
    expiresIn: secondsIn(document['expires_in']),
    scopes: typeof scope === 'string' && scope !== '' ? scopesIn(scope) : null,
  });
}

/** Some write it as text. */
function secondsIn(value: unknown): number | null {
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !(seconds >= 0)) return null;
  return Math.min(seconds, limits.oauthExpiresInSecondsMax);
}
