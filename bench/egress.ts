/**
 * Requests through the egress, with injection, scrubbing, and the audit log on disk, against others doing the part of
 * it that they can, and against no proxy at all. They take turns, round by round, so that a busy moment of the machine
 * hits all of them.
 *
 *     npm run bench -- egress [--quick] [--only 1kb-32,h2-1kb-32] [--without mitmproxy,relay] [--rounds N] [--seconds S]
 */
import { parseArgs } from 'node:util';
import { serveFlags } from '../bin/flags.mjs';
import { type Case, casesFor } from './support/cases.ts';
import { hasH2load, runH2load } from './support/h2load.ts';
import { generate, type LoadJob, together } from './support/load.ts';
import { type Measured, median, print, tableLine } from './support/measured.ts';
import { Helper, processorTime } from './support/processes.ts';
import { type Bench, openBench, requestOf, type Target } from './support/targets.ts';

const RIVALS = ['nginx', 'relay', 'mitmproxy'];
const WARM_UP_MS = 1_200;
/** New connections cost a client more than the server: two generators share them. */
const LOADS_FRESH = 2;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    without: { type: 'string', default: '' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 2 : 3));
const roundMs = Number(flags.seconds ?? (flags.quick ? 0.6 : 0.8)) * 1_000;
const cases = casesFor(flags.only?.split(',') ?? null, flags.quick);
if (cases.length === 0 || !(rounds >= 1) || !(roundMs >= 100)) {
  process.stderr.write(
    `Nothing to measure. Cases: ${casesFor(null, false)
      .map(({ id }) => id)
      .join(' ')}\n`,
  );
  process.exit(2);
}

/** A round, with what each process had to do for one request, in microseconds of processor time. */
interface Round extends Measured {
  readonly cpu: { readonly proxy: number; readonly upstream: number; readonly load: number };
}

interface Row {
  readonly name: string;
  readonly missing: string | null;
  readonly requests: number;
  readonly megabytes: number;
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
  readonly cpu: Round['cpu'];
}

async function load1(target: Target, { path, connections, fresh }: Case, ms: number): Promise<Measured> {
  const doors = fresh ? target.http1 : target.http1.slice(0, 1);
  const [first] = doors;
  if (first === undefined) throw new Error('no HTTP/1.1');
  const used = loads.slice(0, fresh && connections >= LOADS_FRESH ? LOADS_FRESH : 1);
  const job: LoadJob = {
    places: doors.map(({ place, ca, host, token }) => {
      return { ...place, ca, request: requestOf(path, host, token, fresh) };
    }),
    servername: first.host,
    connections: connections / used.length,
    fresh,
    ms,
    pauseMs: 0,
  };
  return together(await Promise.all(used.map((helper) => generate(helper, job))));
}

async function load2(target: Target, { path, connections, streams }: Case, ms: number): Promise<Measured> {
  const door = target.http2;
  if (door === null) throw new Error('no HTTP/2');
  const fields = {
    'user-agent': 'bench',
    accept: 'application/json',
    'accept-encoding': 'gzip, br',
    authorization: `Bearer ${door.token}`,
  };
  return runH2load({ place: door.place, servername: door.host, path, fields, connections, streams, ms });
}

async function measure(bench: Bench, target: Target, each: Case, ms = roundMs): Promise<Round> {
  const pid = (each.http2 ? target.http2 : target.http1[0])?.pid ?? null;
  const times = (): Round['cpu'] => ({
    proxy: pid === null ? 0 : processorTime(pid).own,
    upstream: processorTime(bench.upstreamPid).own,
    load: each.http2
      ? processorTime(process.pid).children
      : loads.reduce((sum, { pid }) => sum + processorTime(pid).own, 0),
  });
  const before = times();
  const measured = await (each.http2 ? load2(target, each, ms) : load1(target, each, ms));
  const after = times();
  const per = (kind: keyof Round['cpu']): number => (after[kind] - before[kind]) / measured.requests;
  return { ...measured, cpu: { proxy: per('proxy'), upstream: per('upstream'), load: per('load') } };
}

const lacks = (target: Target, each: Case): string | null =>
  target.missing ?? (each.http2 && target.http2 === null ? 'does not speak HTTP/2' : null);

function rowOf(name: string, missing: string | null, seen: readonly Round[]): Row {
  const of = (pick: (round: Round) => number): number => median(seen.map(pick));
  return {
    name,
    missing,
    requests: of(({ requests, seconds }) => requests / seconds),
    megabytes: of(({ bytes, seconds }) => bytes / seconds / 1e6),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    failures: seen.reduce((sum, { failures }) => sum + failures, 0),
    cpu: {
      proxy: of(({ cpu }) => cpu.proxy),
      upstream: of(({ cpu }) => cpu.upstream),
      load: of(({ cpu }) => cpu.load),
    },
  };
}

