/**
 * What a server says in `WWW-Authenticate` (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1). Pure.
 * A list of challenges is read as one, because schemes and parameters are separated alike; whatever is no challenge
 * of `Bearer` is passed over.
 */
import { limits } from '../kernel/index.ts';
import { scopesIn } from './scopes.ts';

export interface Challenge {
  /** Where the server describes itself, unchecked. */
  readonly metadataUrl: string | null;
  readonly scopes: readonly string[];
  /** `invalid_token`, `insufficient_scope`, … */
  readonly error: string | null;
}

export const NO_CHALLENGE: Challenge = { metadataUrl: null, scopes: [], error: null };

const TOKEN = String.raw`[!#$%&'*+.^_\`|~0-9A-Za-z-]+`;
/** A parameter; or the name of a scheme, with the credentials of one that has such in place of parameters. */
const PIECE = new RegExp(
  String.raw`[\s,]*(?:(${TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(${TOKEN}))(?=[\s,]|$)|(${TOKEN})(?:\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$)))?)`,
  'y',
);

/** @returns null where nobody asks for a Bearer token */
export function parseChallenge(header: string | null): Challenge | null {
  if (header === null || header.length > limits.oauthChallengeCharsMax) return null;
  let scheme: string | null = null;
  let isBearer = false;
  const found = new Map<string, string>();
  const piece = new RegExp(PIECE);
  for (let match = piece.exec(header); match !== null; match = piece.exec(header)) {
    const [, name, quoted, plain, said] = match;
    if (said !== undefined) {
      scheme = said.toLowerCase();
      isBearer ||= scheme === 'bearer';
    } else if (name !== undefined && scheme === 'bearer') {
      const key = name.toLowerCase();
      const value = quoted === undefined ? (plain ?? '') : quoted.replaceAll(/\\(.)/g, '$1');
      if (!found.has(key)) found.set(key, value);
    }
  }
  if (!isBearer) return null;
  return {
    metadataUrl: found.get('resource_metadata') ?? null,
    scopes: scopesIn(found.get('scope') ?? null),
    error: found.get('error') ?? null,
  };
}
