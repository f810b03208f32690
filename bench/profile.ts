/**
 * What the egress spends its processor time on: V8's profile of its main thread, and what each of its threads used.
 *
 *     npm run bench -- profile [--case 1kb-32] [--seconds 5] [--out FILE.cpuprofile]
 *
 * The file opens as a flame graph in Chrome's developer tools (Performance, load) and in speedscope.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { serveFlags } from '../bin/flags.mjs';
import { casesFor } from './support/cases.ts';
import { breakdownOf, type Costs, type CpuProfile } from './support/cpu-profile.ts';
import { runH2load } from './support/h2load.ts';
import { generate } from './support/load.ts';
import { type Measured, print } from './support/measured.ts';
import { Helper, threadTimes } from './support/processes.ts';
import { openBench, requestOf } from './support/targets.ts';

const WARM_UP_MS = 3_000;
const KINDS_SHOWN = 14;
const FILES_SHOWN = 18;
const FUNCTIONS_SHOWN = 24;

const { values: flags } = parseArgs({
  options: {
    case: { type: 'string', default: '1kb-32' },
    seconds: { type: 'string', default: '5' },
    out: { type: 'string' },
  },
});
const [job] = casesFor([flags.case], false);
if (job === undefined) {
  const known = casesFor(null, false).map(({ id }) => id);
  process.stderr.write(`There is no case ${flags.case}. There are: ${known.join(' ')}\n`);
  process.exit(2);
}
const { connections, fresh, path, streams, title } = job;

const bench = await openBench({ rivals: [], egressArguments: serveFlags });
const helper = new Helper('load.mjs');
const target = bench.targets.at(-1);

async function load(ms: number): Promise<Measured> {
  const doors = (job?.http2 ? [target?.http2] : fresh ? target?.http1 : target?.http1.slice(0, 1)) ?? [];
  const [door] = doors;
  if (!door) throw new Error('the egress does not speak HTTP/2');
  if (job?.http2 === true) {
    const fields = { accept: 'application/json', authorization: `Bearer ${door.token}` };
    return runH2load({ place: door.place, servername: door.host, path, fields, connections, streams, ms });
  }
  const places = doors.flatMap((each) =>
    each ? [{ ...each.place, ca: each.ca, request: requestOf(path, each.host, each.token, fresh) }] : [],
  );
  return generate(helper, { places, servername: door.host, connections, fresh, ms, pauseMs: 0 });
}

function show(title: string, costs: Costs, shown: number, busyUs: number, requests: number): void {
  print(`\n${title.padEnd(64)}${'%'.padStart(7)}${'µs/request'.padStart(12)}`);
  for (const [name, us] of costs.slice(0, shown))
    print(
      `  ${name.slice(0, 60).padEnd(62)}${((us / busyUs) * 100).toFixed(1).padStart(7)}${(us / requests).toFixed(2).padStart(12)}`,
    );
}

try {
  await load(WARM_UP_MS);
  const before = threadTimes(bench.egress.pid);
  await bench.egress.ask({ question: 'profile' });
  const { requests, seconds } = await load(Number(flags.seconds) * 1_000);
  const { profile } = await bench.egress.ask<{ profile: CpuProfile }>({ question: 'profiled' });
  const after = threadTimes(bench.egress.pid);
  if (flags.out !== undefined) writeFileSync(flags.out, JSON.stringify(profile));

  const { busyUs, byKind, byFile, byFunction } = breakdownOf(profile);
  print(`${title}: ${requests} requests, ${(requests / seconds).toFixed(0)}/s with the profiler on.`);
  print(
    `The main thread was busy for ${(busyUs / requests).toFixed(1)} µs per request, ${((busyUs / 1e6 / seconds) * 100).toFixed(0)} % of the time.`,
  );
  print(`\n${'threads, processor time'.padEnd(64)}${'user'.padStart(7)}${'kernel'.padStart(12)}  µs/request`);
  for (const [name, { user, kernel }] of after) {
    const was = before.get(name) ?? { user: 0, kernel: 0 };
    const [mine, its] = [(user - was.user) / requests, (kernel - was.kernel) / requests];
    if (mine + its > 0)
      print(`  ${name.padEnd(62)}${mine.toFixed(1).padStart(7)}${its.toFixed(1).padStart(12)}`);
  }
  show('main thread, by kind of work', byKind, KINDS_SHOWN, busyUs, requests);
  show('main thread, by the file of ours that asked for it', byFile, FILES_SHOWN, busyUs, requests);
  show('main thread, by function', byFunction, FUNCTIONS_SHOWN, busyUs, requests);
} finally {
  await helper.close();
  await bench.close();
}