async function rowsOf(bench: Bench, each: Case): Promise<readonly Row[]> {
  const able = bench.targets.filter((target) => lacks(target, each) === null);
  const seen = new Map<Target, Round[]>();
  const failed = new Map<Target, string>();
  for (let round = 0; round < rounds * each.weight; round += 1) {
    for (const target of able) {
      if (failed.has(target)) continue;
      try {
        seen.set(target, [...(seen.get(target) ?? []), await measure(bench, target, each)]);
      } catch (error) {
        failed.set(target, String(error).split('\r\n', 1).join().slice(0, 200));
      }
    }
  }
  return bench.targets.map((target) =>
    rowOf(target.name, lacks(target, each) ?? failed.get(target) ?? null, seen.get(target) ?? []),
  );
}

function show(each: Case, rows: readonly Row[]): void {
  const [direct] = rows;
  const nginx = rows.find(({ name }) => name.startsWith('nginx'));
  const isLarge = each.unit === 'MB/s';
  const rate = (row: Row | undefined): number => (isLarge ? row?.megabytes : row?.requests) ?? Number.NaN;
  print(`\n${each.id}: ${each.title}`);
  print(
    tableLine(
      ['', each.unit, 'p50 ms', 'p99 ms', 'added p50', 'of nginx', 'cpu µs/req', '(upstream)', '(load)'],
      11,
    ),
  );
  for (const row of rows) {
    if (row.missing !== null) {
      print(`${row.name.padEnd(24)}${row.missing}`);
      continue;
    }
    const { cpu, failures, name, p50, p99 } = row;
    const cells = [
      rate(row).toFixed(0),
      p50.toFixed(3),
      p99.toFixed(3),
      row === direct ? '' : (p50 - (direct?.p50 ?? Number.NaN)).toFixed(3),
      nginx === undefined || row === direct ? '' : (rate(row) / rate(nginx)).toFixed(2),
      row === direct ? '' : cpu.proxy.toFixed(1),
      cpu.upstream.toFixed(1),
      cpu.load.toFixed(1),
    ];
    print(tableLine([name, ...cells], 11) + (failures > 0 ? `  ${failures} FAILED` : ''));
  }
  const ours = rows.at(-1);
  if (each.budget === null || ours === undefined || ours.missing !== null) return;
  const { ofNginx, addedP50 } = each.budget;
  const verdict = (met: boolean): string => (met ? 'met' : 'not met');
  if (ofNginx !== null && nginx !== undefined) {
    const ratio = rate(ours) / rate(nginx);
    print(
      `budget: at least ${ofNginx.toFixed(2)} of nginx; ${ratio.toFixed(2)}: ${verdict(ratio >= ofNginx)}`,
    );
  }
  if (addedP50 !== null) {
    const added = ours.p50 - (direct?.p50 ?? Number.NaN);
    print(`budget: at most ${addedP50} ms added at p50; ${added.toFixed(3)}: ${verdict(added <= addedP50)}`);
  }
}

const loads = Array.from({ length: LOADS_FRESH }, () => new Helper('load.mjs'));
const without = flags.without.split(',');
const bench = await openBench({
  rivals: RIVALS.filter((rival) => !without.includes(rival)),
  egressArguments: serveFlags,
});
const began = performance.now();
try {
  const needed = hasH2load() ? cases : cases.filter(({ http2 }) => !http2);
  if (needed.length < cases.length)
    print('HTTP/2 is left out, h2load is not installed: apt-get install nghttp2-client');
  const warmUp = needed.filter(({ connections, fresh }) => connections === 32 && !fresh);
  for (const each of warmUp)
    for (const target of bench.targets)
      if (lacks(target, each) === null)
        await measure(bench, target, each, WARM_UP_MS / 2).catch(() => undefined);
  for (const each of needed) show(each, await rowsOf(bench, each));
  const { events } = await bench.egress.ask<{ events: number }>({ question: 'events' });
  print(
    `\nMedians of ${rounds} rounds of ${roundMs / 1_000} s (more where a budget is set), in turns; ${Math.round((performance.now() - began) / 1_000)} s in all.`,
  );
  print(`${events} audit events were recorded on disk by the egress meanwhile.`);
} finally {
  for (const load of loads) await load.close();
  await bench.close();
}
