/**
 * Where a credential goes into a request. A place is found by the placeholder that stands there, and only where the
 * manifest declares it; or by a signature that was made with the placeholder.
 */
import type { PathTemplate } from '../../wire/index.ts';
import type { CredentialBinding } from '../ports.ts';
import type { SigningClaim } from './signer.ts';

export type Place =
  /** The value of the field at `index` is `format` with the token in it. */
  | { readonly kind: 'header'; readonly index: number; readonly format: string }
  /** One half of the Basic credentials in the field at `index`. */
  | { readonly kind: 'basic'; readonly index: number; readonly half: 'user' | 'password' }
  /** The value of one pair, counted from 0, of the Cookie field at `index`. */
  | { readonly kind: 'cookie'; readonly index: number; readonly pair: number }
  /** The value of the query parameter at `index`, counted from 0 between the `&`. */
  | { readonly kind: 'query'; readonly index: number }
  | { readonly kind: 'path'; readonly template: PathTemplate }
  /** A gap in the body. */
  | { readonly kind: 'body' }
  /** What the claim's signer makes of it. */
  | { readonly kind: 'signature'; readonly claim: SigningClaim };

export interface Injection {
  readonly binding: CredentialBinding;
  readonly place: Place;
}

/** How a value is written into a body. */
export type GapKind =
  | { readonly kind: 'json' }
  | { readonly kind: 'form' }
  | { readonly kind: 'multipart'; readonly boundary: string };

/** A place for a credential in a body. */
export interface Gap {
  readonly binding: CredentialBinding;
  readonly as: GapKind;
}

/** A body, or a piece of one, in its order, with gaps where credentials go. */
export type BodyPieces = readonly (Buffer | Gap)[];

const TOKEN = '{token}';

export function fillFormat(format: string, token: string): string {
  const at = format.indexOf(TOKEN);
  return at < 0 ? format : format.slice(0, at) + token + format.slice(at + TOKEN.length);
}

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
