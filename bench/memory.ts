/**
 * Whether the egress stays as large as it is: minutes of load at 32 connections (24 kept ones with 1 KB answers, 8 that
 * are new for each 1 MB answer), its memory looked at every five seconds, and after a forced collection at both ends.
 *
 *     npm run bench -- memory [--minutes 10]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { serveFlags } from '../bin/flags.mjs';
import type { Usage } from './support/egress-process.ts';
import { generate, type LoadJob } from './support/load.ts';
import { median, print, slope, tableLine } from './support/measured.ts';
import { Helper } from './support/processes.ts';
import { type Door, LARGE_PATH, openBench, requestOf, SMALL_PATH } from './support/targets.ts';

const KEPT = 24;
const FRESH = 8;
const SAMPLE_MS = 5_000;
/** Code is compiled, pools and caches are filled. */
const WARM_UP_MS = 15_000;
/** How long idle connections to the upstream are kept, and some more. */
const QUIET_MS = 20_000;
/** What a heap after a collection may have grown by: caches that are bounded, code that was compiled late. */
const GROWTH_MB_MAX = 8;
/** What resident memory may rise by in the second half, as a share of itself: collections make it go up and down. */
const RISE_SHARE_MAX = 0.05;
const MB = 1e6;

const signed = (number: number): string => `${number < 0 ? '' : '+'}${number.toFixed(1)}`;

const { values: flags } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const loadMs = Number(flags.minutes) * 60_000;

const usageOf = async (egress: Helper, collect: boolean): Promise<Usage> =>
  egress.ask<Usage>({ question: collect ? 'collected' : 'usage' });

const jobFor = (doors: readonly Door[], path: string, connections: number, fresh: boolean): LoadJob => ({
  places: doors.map(({ place, ca, host, token }) => {
    return { ...place, ca, request: requestOf(path, host, token, fresh) };
  }),
  servername: doors[0]?.host ?? '',
  connections,
  fresh,
  ms: 0,
  pauseMs: 0,
});

const bench = await openBench({ rivals: [], egressArguments: serveFlags });
const loads = [new Helper('load.mjs'), new Helper('load.mjs')] as const;
try {
  const doors = bench.targets.at(-1)?.http1 ?? [];
  const jobs = [
    { load: loads[0], job: jobFor(doors.slice(0, 1), SMALL_PATH, KEPT, false) },
    { load: loads[1], job: jobFor(doors, LARGE_PATH, FRESH, true) },
  ];
  const run = async (ms: number): Promise<number> => {
    const parts = await Promise.all(jobs.map(({ load, job }) => generate(load, { ...job, ms })));
    return parts.reduce((sum, { requests }) => sum + requests, 0);
  };
  await run(WARM_UP_MS);
  await sleep(QUIET_MS);
  const before = await usageOf(bench.egress, true);

  const samples: { readonly at: number; readonly usage: Usage }[] = [];
  const began = performance.now();
  const running = run(loadMs);
  let isOver = false;
  const over = running.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await Promise.race([over, sleep(SAMPLE_MS)]);
    samples.push({
      at: (performance.now() - began) / 60_000,
      usage: await usageOf(bench.egress, false),
    });
  }
  const requests = await running;
  await sleep(QUIET_MS);
  const after = await usageOf(bench.egress, true);
  show(samples, before, after, requests);
} finally {
  for (const load of loads) await load.close();
  await bench.close();
}

function show(
  samples: readonly { readonly at: number; readonly usage: Usage }[],
  before: Usage,
  after: Usage,
  requests: number,
): void {
  const mb = (bytes: number): string => (bytes / MB).toFixed(1);
  const kinds = ['rss', 'heapUsed', 'external'] as const;
  print(`${requests} requests in ${flags.minutes} min, ${samples.length} samples under load; MB`);
  const second = samples.slice(Math.floor(samples.length / 2));
  const rise = (kind: (typeof kinds)[number]): number =>
    slope(
      second.map(({ at }) => at),
      second.map(({ usage }) => usage[kind] / MB),
    );
  print(
    tableLine(['', 'collected', 'first', 'max', 'last', 'collected', 'MB/min'], 11) +
      '  (over the second half)',
  );
  for (const kind of kinds) {
    const values = samples.map(({ usage }) => usage[kind]);
    const cells = [before[kind], values[0] ?? 0, Math.max(...values), values.at(-1) ?? 0, after[kind]];
    print(tableLine([kind, ...cells.map(mb), rise(kind).toFixed(2)], 11));
  }
  print(tableLine(['descriptors', String(before.descriptors), '', '', '', String(after.descriptors)], 11));
  const grown = (after.heapUsed + after.external - before.heapUsed - before.external) / MB;
  const minutes = (second.at(-1)?.at ?? 0) - (second[0]?.at ?? 0);
  const share = (rise('rss') * minutes * MB) / median(second.map(({ usage }) => usage.rss));
  const isFlat = grown <= GROWTH_MB_MAX && share <= RISE_SHARE_MAX;
  print(
    `heap and external after a collection: ${signed(grown)} MB (at most ${GROWTH_MB_MAX}); resident in the second half: ` +
      `${signed(share * 100)} % (at most ${RISE_SHARE_MAX * 100}): ${isFlat ? 'flat' : 'NOT FLAT'}`,
  );
  if (!isFlat) process.exitCode = 1;
}
