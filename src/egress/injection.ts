/**
 * Where a credential goes into a request. A place is found by the placeholder that stands there, and only
 * where the manifest declares it. Signers, which compute a value from the request instead of replacing a
 * placeholder, are further kinds of place: `inject.ts` is the one that fills them in.
 */
import type { JsonPath } from '../wire/index.ts';
import type { CredentialBinding } from './ports.ts';

export type Place =
  /** The value of the field at `index` is `format` with the token in it. */
  | { readonly kind: 'header'; readonly index: number; readonly format: string }
  /** One half of the Basic credentials in the field at `index`. */
  | { readonly kind: 'basic'; readonly index: number; readonly half: 'user' | 'password' }
  /** The value of the query parameter at `index`, counted from 0 between the `&`. */
  | { readonly kind: 'query'; readonly index: number }
  | { readonly kind: 'json'; readonly path: JsonPath };

export interface Injection {
  readonly binding: CredentialBinding;
  readonly place: Place;
}

const TOKEN = '{token}';

export const fillFormat = (format: string, token: string): string => format.replaceAll(TOKEN, () => token);

/** Basic credentials (RFC 7617), Latin-1 as a string of bytes. */
export interface BasicPair {
  readonly user: string;
  readonly password: string;
}

const BASIC = /^basic +([A-Za-z0-9+/=_-]+)$/i;

/** The decoded credentials of an Authorization value; null when it is not Basic or has no colon. */
export function parseBasic(value: string): BasicPair | null {
  const encoded = BASIC.exec(value)?.[1];
  if (encoded === undefined) return null;
  const decoded = Buffer.from(encoded, 'base64').toString('latin1');
  const colon = decoded.indexOf(':');
  return colon < 0 ? null : { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

export const formatBasic = ({ user, password }: BasicPair): string =>
  `Basic ${Buffer.from(`${user}:${password}`, 'latin1').toString('base64')}`;
