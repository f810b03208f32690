/** Limits over a real store: shared by processes, kept over restarts, and given back by calls that end. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixedClock, limits, silentLog, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import { createCallLimits, type KeptLimits } from '../../src/main/limits/call-limits.ts';
import type { DecidedLimit, DecidedUsage } from '../../src/policy/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { ownProgram } from '../own-process.ts';

const workspace = 'wsp_1' as WorkspaceId; // whatever it is
const CHILD = fileURLToPath(new URL('counting-child.ts', import.meta.url));
const START = Date.parse('2026-11-20T10:00:00Z');
const asked = { server: 'github', name: 'search', token: 'tok_1' };
const limit = (parts: Partial<DecidedLimit>): DecidedLimit => ({
  do: 'limit',
  calls: null,
  per: 'minute',
  burst: null,
  zone: 'UTC',
  by: ['token'],
  concurrent: null,
  resultBytes: null,
  rule: 'few',
  source: 'policy.yaml',
  message: null,
  instead: null,
  ...parts,
});

let folder: string;
let path: string;
const open: { close(): unknown }[] = [];
/** Brings what is on record into the counts that are kept of it. */
let settle: (store: Store) => Promise<void>;
beforeEach(() => {
  settle = async () => undefined;
  folder = mkdtempSync(join(tmpdir(), 'sallyport-limits-'));
  path = join(folder, 'sallyport.db');
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
  rmSync(folder, { recursive: true });
});

async function gateway(clock = fixedClock(START)): Promise<{ store: Store; counted: KeptLimits }> {
  const store = await openStore({ path, log: silentLog, clock });
  const counted = createCallLimits({
    workspace,
    counters: store.counters,
    usage: { calls: (of, about) => store.usage.calls(of, about), settle: () => settle(store) },
    clock,
    random: systemRandom,
    log: silentLog,
  });
  open.push(store, counted);
  return { store, counted };
}

const child = (calls: number, tries: number): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, [...ownProgram(CHILD), path, workspace, String(calls), String(tries)], {
    stdio: 'pipe',
  });

it('two processes let through so many together, and not one more or fewer', async () => {
  await gateway();
  const children = [child(137, 120), child(137, 120)];
  await Promise.all(children.map(({ stdout }) => once(stdout, 'data')));
  const said = children.map(async ({ stdout }) => {
    let text = '';
    for await (const piece of stdout) text += String(piece);
    return text;
  });
  for (const { stdin } of children) stdin.write('go\n');
  const passed = (await Promise.all(said)).map((text) => Number(text.trim().split('\n').at(-1)));
  expect(passed.reduce((sum, one) => sum + one, 0)).toBe(137);
  // Neither had it for itself: each could have had 120 at most.
  for (const one of passed) expect(one).toBeGreaterThanOrEqual(17);
});

it('what a process counted is not lost with it, however it ends', async () => {
  await gateway();
  const victim = child(10, 7);
  await once(victim.stdout, 'data');
  victim.stdin.write('go\n');
  let text = '';
  for await (const piece of victim.stdout) {
    text += String(piece);
    if (!text.includes('+++')) continue;
    victim.kill('SIGKILL');
    break;
  }
  await once(victim, 'close');
  const successor = child(10, 20);
  await once(successor.stdout, 'data');
  successor.stdin.write('go\n');
  let told = '';
  for await (const piece of successor.stdout) told += String(piece);
  const seen = text.split('+').length - 1;
  const left = Number(told.trim().split('\n').at(-1));
  // What was counted and not printed any more is counted all the same.
  expect(left).toBeLessThanOrEqual(10 - seen);
  expect(left).toBeGreaterThanOrEqual(3);
});

