/**
 * What an envelope is bound to. The same bytes in another row, table, version, workspace, or for another purpose
 * do not open (guarantee G7).
 */
import { AppError } from '../kernel/index.ts';

export interface SealContext {
  readonly workspace: string;
  readonly table: string;
  /** The row's identifier within the table. */
  readonly row: string;
  /** Of the row; a non-negative safe integer. */
  readonly version: number;
  /** Which of the row's sealed columns, e.g. `value`. */
  readonly purpose: string;
}

const DOMAIN = Buffer.from('sallyport/seal/1\0', 'latin1');
const LENGTH_BYTES = 4;
const VERSION_BYTES = 8;

/**
 * The associated data of an envelope. Each part has its length in front, so no two contexts give the same bytes:
 *
 *     "sallyport/seal/1" 00
 *     u32 length, header          format, suite, key id and nonce: every byte in front of the ciphertext
 *     u32 length, workspace       UTF-8
 *     u32 length, table           UTF-8
 *     u32 length, row             UTF-8
 *     u32 length, purpose         UTF-8
 *     u64 version
 *
 * Integers are big-endian.
 *
 * @throws AppError `seal_context_invalid` for a part that has no unambiguous encoding
 */
export function associatedData(header: Uint8Array, context: SealContext): Buffer {
  const parts: Uint8Array[] = [header];
  let length = DOMAIN.length + LENGTH_BYTES + header.length + VERSION_BYTES;
  for (const text of [context.workspace, context.table, context.row, context.purpose]) {
    // A lone surrogate would become U+FFFD in UTF-8: two different contexts, the same bytes.
    if (!text.isWellFormed()) throw invalid('it has text that is not well-formed Unicode');
    const bytes = Buffer.from(text, 'utf8');
    parts.push(bytes);
    length += LENGTH_BYTES + bytes.length;
  }
  if (!Number.isSafeInteger(context.version) || context.version < 0) {
    throw invalid('its version is not a non-negative integer');
  }

  const out = Buffer.allocUnsafe(length);
  let at = DOMAIN.copy(out);
  for (const part of parts) {
    at = out.writeUInt32BE(part.length, at);
    out.set(part, at);
    at += part.length;
  }
  out.writeBigUInt64BE(BigInt(context.version), at);
  return out;
}

function invalid(what: string): AppError {
  return new AppError('seal_context_invalid', `A sealed value cannot be bound to its row: ${what}.`, {
    kind: 'failed',
  });
}
