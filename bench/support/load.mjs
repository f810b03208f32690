/**
 * A load generator for one keep-alive request over TLS: as many connections as asked for, each sending the next
 * request when the answer to the last one is whole. Plain JavaScript on raw sockets, so that it costs little itself.
 * Runs each job that its parent sends, and tells what it saw.
 */
import { connect } from 'node:tls';

const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;
const CHUNKED = /\r\ntransfer-encoding: chunked\r\n/i;

/** Bytes of the whole answer at the start of `text`; 0 while it is not all there. */
function answerBytes(text) {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return 0;
  const fields = text.slice(0, head + 2);
  if (!fields.startsWith('HTTP/1.1 200 ')) throw new Error(`answered ${text.slice(0, 400)}`);
  const length = LENGTH.exec(fields);
  if (length !== null) {
    const end = head + 4 + Number(length[1]);
    return text.length >= end ? end : 0;
  }
  if (!CHUNKED.test(fields)) throw new Error('an answer without an end');
  const end = text.indexOf('\r\n0\r\n\r\n', head + 2);
  return end < 0 ? 0 : end + 7;
}

async function run({ host, port, servername, ca, request, connections, ms }) {
  const latencies = [];
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ host, port, servername, ca });
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
      socket.setNoDelay(true);
      return socket;
    }),
  );
  const bytes = Buffer.from(request, 'latin1');
  const end = performance.now() + ms;
  const began = performance.now();
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise((resolve, reject) => {
          let text = '';
          let sent = performance.now();
          socket.once('error', reject);
          socket.once('close', () => reject(new Error('closed')));
          socket.on('data', (piece) => {
            text += piece.latin1Slice();
            const taken = answerBytes(text);
            if (taken === 0) return;
            text = text.slice(taken);
            const now = performance.now();
            latencies.push(now - sent);
            if (now >= end) {
              resolve();
              return;
            }
            sent = now;
            socket.write(bytes);
          });
          socket.write(bytes);
        }),
    ),
  );
  const seconds = (performance.now() - began) / 1_000;
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
  latencies.sort((a, b) => a - b);
  const quantile = (q) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))];
  return { perSecond: latencies.length / seconds, p50: quantile(0.5), p99: quantile(0.99) };
}

process.on('message', (job) => {
  run(job).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error) }),
  );
});
process.once('disconnect', () => process.exit(0));
