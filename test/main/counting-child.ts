/**
 * Takes of a limit as fast as it can, as a gateway does, and prints how often it was let through. Arguments: the database,
 * the workspace, how many may be, how often to try. It begins when its input says so.
 */
import { once } from 'node:events';
import { silentLog, systemClock, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import { createCallLimits } from '../../src/main/limits/call-limits.ts';
import { openStore } from '../../src/store/index.ts';

const [path = '', workspace = '', calls = '0', tries = '0'] = process.argv.slice(2);
const of = workspace as WorkspaceId; // the test's
const store = await openStore({ path, log: silentLog, clock: systemClock, mustExist: true });
const limits = createCallLimits({
  workspace: of,
  counters: store.counters,
  usage: { calls: (of, about) => store.usage.calls(of, about), settle: async () => undefined },
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
});
const limit = {
  do: 'limit',
  calls: Number(calls),
  per: 'month',
  burst: null,
  zone: 'UTC',
  by: ['token'],
  concurrent: null,
  resultBytes: null,
  rule: 'few',
  source: 'policy.yaml',
  message: null,
  instead: null,
} as const;
process.stdout.write('ready\n');
await once(process.stdin, 'data');
let passed = 0;
for (let n = 0; n < Number(tries); n += 1) {
  const taken = await limits.take(of, [limit], { server: 'github', name: 'search', token: 'tok_1' });
  if (taken.ok) passed += 1;
  process.stdout.write(taken.ok ? '+' : '-');
}
process.stdout.write(`\n${passed}\n`);
limits.close();
process.stdin.destroy();
await store.close();
