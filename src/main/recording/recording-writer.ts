/** The program of the thread that writes recordings. It ends when its other end says so. */
import { parentPort, workerData } from 'node:worker_threads';
import { Secret } from '../../kernel/index.ts';
import { RecordingWriter } from '../../recording/index.ts';
import { openRecordingAppender } from '../../store/index.ts';
import type { FromWriter, RecordingThreadData, ToWriter } from './recording-thread.ts';
import { scrubOf } from './scrub-of.ts';
import { appendTo } from './storage.ts';

const port = parentPort;
if (port === null) throw new Error('this is the program of a thread');
const { database } = workerData as RecordingThreadData; // from `recording-thread.ts`
const store = openRecordingAppender(database);
const writer = new RecordingWriter({ append: appendTo(store), scrubOf });

async function write({ batch, parts }: Extract<ToWriter, { kind: 'write' }>): Promise<FromWriter> {
  const secrets: Secret[] = [];
  try {
    return await writer.write({
      ...batch,
      parts: parts.map(({ key, ...part }) => {
        const secret = Secret.fromBytes(key);
        secrets.push(secret);
        return { ...part, secret };
      }),
    });
  } catch (error) {
    return { broken: String(error) };
  } finally {
    for (const secret of secrets) secret.destroy();
  }
}

function learn({ workspace, values }: Extract<ToWriter, { kind: 'learn' }>): void {
  const secrets = values.map((value) => Secret.fromBytes(value));
  try {
    writer.learn(workspace, secrets);
  } finally {
    for (const secret of secrets) secret.destroy();
  }
}

port.on('message', (message: ToWriter) => {
  if (message.kind === 'learn') learn(message);
  else if (message.kind === 'write') void write(message).then((outcome) => port.postMessage(outcome));
  else
    void store.close().then(() => {
      port.close();
    });
});
