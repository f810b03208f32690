// Knocks at TCP ports of an address, 500 at a time. Arguments: the address, the first port, the last. Prints which are open.
import { connect } from 'node:net';

const [host, first, last] = process.argv.slice(2);
const tcp = [];
const knock = (port) =>
  new Promise((done) => {
    const socket = connect(port, host, () => {
      // A socket may meet itself, where the kernel gave it the port that it is about to knock at.
      if (socket.localPort !== port) tcp.push(port);
      socket.destroy();
    });
    socket.on('error', () => undefined).on('close', done);
  });
for (let from = Number(first); from <= Number(last); from += 500) {
  const count = Math.min(500, Number(last) - from + 1);
  await Promise.all(Array.from({ length: count }, (_, index) => knock(from + index)));
}
process.stdout.write(`${JSON.stringify({ tcp: tcp.toSorted((a, b) => a - b) })}\n`);
