/**
 * Checkpoints as lines of text: what an export hands out, and what somebody who kept them hands back for verification.
 * Nothing in such a line is believed before its signature was checked (`verify.ts`).
 */
import type { WorkspaceId } from '../kernel/index.ts';
import type { Checkpoint } from './ports.ts';

/** What tells such a line from an event's. No event has this type. */
const CHECKPOINT_TYPE = 'audit.checkpoint';

/** The line's fields, always in the same order. */
export const checkpointRecord = ({
  sequence,
  at,
  workspace,
  hash,
  publicKey,
  signature,
}: Checkpoint): Readonly<Record<string, string | number>> => ({
  sequence,
  at,
  workspace,
  type: CHECKPOINT_TYPE,
  hash,
  publicKey,
  signature,
});

/** One line, without its LF. */
export const toCheckpointLine = (checkpoint: Checkpoint): string =>
  JSON.stringify(checkpointRecord(checkpoint));

const HEX = /^[0-9a-f]+$/;

/**
 * The checkpoints of a text that may hold events as well, as an export does. Lines that are none are left out; a line that
 * says that it is one and lacks something is not, because whoever hands it in counts on it.
 *
 * @returns null where a line says that it is a checkpoint and is none
 */
export function readCheckpointLines(text: string): readonly Checkpoint[] | null {
  const found: Checkpoint[] = [];
  for (const line of text.split('\n')) {
    if (!line.includes(`"${CHECKPOINT_TYPE}"`)) continue;
    const fields = fieldsOf(line);
    if (fields?.get('type') !== CHECKPOINT_TYPE) continue;
    const checkpoint = checkpointOf(fields);
    if (checkpoint === null) return null;
    found.push(checkpoint);
  }
  return found;
}

function fieldsOf(line: string): ReadonlyMap<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : null;
  } catch {
    return null;
  }
}

function checkpointOf(fields: ReadonlyMap<string, unknown>): Checkpoint | null {
  const [sequence, at, workspace] = [fields.get('sequence'), fields.get('at'), fields.get('workspace')];
  const [hash, publicKey, signature] = [fields.get('hash'), fields.get('publicKey'), fields.get('signature')];
  if (!isWhole(sequence) || !isWhole(at) || typeof workspace !== 'string') return null;
  if (!isHex(hash, 64) || !isHex(publicKey, 64) || !isHex(signature, 128)) return null;
  // A name from outside: it is compared with the workspace that is verified, and used for nothing else.
  return { workspace: workspace as WorkspaceId, sequence, at, hash, publicKey, signature };
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isHex = (value: unknown, length: number): value is string =>
  typeof value === 'string' && value.length === length && HEX.test(value);
