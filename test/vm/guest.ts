/**
 * Runs in the small machine, in a control group that was given to it: starts cells as a gateway does, and prints how each
 * ended. Arguments: who it is, a home.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { newId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type CellSpec, createSandbox, hostGroups } from '../../src/sandbox/index.ts';

const [who = '', home = ''] = process.argv.slice(2);
const tell = (what: string, value: unknown): void =>
  void process.stdout.write(`RESULT ${JSON.stringify({ who, what, value })}\n`);
const groups = hostGroups(silentLog);
const facts = groups.facts();
tell('controllers', facts.kind === 'delegated' ? [...facts.controllers].sort() : facts);
const sandbox = await createSandbox({
  stateDir: join(home, 'run'),
  log: silentLog,
  clock: systemClock,
  random: systemRandom,
  groups,
});

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}

async function run(what: string, command: readonly string[], limits: CellSpec['limits']): Promise<void> {
  const nothing = (): void => undefined;
  const cell = await sandbox.launch(
    {
      id: newId<'cell'>('cell', systemRandom),
      label: 'vm',
      command,
      args: [],
      env: {},
      tcpPorts: [],
      caPem: '',
      files: [],
      limits,
    },
    { onTcp: nothing, onDnsUdp: nothing, onDnsTcp: nothing },
  );
  const [stdout, , exit] = await Promise.all([text(cell.stdout), text(cell.stderr), cell.exited]);
  tell(what, { reason: exit.reason, limit: exit.limit?.kind ?? null, stdout });
}

const node = (script: string): readonly string[] => ['node', '-e', script];
const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];
const grow = 'const all = []; for (;;) all.push(Buffer.alloc(1 << 22, 1))';
const fill = sh('head -c 150000000 /dev/zero >/tmp/f && echo written');
const busy =
  'const from = Date.now(), used = process.cpuUsage(); while (Date.now() - from < 5000); const { user, system } = process.cpuUsage(used); console.log((user + system) / 1000 / (Date.now() - from))';

await run('memory', node(grow), { memoryMiB: 200 });
await run('memory of a child', sh(`node -e '${grow}' & sleep 600`), { memoryMiB: 200 });
await run('memory in files', fill, { memoryMiB: 100, diskMiB: 300 });
await run('memory in files, control', fill, { memoryMiB: 400, diskMiB: 300 });
await run('a Node that reserves more than it takes', node('console.log("fits")'), { memoryMiB: 200 });
await run('processes', sh('(for n in $(seq 64); do sleep 5 & done) 2>/dev/null; exit 9'), { processes: 24 });
await run('processes, control', sh('for n in $(seq 20); do sleep 1 & done; wait; echo all'), {
  processes: 24,
});
await run('processors', node(busy), { cpus: 0.2 });
await run('processors, control', node(busy), {});
tell(
  'weight',
  facts.kind === 'delegated'
    ? readdirSync(facts.root, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('/gateway/cpu.weight'))
        .map((path) => readFileSync(join(facts.root, path), 'latin1').trim())
    : null,
);
tell(
  'left',
  facts.kind === 'delegated'
    ? readdirSync(facts.root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name.replace(/\d+-\d+$/, 'ID'))
    : null,
);
process.exit(0);
