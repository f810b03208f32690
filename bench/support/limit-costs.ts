/** What counting costs a call: limits of rules, and what rules ask for as `usage`, in a store on a disk. In processor time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createCallLimits } from '../../src/main/limits/call-limits.ts';
import { combineRules, type DecidedLimit, type DecidedUsage, decodePolicy } from '../../src/policy/index.ts';
import { openStore } from '../../src/store/index.ts';
import { print, tableLine } from './measured.ts';

const ROUNDS = 9;
const CALLS = 1_500;
const asked = { server: 'github', name: 'search', token: 'tok_1', agent: 'claude' };

/** As rules say them. */
function decided(limits: readonly object[]): readonly DecidedLimit[] {
  const rules = limits.map((limit, index) => ({ id: `r${index}`, do: 'limit', limit }));
  const read = decodePolicy(JSON.stringify({ rules }), 'bench', {});
  if (!read.ok) throw new Error(JSON.stringify(read.error[0]));
  const request = {
    subject: 'tool',
    profile: 'dev',
    users: [],
    agents: ['claude'],
    tokens: ['tok_1'],
  } as const;
  return combineRules([read.value.rules]).decide({ ...request, ...asked, now: 0 }).limits;
}
const buckets = (count: number): readonly object[] =>
  Array.from({ length: count }, () => ({ calls: 1_000_000, per: 'minute' }));
const flying = { concurrent: 1_000 };
const usage: DecidedUsage = { names: [{ scope: 'tool', period: 'day' }], moved: () => null };

const cases: readonly [string, readonly DecidedLimit[], DecidedUsage | undefined][] = [
  ['one limit', decided(buckets(1)), undefined],
  ['three limits', decided(buckets(3)), undefined],
  ['ten limits', decided(buckets(10)), undefined],
  ['one, in flight', decided([flying]), undefined],
  ['three, and in flight', decided([...buckets(3), flying]), undefined],
  ['usage of one rule', [], usage],
];

export async function limitCosts(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const store = await openStore({ path: join(folder, 'sallyport.db'), log: silentLog, clock: systemClock });
  const workspace = newId<'workspace'>('wsp', systemRandom);
  const counted = createCallLimits({
    workspace,
    counters: store.counters,
    usage: { calls: (of, about) => store.usage.calls(of, about), settle: async () => undefined },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, held, use] of cases) {
      const before = process.threadCpuUsage();
      for (let call = 0; call < CALLS; call += 1) {
        if (use !== undefined) await counted.used(workspace, use.names, asked);
        const taken = await counted.take(workspace, held, asked, use);
        if (!taken.ok) throw new Error(taken.rule);
        taken.end();
      }
      // What ends by itself ends within what is measured.
      await new Promise((done) => setImmediate(done));
      const { user, system } = process.threadCpuUsage(before);
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, (user + system) / CALLS));
    }
  }
  counted.close();
  await store.close();
  rmSync(folder, { recursive: true });
  print(`\n${tableLine(['counted for a call', 'µs each'], 12, 50)}`);
  for (const [name, each] of best) print(tableLine([name, each.toFixed(1)], 12, 50));
}
