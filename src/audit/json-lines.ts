/** Events as JSON Lines: one object per line, fields always in the same order. */
import type { RecordedEvent } from './events.ts';

/**
 * What JSON lets through but a terminal or a viewer may act on: DEL and the C1 controls, line and paragraph
 * separators, marks and overrides of writing direction, and the byte order mark.
 */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The fields of an event as everybody outside sees them, in their order. */
export const eventRecord = (event: RecordedEvent) => ({
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

/** One line, without its LF. Reading it back as JSON gives the same event. */
export function toJsonLine(event: RecordedEvent): string {
  return JSON.stringify(eventRecord(event)).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The lines of an export, each with its LF. */
export async function* toJsonLines(events: AsyncIterable<RecordedEvent>): AsyncGenerator<string, void, void> {
  for await (const event of events) yield `${toJsonLine(event)}\n`;
}
