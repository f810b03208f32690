/**
 * A good server's calls while servers that misbehave do so in the same profile, all in cells of one gateway, against as
 * many of the same calls at the same pace while those rest. Both take turns, so that what the machine does besides hits both.
 * In the same run what they do to the machine, whatever a gateway does: the good server through a gateway that has nothing else,
 * and on a pipe, both beside the same servers on pipes of their own. Flags: `--rounds N`, `--each` (every bad one by itself too), `--only NAME`.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serveFlags } from '../bin/flags.mjs';
import { type Caller, lineCaller, stdioBridge } from './support/callers.ts';
import type { BenchServer, GatewayAddress, GatewayTurns } from './support/gateway-process.ts';
import { quantile, tableLine } from './support/measured.ts';
import { scheduledUs } from './support/processes.ts';
import type { Visit } from './support/zoo-visitor.ts';

/** Of a spell, and of the rest that it is compared with. */
const CALLS = 500;
/** From the beginning of one call to that of the next, where it was answered by then. */
const PACE_MS = 3;
const SPELL_MS = CALLS * PACE_MS;
/** What a bad server left is worked off in this time. */
const REST_MS = 500;

/** Every kind of `zoo.mjs`. */
const KINDS = [
  'hangs-at-call',
  'half-a-line',
  'huge-line',
  'floods-notifications',
  'floods-garbage',
  'floods-stderr',
  'floods-questions',
  'answers-twice',
  'answers-others',
  'dies-at-call',
  'ignores-cancellation',
  'deep-json',
  'duplicate-keys',
  'lone-surrogates',
  'hangs-at-start',
  'hangs-at-list',
  'exits-at-start',
  'endless-list',
  'grows',
];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    each: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
});
const rounds = Number(values.rounds);
const zoo = KINDS.filter((name) => values.only?.includes(name) ?? true);
const script = fileURLToPath(new URL('../test/fixtures/servers/zoo.mjs', import.meta.url));

const line = (cells: readonly string[]): void => {
  process.stdout.write(`${tableLine(cells, 11, 34)}\n`);
};
line([
  'good server, ms',
  'p50',
  'p99',
  'p50 ×',
  'p99 ×',
  'late p99',
  'latest',
  'loop %',
  'waits %',
  'gateway %',
  'machine %',
]);
if (values.each) for (const name of zoo) await inGateway(name, [name]);
await inGateway('all of them at once', zoo);
await inGateway('all of them outside of it', zoo, 'outside');
await directly('the same without a gateway', zoo);
process.stdout.write(
  `${rounds} spells of ${CALLS} calls each, one every ${PACE_MS} ms, and as many rests. Budget: p99 within 2 × that of the rests. Late: timers of the\ngateway's main thread in the spells; loop: its share of work, of which it waits for a processor; gateway and machine:\nprocessor time, of one core and of all.\n`,
);

interface Scene {
  readonly good: Caller;
  readonly visitor: ChildProcess;
  /** Null: there is none. */
  readonly gateway: ChildProcess | null;
}

/** @param where the bad ones are: behind the same gateway, or on pipes that it knows nothing of */
async function inGateway(
  label: string,
  bad: readonly string[],
  where: 'behind' | 'outside' = 'behind',
): Promise<void> {
  const servers = ['good', ...(where === 'behind' ? bad : [])].map(
    (name): BenchServer => ({ name, script, words: [name], tools: ['go', 'echo'] }),
  );
  const gateway = await started('gateway-process.ts', servers, ['serving'], [...serveFlags]);
  const { socket } = gateway.first as GatewayAddress;
  const visitor = await started('zoo-visitor.ts', {
    socket: where === 'behind' ? socket : null,
    script,
    names: bad,
    ms: SPELL_MS,
  } satisfies Visit);
  const bridge = await stdioBridge(socket, '/stdio?profile=default&server=good');
  const good = await lineCaller(bridge, bridge, () => bridge.destroy());
  await measure(label, { good, visitor: visitor.child, gateway: gateway.child });
  await Promise.all([ended(visitor.child), ended(gateway.child)]);
}

