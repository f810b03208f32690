/** Usage over a real store and audit log: counted once, by whoever comes first, and with what was recorded a moment ago. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AuditLog, createAuditLog } from '../../src/audit/index.ts';
import { fixedClock, limits, Secret, silentLog } from '../../src/kernel/index.ts';
import { createUsageBook, type UsageBook } from '../../src/main/usage/usage-book.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { finished, refused, sent, workspace } from '../usage/events.ts';

const START = Date.parse('2026-11-20T10:00:00Z');
const DAY_MS = 86_400_000;
const clock = fixedClock(START);

let folder: string;
let store: Store;
let audit: AuditLog;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-usage-'));
  store = await openStore({ path: join(folder, 'sallyport.db'), log: silentLog, clock });
  await store.workspaces.insert({ id: workspace, name: 'default', createdAt: 1 });
  audit = createAuditLog({
    store: store.audit,
    key: Secret.fromString('k'.repeat(32)),
    clock,
    log: silentLog,
  });
});
afterEach(async () => {
  await audit.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

const bookOn = (on: Pick<Store, 'audit' | 'streams' | 'usage' | 'transaction'>): UsageBook =>
  createUsageBook({ workspace, store: on, audit, clock, log: silentLog });
const today = { since: null, until: null, by: ['server', 'tool'] as const, server: null };

it('tells of what was recorded when it is asked, by what it is asked for, of the days that it is asked for', async () => {
  const book = bookOn(store);
  for (let n = 0; n < 3; n += 1) await audit.append(finished('search', 7));
  await audit.append(refused('search', 'tool_not_selected'));
  await audit.append(sent());
  expect(await book.report(today)).toMatchObject({
    since: '2026-11-14',
    until: '2026-11-20',
    lines: [{ of: { server: 'github', tool: 'search' }, calls: 3, denied: 1, requests: 1, p95Ms: 10 }],
  });
  clock.advance(DAY_MS);
  await audit.append(finished('write', 7));
  const byDay = { ...today, by: ['day'] as const };
  expect((await book.report(byDay)).lines.map(({ of, calls }) => [of.day, calls])).toEqual([
    ['2026-11-21', 1],
    ['2026-11-20', 3],
  ]);
  const first = { ...byDay, until: '2026-11-20', since: '2026-11-20' };
  expect((await book.report(first)).lines).toHaveLength(1);
  expect((await book.report({ ...today, server: 'slack' })).lines).toEqual([]);
  await expect(book.report({ ...today, since: '2026-11-22' })).rejects.toMatchObject({
    code: 'usage_range_invalid',
  });
  clock.advance(limits.usageDaysMax * DAY_MS);
  expect((await book.report({ ...byDay, since: '2026-11-01' })).lines.map(({ of }) => of.day)).toEqual([
    '2026-11-21',
  ]);
});

it('counts every event once, whoever counts and whenever one of them ends', async () => {
  // Ends in the middle of what it writes, every other time.
  let attempts = 0;
  const dying: Parameters<typeof bookOn>[0] = {
    ...store,
    transaction: (work) =>
      store.transaction(async (repositories) => {
        const done = await work(repositories);
        attempts += 1;
        if (attempts % 2 === 1) throw new Error('killed');
        return done;
      }),
  };
  // Looked how far it was before another one counted.
  const late: Parameters<typeof bookOn>[0] = {
    ...store,
    streams: { ...store.streams, find: async () => null },
  };
  let appended = 0;
  for (let round = 0; round < 6; round += 1) {
    for (let n = 0; n < 20; n += 1) await audit.append(finished(`tool${n % 3}`, n));
    appended += 20;
    await bookOn(dying)
      .report(today)
      .catch((error: unknown) => expect(String(error)).toContain('killed'));
    const { lines } = await bookOn(store).report(today);
    expect(lines.reduce((all, { calls }) => all + calls, 0)).toBe(appended);
    await bookOn(late).report(today);
  }
  expect(attempts).toBeGreaterThan(1);
  const { lines } = await bookOn(store).report(today);
  expect(lines.reduce((all, { calls }) => all + calls, 0)).toBe(appended);
});
