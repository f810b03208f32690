import type { Random } from './random.ts';

/** A string that cannot be mistaken for another kind of identifier. */
export type Id<Kind extends string> = string & { readonly __kind: Kind };

export type WorkspaceId = Id<'workspace'>;
export type UserId = Id<'user'>;
export type ServerId = Id<'server'>;
export type CredentialId = Id<'credential'>;
export type ProfileId = Id<'profile'>;
export type TokenId = Id<'token'>;
export type CellId = Id<'cell'>;
export type ApprovalId = Id<'approval'>;

/** Digits and lower-case letters without the look-alikes i, l, o, u (Crockford's base 32). */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const ID_LENGTH = 16;

/**
 * A new random identifier, e.g. `srv_7k2m9x0q4v8w1e3r`: 80 bits, safe in URLs, file names and logs.
 *
 * @param prefix two to four letters that say what it identifies
 */
export function newId<Kind extends string>(prefix: string, random: Random): Id<Kind> {
  let id = `${prefix}_`;
  for (const byte of random.bytes(ID_LENGTH)) id += ALPHABET[byte & 31];
  return id as Id<Kind>;
}
