/** Events as JSON Lines: one object per line, fields always in the same order. */
import type { RecordedEvent } from './events.ts';

/**
 * What JSON lets through but a terminal or a viewer may act on: DEL and the C1 controls, line and paragraph
 * separators, marks and overrides of writing direction, and the byte order mark.
 */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** One line, without its LF. Reading it back as JSON gives the same event. */
export function toJsonLine(event: RecordedEvent): string {
  const line = JSON.stringify({
    sequence: event.sequence,
    at: event.at,
    workspace: event.workspace,
    type: event.type,
    actor: event.actor,
    server: event.server,
    data: event.data,
    previous: event.previous,
    hash: event.hash,
  });
  return line.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The lines of an export, each with its LF. */
export async function* toJsonLines(events: AsyncIterable<RecordedEvent>): AsyncGenerator<string, void, void> {
  for await (const event of events) yield `${toJsonLine(event)}\n`;
}
