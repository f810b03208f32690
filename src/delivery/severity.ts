/** How grave an event is, by its type: what syslog and OpenTelemetry want to know, and the log has no word for. */
import type { RecordedEvent } from '../audit/index.ts';

export interface Severity {
  /** RFC 5424, section 6.2.1. */
  readonly syslog: number;
  /** OpenTelemetry's severity number and its text. */
  readonly number: number;
  readonly text: 'INFO' | 'WARN' | 'ERROR';
}

const INFO: Severity = { syslog: 6, number: 9, text: 'INFO' };
const WARN: Severity = { syslog: 4, number: 13, text: 'WARN' };
const ERROR: Severity = { syslog: 2, number: 17, text: 'ERROR' };

const GRAVE: ReadonlySet<string> = new Set([
  'alert.raised',
  'audit.journal_forged',
  'kill.set',
  'placeholder.foreign',
  'egress.masked',
]);

export function severityOf({ type }: Pick<RecordedEvent, 'type'>): Severity {
  if (GRAVE.has(type)) return ERROR;
  return /\.(?:refused|rejected|failed)$/.test(type) ? WARN : INFO;
}
