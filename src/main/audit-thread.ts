/**
 * How a gateway writes its audit log: with a thread beside it, because the database is synchronous and the gateway's own
 * thread speaks TLS. The other end is `audit-writer.ts`. For processes that live long: a thread takes longer to start
 * than most commands take.
 */
import { Worker } from 'node:worker_threads';
import {
  type Channel,
  createScribe,
  type Durability,
  pairedScribe,
  remoteScribe,
  type Scribe,
} from '../audit/index.ts';
import type { Clock, Log, Secret } from '../kernel/index.ts';
import { openAuditWriter } from '../store/index.ts';

/** What the thread is started with. */
export interface AuditWriterData {
  readonly database: string;
  /** The audit key: 32 bytes in memory that the thread alone has. */
  readonly key: Uint8Array<ArrayBuffer>;
  readonly durability: Durability;
}

/** Events are small, and few wait at a time. */
const MEMORY = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

export interface AuditWriting {
  /** The database's file. */
  readonly database: string;
  /** The audit key. Stays the caller's. */
  readonly key: Secret;
  readonly durability: Durability;
  readonly clock: Clock;
  readonly log: Log;
}

/** Writes a few events itself and leaves many to a thread. @throws AppError `store_*` */
export function auditWriting(writing: AuditWriting): Scribe {
  const { database, ...rest } = writing;
  const store = openAuditWriter({ path: database, tidies: false });
  const near = createScribe({ ...rest, store, onClosed: () => store.close() });
  return pairedScribe(near, auditThread(writing));
}

export function auditThread({ database, key, durability, log }: Omit<AuditWriting, 'clock'>): Scribe {
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
