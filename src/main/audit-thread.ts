/**
 * The audit log's writer in a thread of its own: the database is synchronous, and the gateway's thread speaks TLS. The
 * other end is `audit-writer.ts`. For processes that live long: a thread takes longer to start than most commands take.
 */
import { Worker } from 'node:worker_threads';
import { type Channel, type Durability, remoteScribe, type Scribe } from '../audit/index.ts';
import type { Log, Secret } from '../kernel/index.ts';

/** What the thread is started with. */
export interface AuditWriterData {
  readonly database: string;
  /** The audit key: 32 bytes in memory that the thread alone has. */
  readonly key: Uint8Array<ArrayBuffer>;
  readonly durability: Durability;
}

/** Events are small, and few wait at a time. */
const MEMORY = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/** @param key stays the caller's */
export function auditThread(database: string, key: Secret, durability: Durability, log: Log): Scribe {
  const copy = new Uint8Array(key.bytes());
  const isSource = import.meta.url.endsWith('.ts');
  const worker = new Worker(new URL(isSource ? './audit-writer.ts' : './audit-writer.js', import.meta.url), {
    name: 'audit-writer',
    workerData: { database, key: copy, durability } satisfies AuditWriterData,
    // Moved, not copied: the thread zeroes it when it has made its keys.
    transferList: [copy.buffer],
    resourceLimits: MEMORY,
  });
  return remoteScribe(channelTo(worker), log);
}

function channelTo(worker: Worker): Channel {
  return {
    post: (message) => worker.postMessage(message, []),
    onMessage: (listener) => worker.on('message', listener),
    onEnd(listener) {
      let failure: Error | null = null;
      worker.on('error', (error: Error) => {
        failure = error;
      });
      worker.once('exit', (code) => {
        listener(failure ?? (code === 0 ? null : new Error(`it exited with code ${code}`)));
      });
    },
  };
}
