/** A batch as OpenTelemetry log records: OTLP over HTTP in its JSON form, and what a collector answers. */
import { type Checkpoint, type RecordedEvent, toCheckpointLine, toJsonLine } from '../audit/index.ts';
import { severityOf } from './severity.ts';
import type { Batch } from './ports.ts';

/** Times are nanoseconds in a string: more than a number holds. */
const nanoseconds = (ms: number): string => `${Math.floor(ms)}000000`;

const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const whole = (key: string, value: number) => ({ key, value: { intValue: String(value) } });

/** @param version the gateway's */
export function otlpBody({ events, checkpoints, at }: Batch, version: string): Buffer {
  const observed = nanoseconds(at);
  const request = {
    resourceLogs: [
      {
        resource: { attributes: [text('service.name', 'sallyport'), text('service.version', version)] },
        scopeLogs: [
          {
            scope: { name: 'sallyport.audit' },
            logRecords: [
              ...events.map((event) => eventLog(event, observed)),
              ...checkpoints.map((checkpoint) => checkpointLog(checkpoint, observed)),
            ],
          },
        ],
      },
    ],
  };
  return Buffer.from(JSON.stringify(request), 'utf8');
}

function eventLog(event: RecordedEvent, observed: string) {
  const { number, text: severity } = severityOf(event);
  return {
    timeUnixNano: nanoseconds(event.at),
    observedTimeUnixNano: observed,
    severityNumber: number,
    severityText: severity,
    eventName: event.type,
    body: { stringValue: toJsonLine(event) },
    attributes: [
      text('sallyport.id', `${event.workspace}:${event.sequence}`),
      text('sallyport.workspace', event.workspace),
      whole('sallyport.sequence', event.sequence),
      text('sallyport.type', event.type),
      text('sallyport.actor.kind', event.actor.kind),
      text('sallyport.actor.id', event.actor.id),
      ...(event.server === undefined ? [] : [text('sallyport.server', event.server)]),
    ],
  };
}

const checkpointLog = (checkpoint: Checkpoint, observed: string) => ({
  timeUnixNano: nanoseconds(checkpoint.at),
  observedTimeUnixNano: observed,
  severityNumber: 9,
  severityText: 'INFO',
  eventName: 'audit.checkpoint',
  body: { stringValue: toCheckpointLine(checkpoint) },
  attributes: [
    text('sallyport.id', `${checkpoint.workspace}:checkpoint:${checkpoint.sequence}`),
    text('sallyport.workspace', checkpoint.workspace),
    whole('sallyport.sequence', checkpoint.sequence),
    text('sallyport.type', 'audit.checkpoint'),
  ],
});

/** Records that the collector says it will never take, of an answer with status 200; 0 where it says nothing of the kind. */
export function otlpRejected(answer: string): number {
  try {
    const value: unknown = JSON.parse(answer);
    const partial: unknown = fieldOf(value, 'partialSuccess');
    const rejected = Number(fieldOf(partial, 'rejectedLogRecords') ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    return 0;
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
