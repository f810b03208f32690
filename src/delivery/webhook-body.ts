/** A batch as the body of a webhook. The shape is public: docs/audit-exports.md. */
import { checkpointRecord, eventRecord } from '../audit/index.ts';
import type { Batch } from './ports.ts';

export const webhookBody = ({ id, at, events, checkpoints }: Batch): Buffer =>
  Buffer.from(
    JSON.stringify({
      type: 'audit.batch',
      id,
      timestamp: new Date(at).toISOString(),
      data: { events: events.map(eventRecord), checkpoints: checkpoints.map(checkpointRecord) },
    }),
    'utf8',
  );
