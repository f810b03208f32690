/** The program of the thread that brings a journal into the audit log's chain. It ends when its other end closes it. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type Channel,
  channelLog,
  createScribe,
  endJournal,
  ingestedIn,
  JournalIngester,
  journalKeys,
  serveIngester,
} from '../audit/index.ts';
import { Secret, systemClock } from '../kernel/index.ts';
import { openAuditWriter } from '../store/index.ts';
import type { AuditThreadData } from './audit-thread.ts';
import { sourceIn } from './journal-file.ts';

const port = parentPort;
if (port === null) throw new Error('this is the program of a thread');
const { database, folder, journal, numbers, key } = workerData as AuditThreadData; // from `audit-thread.ts`

const channel: Channel = {
  post: (message) => port.postMessage(message),
  onMessage: (listener) => port.on('message', listener),
  // When the gateway ends, so does this thread.
  onEnd: () => undefined,
};
const log = channelLog(channel);
const store = openAuditWriter(database);
const source = sourceIn(folder, journal);
const secret = Secret.fromBytes(key);
const keys = journalKeys(secret);
/** Of a thread before this one. */
const before = ingestedIn(numbers);
const scribe = createScribe({ store, key: secret, clock: systemClock, log });
secret.destroy();
await serveIngester({
  channel,
  numbers,
  store,
  scribe,
  log,
  ingester: (onIngested) => new JournalIngester({ journal, source, keys, store, scribe, before, onIngested }),
  end: (records) => endJournal({ source, store, keys }, journal, records),
  async onClosed() {
    await store.close();
    keys.destroy();
  },
});
port.close();
