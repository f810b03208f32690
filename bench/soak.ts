/**
 * Many cells, many connections, slow and dead peers on both sides, for minutes; and then whether anything is left of
 * it: memory, descriptors, requests that never ended. A cell that behaves is measured before and meanwhile.
 *
 *     npm run bench -- soak [--minutes 10] [--cells 1000] [--connections 10000] [--seed N] [--settle SECONDS]
 *
 * The minutes begin when all connections are there. `--settle` is when, after the last client has gone, nothing may be left of it at the upstream.
 * Ends with 1 when something leaked, got stuck, or ended in another way than it should.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { serveFlags } from '../bin/flags.mjs';
import type { EgressListener, EgressSetup, Settled, Usage } from './support/egress-process.ts';
import { identitiesFor } from './support/identity.ts';
import { generate, type LoadJob } from './support/load.ts';
import { print } from './support/measured.ts';
import { Helper } from './support/processes.ts';
import { behaviours } from './support/soak-behaviours.ts';
import type { ClientsQuestion, ClientsState, SoakJob } from './support/soak-clients.ts';
import type { UpstreamSetup, UpstreamState } from './support/soak-upstream.ts';
import { requestOf } from './support/targets.ts';

const HOST = 'api.bench.test';
const KEY = 'ghp_9fR2kLmQ8sT4vW6xY0zA1bC3dE5gH7jK2mN4';
const PER_SECOND = 120;
/** Of the first storm, after which the state is what a leak is measured from, once all connections are there. */
const FIRST_SHARE = 0.25;
const FIRST_MS_MIN = 30_000;
/** A cell makes what it searches bodies with when the first one comes: that is no leak, but as large as one. */
const FIRST = 'sends a body byte by byte';
const QUIET_MEASURE_MS = 10_000;
const VICTIM_PAUSE_MS = 10;
const REPORT_MS = 15_000;
const SETTLE_STEP_MS = 5_000;
const GROWTH_BYTES_MAX = 16e6;
const GROWTH_SHARE_MAX = 0.1;
const DESCRIPTORS_MORE_MAX = 8;
/** Descriptors of a process per connection, upstream ones included; and some for everything else. */
const DESCRIPTORS_PER_CONNECTION = 1.7;
const DESCRIPTORS_BESIDE = 300;

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    cells: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    settle: { type: 'string', default: '120' },
  },
});
const [stormMs, cellCount, connections] = [
  Number(flags.minutes) * 60_000,
  Number(flags.cells),
  Number(flags.connections),
];
/** Until all connections are there. */
const rampMs = (connections / PER_SECOND) * 1_000;
const descriptorsMax = Number(
  /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1],
);
const descriptorsNeeded = Math.ceil(
  connections * DESCRIPTORS_PER_CONNECTION + cellCount + DESCRIPTORS_BESIDE,
);
if (descriptorsNeeded > descriptorsMax) {
  process.stderr.write(
    `${connections} connections over ${cellCount} cells need ${descriptorsNeeded} descriptors; a process may have ${descriptorsMax} (ulimit -Hn).\n`,
  );
  process.exit(2);
}

const { ca, identities } = identitiesFor([HOST]);
const upstream = new Helper('soak-upstream.ts');
const egress = new Helper('egress-process.ts', serveFlags);
const clients = new Helper('soak-clients.ts');
const victimLoad = new Helper('load.mjs');
const helpers = [victimLoad, clients, egress, upstream];

const tell = <Answer>(question: ClientsQuestion): Promise<Answer> => clients.ask<Answer>(question);
const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
const usageLine = ({ rss, heapUsed, external, descriptors, lateMs }: Usage): string =>
  `resident ${mb(rss)} MB, heap ${mb(heapUsed)}, external ${mb(external)}, ${descriptors} descriptors, event loop late by ${lateMs.toFixed(0)} ms at most`;

/** A storm of that length; what came of it, when the last client has gone. */
async function storm(job: SoakJob, ms: number): Promise<ClientsState> {
  await tell({ start: job });
  const until = performance.now() + ms;
  for (;;) {
    const left = until - performance.now();
    if (left <= 0) break;
    await sleep(Math.min(left, REPORT_MS));
    const { open, answers } = await tell<ClientsState>({ question: 'state' });
    const there = await upstream.ask<UpstreamState>({});
    const usage = await egress.ask<Usage>({ question: 'usage' });
    print(
      `  ${Math.round((ms - (until - performance.now())) / 1_000)} s: ${open} connections, ${answers} answers on kept ones, ${there.connections} upstream connections, ${there.requests} requests there; ${usageLine(usage)}`,
    );
  }
  const told = performance.now();
  const state = await tell<ClientsState>({ question: 'stop' });

  print(`  the last client went after ${((performance.now() - told) / 1_000).toFixed(1)} s`);
  return state;
}

/** Waits until nothing is open any more at the upstream, then collects. */
async function settle(): Promise<{ readonly usage: Usage; readonly upstream: UpstreamState }> {
  const until = performance.now() + Number(flags.settle) * 1_000;
  for (;;) {
    await sleep(SETTLE_STEP_MS);
    const state = await upstream.ask<UpstreamState>({});
    if (state.connections === 0 || performance.now() > until)
      return { usage: await egress.ask<Usage>({ question: 'collected' }), upstream: state };
  }
}

const checks: { readonly name: string; readonly fault: string | null }[] = [];
const check = (name: string, isGood: boolean, fault: string): void => {
  checks.push({ name, fault: isGood ? null : fault });
};

