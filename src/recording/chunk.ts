/**
 * The stored form of a recording. Each session has a data key of its own, wrapped by the workspace's tenant key; its entries
 * are sealed in chunks under it, numbered from 0, each bound to workspace, session and number: one that was moved, exchanged
 * or left out is found out. Inside, a chunk is
 *
 *     offset   bytes   field
 *     0        1       00: the entries in it are whole. 01: the last one goes on in the next chunk
 *     1        …       entries, UTF-8, one JSON text and a line feed each
 */
import { limits, type Secret, type WorkspaceId } from '../kernel/index.ts';
import { open, type RowContext, seal, type SealingKey } from '../seal/index.ts';
import type { Entry } from './entry.ts';

/** What a session's data key is bound to where it lies wrapped. */
export const keyContext = (workspace: WorkspaceId, session: string): RowContext => ({
  workspace,
  table: 'recordings',
  row: session,
  version: 0,
  purpose: 'data-key',
});

export const chunkContext = (workspace: WorkspaceId, session: string, sequence: number): RowContext => ({
  workspace,
  table: 'recording_chunks',
  row: session,
  version: sequence,
  purpose: 'entries',
});

export const KEY_ID = 'rk-1';
export const KEY_BYTES = 32;

const WHOLE = 0;
const GOES_ON = 1;

/** The plaintexts of the chunks that these entries make. */
export function* chunksOf(entries: readonly Entry[]): Generator<Buffer, void, void> {
  let parts: Buffer[] = [];
  let bytes = 0;
  const taken = (flag: number): Buffer => {
    const chunk = Buffer.concat([Buffer.of(flag), ...parts]);
    parts = [];
    bytes = 0;
    return chunk;
  };
  for (const entry of entries) {
    let line = Buffer.from(`${JSON.stringify(entry)}\n`, 'utf8');
    if (bytes > 0 && bytes + line.length > limits.recordingChunkBytesMax) yield taken(WHOLE);
    while (line.length > limits.recordingChunkBytesMax) {
      parts.push(line.subarray(0, limits.recordingChunkBytesMax));
      yield taken(GOES_ON);
      line = line.subarray(limits.recordingChunkBytesMax);
    }
    parts.push(line);
    bytes += line.length;
  }
  if (bytes > 0) yield taken(WHOLE);
}

/** AES-256-GCM: the processor's own instructions. A key is used for one session's chunks, far below what random nonces bear. */
export const sealChunk = (plaintext: Uint8Array, key: SealingKey, context: RowContext): Buffer =>
  seal(plaintext, key, context, { suite: 2 });

/** A chunk, opened. */
export interface OpenedChunk {
  readonly lines: Buffer;
  readonly goesOn: boolean;
}

/** @throws AppError `seal_tampered`, `seal_…` */
export function openChunk(sealed: Uint8Array, secret: Secret, context: RowContext): OpenedChunk {
  const plain = open(sealed, new Map([[KEY_ID, { id: KEY_ID, secret }]]), context);
  try {
    const bytes = plain.bytes();
    return { lines: Buffer.from(bytes.subarray(1)), goesOn: bytes[0] === GOES_ON };
  } finally {
    plain.destroy();
  }
}

/** Entries of whole lines. They were written by `chunksOf`, and authenticated by their seal. */
export const entriesIn = (lines: Buffer): Entry[] =>
  lines
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    // Sealed bytes are what this module wrote.
    .map((line) => JSON.parse(line) as Entry);