async function directly(label: string, bad: readonly string[]): Promise<void> {
  const server = spawn(process.execPath, [script, 'good'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const visitor = await started('zoo-visitor.ts', {
    socket: null,
    script,
    names: bad,
    ms: SPELL_MS,
  } satisfies Visit);
  const good = await lineCaller(server.stdin, server.stdout, () => server.kill());
  await measure(label, { good, visitor: visitor.child, gateway: null });
  await ended(visitor.child);
}

async function started(file: string, word: object, more: readonly string[] = [], execArgv: string[] = []) {
  const child = fork(new URL(`./support/${file}`, import.meta.url), [JSON.stringify(word), ...more], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv,
  });
  const [first] = (await once(child, 'message')) as [unknown];
  return { child, first };
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.disconnect();
  await gone;
}

async function ask<Answer>(child: ChildProcess, word: string): Promise<Answer> {
  const answer = once(child, 'message') as Promise<[Answer]>;
  child.send(word);
  return (await answer)[0];
}

async function measure(label: string, { good, visitor, gateway }: Scene): Promise<void> {
  const spell = async (): Promise<{ times: number[]; turns: GatewayTurns | null; costs: number[] }> => {
    await ask(visitor, 'start');
    const before = [performance.now(), ...gatewayUs(gateway), ...machineTicks()];
    if (gateway !== null) await ask(gateway, 'turns');
    const times = await calls(good);
    const turns = gateway === null ? null : await ask<GatewayTurns>(gateway, 'turns');
    const after = [performance.now(), ...gatewayUs(gateway), ...machineTicks()];
    await ask(visitor, 'stop');
    const [ms = 1, us = 0, waited = 0, busy = 0, all = 1] = after.map(
      (value, index) => value - (before[index] ?? 0),
    );
    await sleep(REST_MS);
    return { times, turns, costs: [waited / ms / 1_000, us / ms / 1_000, busy / all] };
  };
  // Their starts are not what is measured.
  await calls(good);
  await spell();
  const rests: number[] = [];
  const spells: Awaited<ReturnType<typeof spell>>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    rests.push(...(await calls(good)));
    spells.push(await spell());
  }
  good.close();
  const of = (list: readonly number[], q: number): number =>
    quantile(
      list.toSorted((a, b) => a - b),
      q,
    );
  const times = spells.flatMap((each) => each.times);
  const turns = spells.flatMap((each) => each.turns ?? []);
  const mean = (list: readonly number[]): number => list.reduce((sum, each) => sum + each, 0) / list.length;
  const percent = (share: number): string => (share * 100).toFixed(0);
  const [p50, p99] = [of(times, 0.5), of(times, 0.99)];
  line([
    label,
    ...[p50, p99].map((ms) => ms.toFixed(3)),
    ...[p50 / of(rests, 0.5), p99 / of(rests, 0.99)].map((ratio) => ratio.toFixed(2)),
    ...(turns.length === 0
      ? ['', '', '']
      : [
          mean(turns.map(({ p99Ms }) => p99Ms)).toFixed(1),
          Math.max(...turns.map(({ longestMs }) => longestMs)).toFixed(1),
          percent(mean(turns.map(({ busy }) => busy))),
        ]),
    ...[0, 1, 2].map((column) =>
      gateway === null && column < 2 ? '' : percent(mean(spells.map(({ costs }) => costs[column] ?? 0))),
    ),
  ]);
}

/** One call after the other, no faster than the pace. @returns how long each took, in milliseconds */
async function calls(good: Caller): Promise<number[]> {
  const times: number[] = [];
  const from = performance.now();
  for (let id = 1; id <= CALLS; id += 1) {
    const early = from + id * PACE_MS - performance.now();
    if (early > 0) await sleep(early);
    const before = performance.now();
    const answer = await good.call(id);
    times.push(performance.now() - before);
    if (!answer.includes(`hello ${id}"`)) throw new Error(`the good server answered ${answer}`);
  }
  return times;
}

/** Of all its threads at work, and of its main thread without a processor while it had work. proc(5), `schedstat`. */
function gatewayUs(gateway: ChildProcess | null): readonly [us: number, waited: number] {
  if (gateway?.pid === undefined) return [0, 0];
  const { pid } = gateway;
  const waitedNs = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[1];
  return [scheduledUs(pid), Number(waitedNs) / 1_000];
}

/** Of all processors since they began: those at work, and all. proc(5). */
function machineTicks(): readonly [busy: number, all: number] {
  const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]?.trim().split(/\s+/) ?? [];
  const numbers = ticks.slice(0, 8).map(Number);
  const all = numbers.reduce((sum, each) => sum + each, 0);
  return [all - (numbers[3] ?? 0) - (numbers[4] ?? 0), all];
}
