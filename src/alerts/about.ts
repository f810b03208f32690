/** What events say that detectors go by. */
import type { RecordedEvent } from '../audit/index.ts';

const DENIED: ReadonlySet<string> = new Set([
  'call.refused',
  'egress.refused',
  'credential.refused',
  'token.refused',
  'dns.refused',
]);

export const isDenial = ({ type }: RecordedEvent): boolean => DENIED.has(type);

/** Who is behind it, in the log's words: for what a cell did, its server. */
export function whose({ actor, server }: RecordedEvent): string {
  return actor.kind === 'cell' && server !== undefined ? `server:${server}` : `${actor.kind}:${actor.id}`;
}

/** A field of an event that is text; null where there is none. */
export function textIn({ data }: RecordedEvent, name: string): string | null {
  const value = Object.hasOwn(data, name) ? data[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : null;
}
