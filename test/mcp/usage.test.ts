/** Rules about how often something was called before, at the gate, counted in a real store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Clock, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createCallLimits, type KeptLimits } from '../../src/main/limits/call-limits.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { fixture, type Harness, principal, startHarness, type TestClient } from './harness.ts';

const who = principal('tok_1', 'default');
const clock: Clock = systemClock;

let folder: string;
let store: Store;
let counted: KeptLimits;
let harness: Harness;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-usage-'));
  store = await openStore({ path: join(folder, 'sallyport.db'), log: silentLog, clock });
  counted = createCallLimits({
    workspace: who.workspace,
    counters: store.counters,
    usage: { calls: (of, about) => store.usage.calls(of, about), settle: async () => undefined },
    clock,
    random: systemRandom,
    log: silentLog,
  });
  const echo = { command: fixture('echo'), tools: '*' } as const;
  harness = await startHarness({ default: { echo } }, { limits: counted });
});
afterEach(async () => {
  await harness.close();
  counted.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

async function connect(as = who): Promise<TestClient> {
  const client = harness.stdio(as, { profile: 'default', server: 'echo' });
  await client.initialize();
  return client;
}
const call = (client: TestClient, id: number) =>
  client.request(id, 'tools/call', { name: 'echo', arguments: {} });
const code = (answer: unknown): string =>
  (answer as { error?: { data: { code: string } } }).error?.data.code ?? 'ok';
const started = () => harness.audit.filter((line) => line.startsWith('started')).length;

it('of calls that come at once no more begin than one after another', async () => {
  const client = await connect();
  harness.setRules(rulesOf('rules: [{ id: five, when: usage.tool.day >= 5, do: deny }]'));
  const answers = await Promise.all(Array.from({ length: 12 }, (_, id) => call(client, id + 1)));
  expect(answers.filter((answer) => code(answer) === 'ok')).toHaveLength(5);
  expect(started()).toBe(5);
  expect(code(await call(client, 20))).toBe('policy_denied');
  // Another agent has counts of its own; another token of this one has not.
  expect(code(await call(await connect({ ...principal('tok_2', 'default'), agent: 'other' }), 1))).toBe('ok');
  expect(code(await call(await connect(principal('tok_3', 'default')), 1))).toBe('policy_denied');
});

it('a first use waits for somebody, and the next one does not', async () => {
  const client = await connect();
  harness.setRules(rulesOf('rules: [{ id: new, template: first-use }]'));
  const asked = vi.fn(harness.approvals.pass);
  harness.approvals.pass = async (request) => {
    await asked(request);
    return { state: 'rejected', id: 'apr_test', address: null };
  };
  // What nobody agreed to is no use.
  expect(code(await call(client, 1))).toBe('approval_rejected');
  expect(code(await call(client, 2))).toBe('approval_rejected');
  harness.approvals.pass = async (request) => {
    await asked(request);
    return { state: 'granted', id: 'apr_test', address: null };
  };
  expect(code(await call(client, 3))).toBe('ok');
  expect(asked).toHaveBeenCalledTimes(3);
  expect(code(await call(client, 4))).toBe('ok');
  expect(asked).toHaveBeenCalledTimes(3);
});

it('a call does not begin where nobody can count it', async () => {
  const client = await connect();
  harness.setRules(rulesOf('rules: [{ id: five, when: usage.tool.day >= 5, do: alert }]'));
  expect(code(await call(client, 1))).toBe('ok');
  await store.close();
  expect(code(await call(client, 2))).toBe('store_closed');
  expect(started()).toBe(1);
  // Without such a rule nothing is read.
  harness.setRules(rulesOf('rules: [{ id: five, when: args.n > 5.0, do: alert }]'));
  expect(code(await call(client, 3))).toBe('ok');
});
