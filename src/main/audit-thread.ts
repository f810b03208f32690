/**
 * The thread that brings the gateway's audit journal into the chain: the database is synchronous, and the gateway's own
 * thread speaks TLS. The other end is `audit-writer.ts`.
 */
import { Worker } from 'node:worker_threads';
import type { Channel, SharedNumbers } from '../audit/index.ts';
import type { Secret } from '../kernel/index.ts';

export interface AuditThreadPlace {
  /** The database's file. */
  readonly database: string;
  /** The folder of the home's journals, and which of them it is. */
  readonly folder: string;
  readonly journal: string;
  /** What it shares with whoever writes the journal (`sharedNumbers`). */
  readonly numbers: SharedNumbers;
}

/** What the thread is started with. */
export interface AuditThreadData extends AuditThreadPlace {
  /** The audit key: 32 bytes in memory that the thread alone has. */
  readonly key: Uint8Array<ArrayBuffer>;
}

/** Events are small, and of a large journal only a part is read at a time. */
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 };

/** @param key the audit key; stays the caller's */
export function startAuditThread(place: AuditThreadPlace, key: Secret): Channel {
  const copy = new Uint8Array(key.bytes());
  const isSource = import.meta.url.endsWith('.ts');
  const worker = new Worker(new URL(isSource ? './audit-writer.ts' : './audit-writer.js', import.meta.url), {
    name: 'audit-writer',
    workerData: { ...place, key: copy } satisfies AuditThreadData,
    // Moved, not copied: the thread zeroes it when it has made its keys.
    transferList: [copy.buffer],
    resourceLimits: MEMORY,
  });
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
