/**
 * A process that divides a control group, as a gateway does; a program of its own, so that tests can put it into a group
 * first, run it as another user, and kill it. Begins when a line comes in, tells what it sees as lines of JSON, and ends with
 * its input.
 *
 * Arguments: what to do, the group that is its own to divide, a home.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { silentLog, systemClock, systemRandom, type CellId } from '../../../src/kernel/index.ts';
import { takeOver } from '../../../src/sandbox/cgroup/groups.ts';
import { createSandbox } from '../../../src/sandbox/index.ts';
import { identify } from '../../../src/sandbox/process-identity.ts';
import { cellSpec } from '../cell-spec.ts';

const [what = '', root = '', home = ''] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (facts: object): void => void process.stdout.write(`${JSON.stringify(facts)}\n`);
const groupOf = (pid: number | string): string =>
  /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'latin1'))?.[1] ?? '';
const limits = { memoryBytes: 1 << 30, processes: 64, cpus: 0.5 };
const folders = (): readonly string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length))
    .sort();

await lines.next();
const self = identify(process.pid);
if (self === null) throw new Error('/proc does not show this process');
const groups = takeOver(root, new Set(), self);

if (what === 'groups') {
  const group = groups.open('cell_a' as CellId, limits);
  const folder = join(root, `sallyport-${self.pid}-${self.startTime}`, 'cell_a');
  const child = spawn('/bin/sh', ['-c', 'read go; sleep 600 & sleep 600 & echo ready; while :; do :; done'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  group.admit(child.pid ?? 0);
  child.stdin.write('go\n');
  await once(child.stdout, 'data');
  const inside = readFileSync(join(folder, 'cgroup.procs'), 'latin1').trim().split('\n');
  const early = group.usage();
  // It never rests; how soon that shows, the machine decides.
  let busy = early;
  for (let look = 0; look < 1_000 && (busy?.cpuUs ?? 0) <= (early?.cpuUs ?? 0) + 50_000; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    busy = group.usage();
  }
  const ended = once(child, 'exit');
  // A group goes only when nothing is in it.
  const whileBusy = existsSync(folder);
  group.kill();
  const removed = await group.remove();
  const [, signal] = (await ended) as [unknown, string];
  tell({
    self: groupOf('self'),
    folders: folders(),
    inside: inside.length,
    early,
    busy,
    whileBusy,
    signal,
    removed,
    again: await group.remove(),
    gone: group.usage(),
    left: inside.filter((pid) => existsSync(`/proc/${pid}/cgroup`) && groupOf(pid).endsWith('cell_a')),
  });
} else if (what === 'cell') {
  const sandbox = await createSandbox({
    stateDir: join(home, 'run'),
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
    groups: {
      facts: () => ({ kind: 'delegated', root, controllers: groups.controllers }),
      open: () => Promise.resolve(groups),
    },
  });
  const nothing = (): void => undefined;
  const spec = cellSpec({
    command: ['/bin/sh', '-c', 'cat /proc/self/cgroup; sleep 600 & echo READY; wait'],
  });
  const cell = await sandbox.launch(spec, { onTcp: nothing, onDnsUdp: nothing, onDnsTcp: nothing });
  let stdout = '';
  for await (const text of cell.stdout.setEncoding('utf8')) {
    stdout += String(text);
    if (stdout.includes('READY')) break;
  }
  const folder = join(root, `sallyport-${self.pid}-${self.startTime}`, spec.id);
  const inside = readFileSync(join(folder, 'cgroup.procs'), 'latin1').trim().split('\n');
  const names = inside.map((pid) => readFileSync(`/proc/${pid}/comm`, 'latin1').trim());
  tell({ id: spec.id, folders: folders(), names: names.sort(), stdout, pids: inside.map(Number) });
  await lines.next();
  await cell.kill();
  tell({ exit: await cell.exited, folders: folders() });
} else {
  tell({ swept: await groups.sweep(), folders: folders() });
}
for await (const line of lines) if (line === 'end') break;
process.exit(0);