it('a call in flight leaves room when it ends, once', async () => {
  const { counted } = await gateway();
  const other = (await gateway()).counted;
  const two = [limit({ concurrent: 2 })];
  const first = await counted.take(workspace, two, asked);
  expect(await other.take(workspace, two, asked)).toMatchObject({ ok: true });
  for (const one of [counted, other])
    expect(await one.take(workspace, two, asked)).toMatchObject({ ok: false, rule: 'few' });
  if (!first.ok) throw new Error('refused');
  first.end();
  first.end();
  // Another process hears of it a moment later, this one at once.
  await expect.poll(() => other.take(workspace, two, asked), { timeout: 10_000 }).toMatchObject({ ok: true });
  expect(await other.take(workspace, two, asked)).toMatchObject({ ok: false });
});

it('the process itself has room at once, also for what it could not tell the store', async () => {
  const { counted, store } = await gateway();
  const one = [limit({ concurrent: 1 })];
  for (let call = 0; call < 50; call += 1) {
    const taken = await counted.take(workspace, one, asked);
    expect(taken).toMatchObject({ ok: true });
    expect(await counted.take(workspace, one, asked)).toMatchObject({ ok: false });
    if (taken.ok) taken.end();
  }
  const last = await counted.take(workspace, one, asked);
  const count = vi.spyOn(store.counters, 'count').mockRejectedValueOnce(new Error('busy'));
  if (last.ok) last.end();
  await expect(counted.take(workspace, one, asked)).rejects.toThrow('busy');
  count.mockRestore();
  expect(await counted.take(workspace, one, asked)).toMatchObject({ ok: true });
});

it('what has ended when a process closes is over for all others', async () => {
  const first = await gateway();
  const taken = await first.counted.take(workspace, [limit({ concurrent: 1 })], asked);
  if (taken.ok) taken.end();
  first.counted.close();
  const { counted } = await gateway();
  await expect
    .poll(() => counted.take(workspace, [limit({ concurrent: 1 })], asked), { timeout: 10_000 })
    .toMatchObject({ ok: true });
});

it('calls of a process that is gone are over after a while', async () => {
  const clock = fixedClock(START);
  const gone = await gateway(clock);
  await gone.counted.take(workspace, [limit({ concurrent: 1 })], asked);
  gone.counted.close();
  const { counted } = await gateway(clock);
  clock.advance(limits.limitFlightMs - 1);
  expect(await counted.take(workspace, [limit({ concurrent: 1 })], asked)).toMatchObject({ ok: false });
  clock.advance(1);
  expect(await counted.take(workspace, [limit({ concurrent: 1 })], asked)).toMatchObject({ ok: true });
});

it('what is refused counts against no other limit', async () => {
  const { counted, store } = await gateway();
  const both = [limit({ calls: 5, per: 'day', rule: 'wide' }), limit({ calls: 1, rule: 'narrow' })];
  expect(await counted.take(workspace, both, asked)).toMatchObject({ ok: true });
  for (let n = 0; n < 5; n += 1)
    expect(await counted.take(workspace, both, asked)).toMatchObject({
      ok: false,
      rule: 'narrow',
      refusal: { code: 'limit_exceeded', retryAfterSeconds: 60 },
    });
  const wide = [limit({ calls: 5, per: 'day', rule: 'wide' })];
  for (let n = 0; n < 4; n += 1)
    expect(await counted.take(workspace, wide, asked)).toMatchObject({ ok: true });
  expect(await counted.take(workspace, wide, asked)).toMatchObject({ ok: false });
  await store.counters.sweep(START + limits.counterKeptMs);
  expect(await counted.take(workspace, wide, asked)).toMatchObject({ ok: false });
  await store.counters.sweep(START + 2 * limits.counterKeptMs);
  expect(await counted.take(workspace, wide, asked)).toMatchObject({ ok: true });
});

