/**
 * ATTACKS 21: two gateways on one home make the same approved calls, and one is killed without warning in the middle, as
 * somebody would who wants a use twice. Real processes, a real database; what was sent is what they say that they may send.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Services } from '../../src/main/services.ts';
import { bookOn, request } from '../main/approvals/book-world.ts';
import { ownProgram } from '../own-process.ts';
import { makeProductHome, type ProductHome } from './product-home.ts';

const CALLS = 40;

let home: ProductHome;
const running: ChildProcess[] = [];

beforeEach(async () => {
  home = await makeProductHome();
});
afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  await home.dispose();
});

interface Sender {
  readonly process: ChildProcess;
  begin(): void;
  /** Numbers of what it may send, until it says that it is through, or is gone. */
  readonly sent: number[];
  readonly ended: Promise<void>;
}

async function startSender(): Promise<Sender> {
  const program = ownProgram(join(import.meta.dirname, 'approved-calls.ts'));
  const child = spawn(process.execPath, [...program, home.directory, String(CALLS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('ready');
  const sent: number[] = [];
  const ended = (async () => {
    for (let line = await lines.next(); line.done !== true; line = await lines.next())
      if (line.value !== 'all') sent.push(Number(line.value));
  })();
  return { process: child, begin: () => child.stdin.write('go\n'), sent, ended };
}

async function approveAll(services: Services): Promise<void> {
  const { workspace } = services;
  const book = bookOn(services);
  for (let n = 0; n < CALLS; n += 1) {
    const { id } = await book.pass(request({ workspace }, { argumentsText: `{"n":${n}}` }));
    const actor = { kind: 'local', id: '7' } as const;
    await book.answer(id, { actor, decision: 'approve', scope: { kind: 'once' }, reason: null });
  }
  book.close();
}

it('each is sent once at most, on record before it is, and by no gateway that comes after', async () => {
  await approveAll(home);
  const [victim, other] = await Promise.all([startSender(), startSender()]);
  const dead = once(victim.process, 'exit');
  victim.begin();
  await expect.poll(() => victim.sent.length, { timeout: 30_000 }).toBeGreaterThan(5);
  other.begin();
  victim.process.kill('SIGKILL');
  expect(await dead).toEqual([null, 'SIGKILL']);
  await Promise.all([victim.ended, other.ended]);
  const heir = await startSender();
  heir.begin();
  await heir.ended;

  const sent = [...victim.sent, ...other.sent];
  expect(new Set(sent).size).toBe(sent.length);
  // At most the one whose use was taken when its gateway died is lost; nothing is given back.
  expect(CALLS - sent.length).toBeLessThanOrEqual(1);
  expect(other.sent.length).toBeGreaterThan(0);
  expect(heir.sent).toEqual([]);

  const { store, workspace, audit } = await home.another();
  expect(await audit.verify(workspace)).toMatchObject({ problems: [] });
  const states = await store.approvals.list(workspace, ['approved'], CALLS);
  expect(states).toEqual([]);
  const uses = (await home.events()).filter(({ type }) => type === 'approval.executed');
  const used = new Set(uses.map(({ data }) => data['approval']));
  expect(used.size).toBe(uses.length);
  expect(uses.length).toBeGreaterThanOrEqual(sent.length);
  expect(uses.length).toBeLessThanOrEqual(CALLS);
});
