/** Events as syslog messages (RFC 5424), framed by octet counting (RFC 6587, section 3.4.1) where they share a stream. */
import { type Checkpoint, type RecordedEvent, toCheckpointLine, toJsonLine } from '../audit/index.ts';
import { limits } from '../kernel/index.ts';
import { severityOf } from './severity.ts';
import type { Batch } from './ports.ts';

/** Who says it, in the header of each message. */
export interface SyslogOrigin {
  /** Name of this machine. */
  readonly host: string;
  readonly pid: number;
}

/** Facility 13, log audit (RFC 5424, section 6.2.1). */
const FACILITY = 13;
const APP = 'sallyport';
const NIL = '-';
/** Says that the text is UTF-8 (section 6.4). */
const BOM = '\ufeff';

/** One message for each record, in their order. */
export const syslogMessages = (batch: Batch, origin: SyslogOrigin): readonly Buffer[] => [
  ...batch.events.map((event) => messageOf(event, severityOf(event).syslog, toJsonLine(event), origin)),
  ...batch.checkpoints.map((checkpoint) => checkpointMessage(checkpoint, origin)),
];

const checkpointMessage = (checkpoint: Checkpoint, origin: SyslogOrigin): Buffer =>
  messageOf(
    { at: checkpoint.at, type: 'audit.checkpoint' },
    INFORMATIONAL,
    toCheckpointLine(checkpoint),
    origin,
  );

const INFORMATIONAL = 6;

/** As a datagram takes it: of an event that is too long for one, what it is about is left out, which the message says. */
export const datagrams = (batch: Batch, origin: SyslogOrigin): readonly Buffer[] =>
  syslogMessages({ ...batch, events: batch.events.map((event) => fitting(event)) }, origin);

const fitting = (event: RecordedEvent): RecordedEvent =>
  Buffer.byteLength(toJsonLine(event)) + HEADER_BYTES <= limits.deliveryDatagramBytesMax
    ? event
    : { ...event, data: { leftOut: 'too long for a datagram' } };

/** More than a header has. */
const HEADER_BYTES = 512;

export function framed(messages: readonly Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => [Buffer.from(`${message.length} `), message]));
}

function messageOf(
  { at, type }: { readonly at: number; readonly type: string },
  severity: number,
  text: string,
  { host, pid }: SyslogOrigin,
): Buffer {
  const priority = FACILITY * 8 + severity;
  const header = [
    `<${priority}>1`,
    new Date(at).toISOString(),
    field(host, 255),
    APP,
    pid,
    field(type, 32),
    NIL,
  ];
  return Buffer.from(`${header.join(' ')} ${BOM}${text}`, 'utf8');
}

/** Printable ASCII without spaces, as header fields have to be (section 6). */
function field(text: string, charsMax: number): string {
  const clean = text.replace(/[^!-~]/g, '_').slice(0, charsMax);
  return clean === '' ? NIL : clean;
}
