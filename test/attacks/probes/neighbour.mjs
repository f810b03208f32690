// What an ordinary server does, once for each line that it is sent: a process, a file, memory, descriptors, a connection.
// Says READY first; then one line of JSON for each round, with `ok` or the error's name.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';

const works = {
  async process() {
    const child = spawn('/usr/bin/true', { stdio: 'ignore' });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`ended with ${code}`);
  },
  async thread() {
    const worker = new Worker('', { eval: true });
    await once(worker, 'exit');
  },
  async file() {
    for (const folder of ['/tmp', '/home/cell', '/dev/shm']) {
      writeFileSync(`${folder}/round`, Buffer.alloc(1 << 20, 1));
      if (readFileSync(`${folder}/round`).length !== 1 << 20) throw new Error('cut');
      rmSync(`${folder}/round`);
    }
  },
  async memory() {
    Buffer.alloc(32 << 20, 1);
  },
  async descriptors() {
    const open = Array.from({ length: 100 }, () => openSync('/dev/null', 'r'));
    for (const descriptor of open) closeSync(descriptor);
  },
  async watch() {
    watch('/tmp').close();
  },
  async connection() {
    const socket = connect(443, '203.0.113.9');
    const [bytes] = await once(socket, 'data');
    if (String(bytes) !== 'sallyport') throw new Error('somebody else answered');
    socket.destroy();
  },
};

createInterface({ input: process.stdin }).on('line', async () => {
  const round = {};
  for (const [name, work] of Object.entries(works)) {
    round[name] = await work().then(
      () => 'ok',
      (error) => error.code ?? String(error),
    );
  }
  process.stdout.write(`${JSON.stringify(round)}\n`);
});
process.stdout.write('READY\n');
