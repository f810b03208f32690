// Looks for a secret everywhere a program can look: environments and command lines of every process, memory of every
// process but its own, open descriptors, and files. Prints where it found it, as JSON: `{ "place": "ok" }`.
//
// Arguments: `all`, or `no-memory` to leave memory out; the secret, written backwards (so that the search does not find its
// own arguments); the folder to search for files, or none.
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';

const [extent = '', backwards = '', ...folders] = process.argv.slice(2);
const secret = Buffer.from(backwards.split('').toReversed().join(''));
const found = {};
const looked = { processes: 0, regions: 0, files: 0 };
const note = (place, bytes) => {
  if (bytes.includes(secret)) found[place] = 'ok';
};
const quietly = (attempt) => {
  try {
    return attempt();
  } catch {
    return undefined;
  }
};

function searchMemory(pid) {
  const maps = quietly(() => readFileSync(`/proc/${pid}/maps`, 'latin1')) ?? '';
  const memory = quietly(() => openSync(`/proc/${pid}/mem`, 'r'));
  if (memory === undefined) return;
  for (const line of maps.split('\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line) ?? [];
    if (from === undefined) continue;
    const size = Number(BigInt(`0x${to}`) - BigInt(`0x${from}`));
    if (size > 64 * 1024 * 1024) continue;
    const bytes = Buffer.alloc(size);
    if (quietly(() => readSync(memory, bytes, 0, size, BigInt(`0x${from}`)))) {
      looked.regions += 1;
      note(`memory of ${pid === 1 ? 'pid 1' : 'another process'}`, bytes);
    }
  }
  closeSync(memory);
}

for (const pid of readdirSync('/proc')
  .filter((name) => /^\d+$/.test(name))
  .map(Number)) {
  const own = pid === process.pid;
  looked.processes += 1;
  for (const file of ['environ', 'cmdline']) {
    const bytes = quietly(() => readFileSync(`/proc/${pid}/${file}`));
    if (bytes) note(`${file} of ${own ? 'itself' : pid === 1 ? 'pid 1' : 'another process'}`, bytes);
  }
  for (const descriptor of quietly(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const path = `/proc/${pid}/fd/${descriptor}`;
    // Only regular files: reading a pipe or a socket would wait.
    const bytes = quietly(() => (statSync(path).isFile() ? readFileSync(path) : null));
    if (bytes) note(`descriptor of ${own ? 'itself' : 'another process'}`, bytes);
  }
  if (!own && extent === 'all') searchMemory(pid);
}

const pending = folders;
for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
  for (const name of quietly(() => readdirSync(folder)) ?? []) {
    const path = `${folder === '/' ? '' : folder}/${name}`;
    if (['/proc', '/sys', '/usr', '/dev'].includes(path)) continue;
    const stat = quietly(() => lstatSync(path));
    if (stat?.isDirectory()) pending.push(path);
    else if (stat?.isFile() && stat.size < 4 * 1024 * 1024) {
      looked.files += 1;
      const bytes = quietly(() => readFileSync(path));
      if (bytes) note('file', bytes);
    }
  }
}
process.stdout.write(`${JSON.stringify(looked)}\n`);
process.stdout.write(`${JSON.stringify(found)}\n`);