try {
  const [identity] = identities;
  const { port } = await upstream.ask<{ port: number }>({ identity, key: KEY } satisfies UpstreamSetup);
  const setup: EgressSetup = {
    cells: Array.from({ length: cellCount + 1 }, () => HOST),
    upstreams: { [`${HOST}:443`]: `127.0.0.1:${port}` },
    ca,
    key: KEY,
  };
  const listeners = await egress.ask<EgressListener[]>(setup);
  const [victim, ...others] = listeners;
  if (victim === undefined) throw new Error('no cell');
  print(`${others.length} cells and one that behaves; ${connections} connections, seed ${flags.seed}`);
  print(`  ${usageLine(await egress.ask<Usage>({ question: 'collected' }))}`);

  const job: SoakJob = {
    cells: others.map(({ address, placeholder, port: at }) => ({
      host: address,
      port: at,
      token: placeholder,
    })),
    host: HOST,
    connections,
    perSecond: PER_SECOND,
    seed: Number(flags.seed) * 1_000_003,
  };
  const victimJob: LoadJob = {
    places: [
      {
        host: victim.address,
        port: victim.port,
        ca: victim.ca,
        request: requestOf('/v1/quick', HOST, victim.placeholder, false),
      },
    ],
    servername: HOST,
    connections: 1,
    fresh: false,
    ms: QUIET_MEASURE_MS,
    pauseMs: VICTIM_PAUSE_MS,
  };

  print('first storm, to fill what may be kept');
  await storm({ ...job, first: FIRST }, rampMs + Math.max(FIRST_MS_MIN, stormMs * FIRST_SHARE));
  const before = await settle();
  print(`  afterwards: ${usageLine(before.usage)}`);
  const calm = await generate(victimLoad, victimJob);

  print('second storm');
  const measuring = generate(victimLoad, { ...victimJob, ms: rampMs + stormMs });
  measuring.catch(() => undefined); // awaited below
  const seen = await storm({ ...job, seed: job.seed + connections }, rampMs + stormMs);
  const meanwhile = await measuring;
  const after = await settle();
  print(`  afterwards: ${usageLine(after.usage)}`);
  const settled = await egress.ask<Settled>({ question: 'settled' });

  print(
    `\n${seen.openMax} connections at a time at most, ${seen.answers} answers on kept ones; what became of each:`,
  );
  for (const { expected, name } of behaviours) {
    const counts = Object.entries(seen.outcomes[name] ?? {});
    const ways = counts.map(([outcome, times]) => `${outcome} ${times}`).join(', ');
    const longest = ((seen.longest[name] ?? 0) / 1_000).toFixed(0);
    print(`  ${name.padEnd(42)}${ways.padEnd(36)}${longest} s at most`);
    const odd = counts.filter(([outcome]) => !expected.some((each) => each === outcome));
    check(
      `a client that ${name}`,
      odd.length === 0,
      odd.map(([outcome, times]) => `${outcome} ${times}`).join(', '),
    );
  }
  const counted = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, times]) => `${name} ${times}`)
      .join(', ');
  print(`audit: ${counted(settled.byType)}`);
  print(`requests ended: ${counted(settled.endings)}`);
  print(`refused: ${counted(settled.refusals)}`);
  print(
    `the cell that behaves: p99 ${calm.p99.toFixed(2)} ms before, ${meanwhile.p99.toFixed(2)} ms meanwhile (× ${(meanwhile.p99 / calm.p99).toFixed(1)}); p50 ${calm.p50.toFixed(2)} and ${meanwhile.p50.toFixed(2)} ms; ${meanwhile.requests} requests`,
  );

  check(
    'the cell that behaves got every answer',
    meanwhile.failures === 0,
    `${meanwhile.failures} requests failed`,
  );
  check(
    'every request on record has its outcome',
    settled.open.length === 0 && settled.intents === settled.outcomes,
    `${settled.intents} intents, ${settled.outcomes} outcomes, open: ${settled.open.join(' ')}`,
  );
  check(
    'every request to the upstream had the key and has ended',
    after.upstream.requests === 0 && after.upstream.unauthorized === 0 && after.upstream.connections === 0,
    JSON.stringify(after.upstream),
  );
  const bytes = ({ usage }: { readonly usage: Usage }): number => usage.heapUsed + usage.external;
  const growth = bytes(after) - bytes(before);
  check(
    'memory is back to where it was',
    growth <= Math.max(GROWTH_BYTES_MAX, bytes(before) * GROWTH_SHARE_MAX),
    `${mb(growth)} MB more than after the first storm`,
  );
  const more = after.usage.descriptors - before.usage.descriptors;
  check('descriptors are back to where they were', more <= DESCRIPTORS_MORE_MAX, `${more} more`);
  const resources = Object.entries(after.usage.resources).filter(
    ([kind, times]) => times > (before.usage.resources[kind] ?? 0) + DESCRIPTORS_MORE_MAX,
  );
  check('so are handles', resources.length === 0, JSON.stringify(resources));

  print();
  for (const { fault, name } of checks)
    print(`${fault === null ? 'ok    ' : 'FAULT '} ${name}${fault === null ? '' : `: ${fault}`}`);
  const faults = checks.filter(({ fault }) => fault !== null).length;
  print(faults === 0 ? 'nothing leaked, nothing got stuck' : `${faults} of ${checks.length} checks failed`);
  if (faults > 0) process.exitCode = 1;
} finally {
  for (const helper of helpers) await helper.close();
}
