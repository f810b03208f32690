/** A batch as lines of JSON, each with its LF. Reading back how far such a file goes. */
import { type Checkpoint, readCheckpointLines, toCheckpointLine, toJsonLine } from '../audit/index.ts';
import type { Batch, Position } from './ports.ts';

export const batchLines = ({ events, checkpoints }: Batch): readonly string[] => [
  ...events.map((event) => `${toJsonLine(event)}\n`),
  ...checkpoints.map((checkpoint) => `${toCheckpointLine(checkpoint)}\n`),
];

/**
 * How far the last lines of a file go, in one workspace's log.
 *
 * @param text whole lines; nothing in them is believed but where to go on
 */
export function reachedIn(text: string, workspace: string): Position {
  const checkpoints: readonly Checkpoint[] = readCheckpointLines(text) ?? [];
  const events = text.split('\n').map((line) => sequenceIn(line, workspace));
  return {
    sequence: Math.max(0, ...events),
    checkpoint: Math.max(
      0,
      ...checkpoints.filter((one) => one.workspace === workspace).map(({ sequence }) => sequence),
    ),
  };
}

/** Of an event's line; 0 for any other. */
function sequenceIn(line: string, workspace: string): number {
  try {
    const fields = new Map<string, unknown>(Object.entries(JSON.parse(line) as object));
    const sequence = fields.get('sequence');
    const isEvent = fields.get('workspace') === workspace && fields.has('previous');
    return isEvent && Number.isSafeInteger(sequence) ? Number(sequence) : 0;
  } catch {
    return 0;
  }
}
