/** The program of the thread that writes the audit log. It ends when its scribe was closed. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Channel, channelLog, createScribe, serveScribe } from '../audit/index.ts';
import { Secret, systemClock } from '../kernel/index.ts';
import { openAuditWriter } from '../store/index.ts';
import type { AuditWriterData } from './audit-thread.ts';

const port = parentPort;
if (port === null) throw new Error('this is the program of a thread');
const { database, key, durability } = workerData as AuditWriterData; // from `audit-thread.ts`

const channel: Channel = {
  post: (message) => port.postMessage(message),
  onMessage: (listener) => port.on('message', listener),
  // When the gateway ends, so does this thread.
  onEnd: () => undefined,
};
const store = openAuditWriter({ path: database, tidies: true });
const secret = Secret.fromBytes(key);
const scribe = createScribe({
  store,
  key: secret,
  clock: systemClock,
  log: channelLog(channel),
  durability,
  onClosed: () => store.close(),
});
secret.destroy();
await serveScribe(channel, scribe);
port.close();