describe('calls counted for rules', () => {
  const who = { server: 'github', name: 'search', agent: 'claude' };
  const day = { scope: 'tool', period: 'day' } as const;
  const ever = { scope: 'server', period: 'ever' } as const;
  /** Judged as long as there were fewer. */
  const fewerThan = (most: number): DecidedUsage => ({
    names: [day],
    moved: (counts) => ((counts.get('tool.day') ?? 0) < most ? null : 'few'),
  });

  it('are as many as began, in whichever process', async () => {
    const here = await gateway();
    const there = await gateway();
    expect(await here.counted.used(workspace, [day, ever], who)).toEqual(
      new Map([
        ['tool.day', 0],
        ['server.ever', 0],
      ]),
    );
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        (n % 2 === 0 ? here : there).counted.take(workspace, [], who, fewerThan(5)),
      ),
    );
    expect(all.filter(({ ok }) => ok)).toHaveLength(5);
    expect(all.find(({ ok }) => !ok)).toMatchObject({
      rule: 'few',
      refusal: { code: 'usage_moved', retryAfterSeconds: 1 },
    });
    expect(await there.counted.used(workspace, [day], who)).toEqual(new Map([['tool.day', 5]]));
    expect(await there.counted.used(workspace, [day], { ...who, agent: 'codex' })).toEqual(
      new Map([['tool.day', 0]]),
    );
  });

  it('and limits count together, or not at all', async () => {
    const { counted, store } = await gateway();
    const two = [limit({ calls: 2, per: 'day' })];
    expect(await counted.take(workspace, two, { ...asked, ...who }, fewerThan(9))).toMatchObject({
      ok: true,
    });
    expect(await counted.take(workspace, two, { ...asked, ...who }, fewerThan(1))).toMatchObject({
      ok: false,
    });
    expect(await counted.take(workspace, two, { ...asked, ...who }, fewerThan(9))).toMatchObject({
      ok: true,
    });
    expect(await counted.take(workspace, two, { ...asked, ...who }, fewerThan(9))).toMatchObject({
      ok: false,
      refusal: { code: 'limit_exceeded' },
    });
    expect(await counted.used(workspace, [day], who)).toEqual(new Map([['tool.day', 2]]));
    await store.close();
    await expect(counted.used(workspace, [day], who)).rejects.toMatchObject({ code: 'store_closed' });
    await expect(counted.take(workspace, [], who, fewerThan(9))).rejects.toMatchObject({
      code: 'store_closed',
    });
  });

  it('begin with what is on record by then, whether it was counted before or not', async () => {
    const { counted } = await gateway();
    settle = ({ usage }) =>
      usage.save(workspace, {
        day: '2026-11-20',
        server: 'github',
        tool: 'search',
        agent: 'claude',
        actor: 'token:tok_1',
        counts: { calls: 7 },
      });
    expect(await counted.used(workspace, [day], who)).toEqual(new Map([['tool.day', 7]]));
    settle = async () => Promise.reject(new Error('not to be read'));
    await expect(counted.used(workspace, [ever], who)).rejects.toThrow('not to be read');
    // What begins at nothing, or has begun, needs nothing of it.
    const hour = { scope: 'tool', period: 'hour' } as const;
    expect(await counted.used(workspace, [day, hour], who)).toEqual(
      new Map([
        ['tool.day', 7],
        ['tool.hour', 0],
      ]),
    );
  });

  it('begin with what the audit log knows, once', async () => {
    const { counted, store } = await gateway();
    const save = (on: string, tool: string, agent: string, calls: number) =>
      store.usage.save(workspace, {
        day: on,
        server: 'github',
        tool,
        agent,
        actor: 'token:tok_1',
        counts: { calls },
      });
    await save('2026-11-20', 'search', 'claude', 3);
    await save('2026-11-19', 'search', 'claude', 10);
    await save('2026-11-20', 'create', 'claude', 100);
    await save('2026-11-20', 'search', 'codex', 1_000);
    const names = [day, ever, { scope: 'tool', period: 'hour' }] as const;
    const expected = (more: number) =>
      new Map([
        ['tool.day', 3 + more],
        ['server.ever', 113 + more],
        ['tool.hour', more],
      ]);
    expect(await counted.used(workspace, names, who)).toEqual(expected(0));
    await save('2026-11-20', 'search', 'claude', 4);
    await counted.take(workspace, [], who, { names, moved: () => null });
    expect(await counted.used(workspace, names, who)).toEqual(expected(1));
  });
});
