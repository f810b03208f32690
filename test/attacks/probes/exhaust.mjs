// The twin of `exhaust.py`, from Node: the same arguments and output.
import { spawn } from 'node:child_process';
import { ftruncateSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';

const MIB = 1 << 20;
const kept = [];
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function untilRefused(take, most = 1_000_000) {
  let got = 0;
  for (; got < most; got += 1) {
    try {
      kept.push(await take());
    } catch (error) {
      return [got, error.code ?? String(error)];
    }
  }
  return [got, 'nothing'];
}

const begun = (child) =>
  new Promise((done, fail) => child.once('spawn', () => done(child)).once('error', fail));
const sleeping = () => begun(spawn('/usr/bin/sleep', ['600'], { stdio: 'ignore' }));

async function forkBomb() {
  // Every process of it starts two more, for ever; one that cannot waits and tries again.
  const bomb = 'b() { while :; do b & b & sleep 0.05; done; }; b 2>/dev/null';
  kept.push(await begun(spawn('/bin/sh', ['-c', bomb], { stdio: 'ignore' })));
  let most = 0;
  for (let look = 0; look < 10 || (look < 200 && most < 10); look += 1) {
    most = Math.max(most, readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length);
    await sleep(50);
  }
  const [, refusal] = await untilRefused(sleeping);
  return [most, refusal];
}

/** In MiB; more than the cell may have, and less than what would end a process by itself. */
async function memory() {
  const [got, refusal] = await untilRefused(() => Buffer.alloc(4 * MIB, 1), 64);
  return [got * 4, refusal];
}

async function inSeveral(what, count) {
  let [total, last] = [0, ''];
  for (let index = 0; index < count; index += 1) {
    const child = spawn(process.execPath, [process.argv[1], what], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.on('error', () => undefined);
    kept.push(child);
    let text = '';
    for await (const bytes of child.stdout) {
      text += bytes;
      if (text.includes('HELD')) break;
    }
    const { got, error } = JSON.parse(text.split('\n')[0])[what];
    total += got;
    last = error;
  }
  return [total, last];
}

const descriptors = () => untilRefused(() => openSync('/dev/null', 'r'));

const disk = (folder) => () => {
  let file = 0;
  const block = Buffer.alloc(MIB, 1);
  return untilRefused(() => writeFileSync(`${folder}/fill-${(file += 1)}`, block));
};

function oneFile() {
  const file = openSync('/tmp/sparse', 'w');
  let size = 0;
  return untilRefused(() => ftruncateSync(file, (size += 1) * MIB));
}

const takes = {
  processes: () => untilRefused(sleeping),
  'fork bomb': forkBomb,
  memory: () => inSeveral('memory of one', 2),
  'memory of one': memory,
  descriptors,
  'descriptors of several': () => inSeveral('descriptors', 2),
  disk: disk('/tmp'),
  home: disk('/home/cell'),
  'shared memory': disk('/dev/shm'),
  'one file': oneFile,
};
const wanted = process.argv.slice(2);
const taken = {};
for (const name of wanted) {
  const [got, error] = await takes[name]();
  taken[name] = { got, error };
}
writeSync(1, `${JSON.stringify(taken)}\nHELD\n`);
// What holds memory stays until it is ended.
const ends = wanted.at(-1).startsWith('memory')
  ? () => setTimeout(() => undefined, 600_000)
  : () => process.exit(0);
process.stdin.once('data', ends).once('end', ends);
