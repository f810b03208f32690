/** What every repository works on: the database or an open transaction, and whom to tell of a change. */
import type { Kysely } from 'kysely';
import type { Json } from '../../kernel/index.ts';
import { rowCorrupt, storeConflict } from '../errors.ts';
import type { Tables } from '../schema.ts';

export interface Scope {
  readonly db: Kysely<Tables>;
  /** Called after a change that somebody may have cached. */
  readonly touched: () => void;
}

/** A view of the bytes, not a copy. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * What this store wrote itself, as JSON text.
 * @param column as `table.column`
 * @throws AppError `store_corrupt` when it was edited into something else
 */
export function fromJson(text: string, column: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw rowCorrupt(column, cause);
  }
}

/** @throws AppError `store_conflict` when nothing was changed */
export function expectOne(changed: bigint | undefined, message: string): void {
  if (changed !== 1n) throw storeConflict(message);
}
