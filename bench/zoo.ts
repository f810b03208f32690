/**
 * A good server's calls while servers that misbehave do so in the same profile, all in cells of one gateway, against the
 * same calls while those rest. Both take turns, so that what the machine does besides hits both. Flags: `--rounds N`,
 * `--each` (every bad one by itself too), `--only NAME`.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Caller, lineCaller, stdioBridge } from './support/callers.ts';
import type { BenchServer, GatewayAddress } from './support/gateway-process.ts';
import { quantile, tableLine } from './support/measured.ts';

/** How long a bad server goes on at a time, in milliseconds. */
const SPELL_MS = 1_500;
/** What it left is worked off in this time. */
const REST_MS = 500;

/** Between two calls of a bad server, so that it is the server that is measured and not its client. */
const AGAIN_MS = 250;

/** Those that do it when they are called. */
const AT_CALL = [
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
];
/** Those that do it when they are started or listed. */
const AT_LIST = ['hangs-at-start', 'hangs-at-list', 'exits-at-start', 'endless-list', 'grows'];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    each: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
});
const rounds = Number(values.rounds);
const zoo = [...AT_CALL, ...AT_LIST].filter((name) => values.only?.includes(name) ?? true);
const script = fileURLToPath(new URL('../test/fixtures/servers/zoo.mjs', import.meta.url));

const line = (cells: readonly string[]): void => {
  process.stdout.write(`${tableLine(cells)}\n`);
};
line(['good server, ms', 'p50', 'p99', 'p50 ×', 'p99 ×', 'calls']);
if (values.each) for (const name of zoo) await measure(name, [name]);
else await measure('all of them at once', zoo);
process.stdout.write(`${rounds} spells of ${SPELL_MS} ms each. Budget: p99 within 2 × that of the rests.\n`);

async function measure(label: string, bad: readonly string[]): Promise<void> {
  const servers = ['good', ...bad].map(
    (name): BenchServer => ({ name, script, words: [name], tools: ['go', 'echo'] }),
  );
  const gateway = fork(new URL('./support/gateway-process.ts', import.meta.url), [JSON.stringify(servers)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [address] = (await once(gateway, 'message')) as [GatewayAddress];
  const bridge = await stdioBridge(address.socket, '/stdio?profile=default&server=good');
  const good = await lineCaller(bridge, bridge, () => bridge.destroy());
  // Their starts are not what is measured.
  await Promise.all([spell(good, SPELL_MS), ...bad.map((name) => misbehave(address, name))]);
  await sleep(REST_MS);
  const times = { rest: [] as number[], spell: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    times.rest.push(...(await spell(good, SPELL_MS)));
    const ended = Promise.all(bad.map((name) => misbehave(address, name)));
    times.spell.push(...(await spell(good, SPELL_MS)));
    await ended;
    await sleep(REST_MS);
  }
  const of = (list: readonly number[], q: number): number =>
    quantile(
      list.toSorted((a, b) => a - b),
      q,
    );
  const [p50, p99] = [of(times.spell, 0.5), of(times.spell, 0.99)];
  const ratios = [p50 / of(times.rest, 0.5), p99 / of(times.rest, 0.99)];
  line([
    label,
    ...[p50, p99].map((ms) => ms.toFixed(3)),
    ...ratios.map((ratio) => ratio.toFixed(2)),
    String(times.spell.length),
  ]);
  good.close();
  const gone = once(gateway, 'exit');
  gateway.disconnect();
  await gone;
}

/** One call after the other, for a while. @returns how long each took, in milliseconds */
async function spell(good: Caller, ms: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + ms;
  for (let id = 1; performance.now() < until; id += 1) {
    const before = performance.now();
    const answer = await good.call(id);
    times.push(performance.now() - before);
    if (!answer.includes(`hello ${id}"`)) throw new Error(`the good server answered ${answer}`);
  }
  return times;
}

/** Has a bad server do what it does, again and again where it comes to an end. */
async function misbehave({ socket }: GatewayAddress, name: string): Promise<void> {
  const until = performance.now() + SPELL_MS;
  const all = AT_LIST.includes(name);
  const bridge = await stdioBridge(socket, `/stdio?profile=default${all ? '' : `&server=${name}`}`);
  bridge.on('error', () => undefined);
  bridge.setEncoding('utf8');
  const params = { name: 'go', arguments: { ms: SPELL_MS }, _meta: { progressToken: 'p' } };
  const ask = (id: number): void => {
    const request = all ? { method: 'tools/list' } : { method: 'tools/call', params };
    bridge.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...request })}\n`);
  };
  const clientInfo = { name: 'bench', version: '1.0.0' };
  const initialize = { protocolVersion: '2025-11-25', capabilities: { sampling: {} }, clientInfo };
  bridge.write(`${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: initialize })}\n`);
  let id = 1;
  ask(id);
  bridge.on('data', (text: string) => {
    if (!text.includes(`"id":${id}`) || performance.now() > until) return;
    id += 1;
    setTimeout(ask, AGAIN_MS, id);
  });
  await sleep(Math.max(0, until - performance.now()));
  bridge.destroy();
}
