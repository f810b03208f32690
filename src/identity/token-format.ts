/**
 * The text of a token: `sally_<id>_<secret><checksum>`. Pure; nothing here decides whether a token is any good.
 *
 *     sally_ 7k2m9x0q4v8w1e3r _ 28 characters of base 62 (166 bits)  6 characters of base 62
 *            id, 16 characters  secret                               CRC-32 of all before, zero-padded
 *
 * The prefix and the checksum let scanners find leaked tokens without asking anybody, and let a mistyped one be
 * refused before any work is done for it. The checksum protects nothing.
 */
import { crc32 } from 'node:zlib';
import { err, ok, type Random, type Result, Secret, type TokenId } from '../kernel/index.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_CHARS = 28;
const CHECKSUM_CHARS = 6;
const SHAPE = new RegExp(
  `^sally_([0-9abcdefghjkmnpqrstvwxyz]{16})_([0-9A-Za-z]{${SECRET_CHARS}})([0-9A-Za-z]{${CHECKSUM_CHARS}})$`,
);
/** Largest multiple of 62 that fits a byte: what is above would make some characters likelier than others. */
const UNBIASED_BELOW = 248;

export interface ParsedToken {
  readonly id: TokenId;
  readonly secret: Secret;
}

/** What is wrong with the text. */
export type TokenFormatError = 'shape' | 'checksum';

export function parseToken(text: string): Result<ParsedToken, TokenFormatError> {
  const match = SHAPE.exec(text);
  const [, id, secret, checksum] = match ?? [];
  if (id === undefined || secret === undefined || checksum === undefined) return err('shape');
  if (checksumOf(text.slice(0, -CHECKSUM_CHARS)) !== checksum) return err('checksum');
  return ok({ id: `tok_${id}` as TokenId, secret: Secret.fromString(secret) });
}

/** @param id as made by `newId('tok', …)` */
export function formatToken(id: TokenId, secret: Secret): Secret {
  const body = `sally_${id.slice('tok_'.length)}_${secret.reveal()}`;
  return Secret.fromString(body + checksumOf(body));
}

export function newTokenSecret(random: Random): Secret {
  let text = '';
  while (text.length < SECRET_CHARS) {
    for (const byte of random.bytes(SECRET_CHARS)) {
      if (byte < UNBIASED_BELOW && text.length < SECRET_CHARS) text += BASE62[byte % 62];
    }
  }
  return Secret.fromString(text);
}

function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let index = 0; index < CHECKSUM_CHARS; index += 1) {
    digits = `${BASE62[rest % 62]}${digits}`;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
