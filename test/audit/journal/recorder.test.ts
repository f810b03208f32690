/** A journal between those who record and the chain: what they are told, when the chain fails or is slow, and what readers see. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEvent, AuditSink, RecordedEvent } from '../../../src/audit/index.ts';
import { AppError, limits } from '../../../src/kernel/index.ts';
import { A, B, type Gateway, JournalWorld, settle } from './journal-world.ts';

const event = (n: number, workspace = A): AuditEvent => ({
  workspace,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cel_1' },
  ...(n % 2 === 0 ? { server: 'github' } : {}),
  data: { n, text: 'ü\u{1f600}"\\\t\n' },
});

let world: JournalWorld;
let gateway: Gateway;

/** How many records are in the journal's first file. */
const records = (): number => gateway.file.now().toString('latin1').split('SJ1\n').length - 1;

async function all(events: AsyncIterable<RecordedEvent>): Promise<unknown[]> {
  const numbers: unknown[] = [];
  for await (const { data } of events) numbers.push(data['n']);
  return numbers;
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  world = new JournalWorld();
  gateway = await world.gateway('jrn_1');
});
afterEach(() => void vi.useRealTimers());

describe('an event', () => {
  it('is on record before it is in the chain, which is behind by a moment', async () => {
    await gateway.audit.record(event(1));
    expect([records(), world.chained()]).toEqual([1, []]);
    await settle();
    await vi.advanceTimersByTimeAsync(limits.auditIngestEveryMs);
    expect(world.chained()).toEqual([1]);
  });

  it('shares its record and its promise with all of its turn and workspace', async () => {
    const { audit } = gateway;
    const [one, two, other] = [audit.record(event(1)), audit.record(event(2)), audit.record(event(3, B))];
    expect(one).toBe(two);
    await Promise.all([one, other]);
    expect(records()).toBe(2);
    expect(audit.record(event(4))).not.toBe(one);
    await audit.close();
    expect([world.chained(A), world.chained(B)]).toEqual([[1, 2, 4], [3]]);
  });

  it('waits for company when nobody waits for it, up to a limit, in the order in which it was handed in', async () => {
    const { audit } = gateway;
    const noted = audit.note(event(1));
    await settle();
    expect(records()).toBe(0);
    await audit.record(event(2));
    await noted;
    expect(records()).toBe(1);
    const alone = audit.note(event(3));
    await vi.advanceTimersByTimeAsync(limits.auditNoteDelayMs - 1);
    expect(records()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await alone;
    expect(await all(audit.export(A))).toEqual([1, 2, 3]);
  });

  it('is given back in its place where it is asked for', async () => {
    const { audit } = gateway;
    await audit.record(event(0));
    const appended = await Promise.all([
      audit.append(event(1)),
      audit.record(event(2)),
      audit.append(event(3)),
    ]);
    expect(appended).toMatchObject([{ sequence: 2, data: { n: 1 } }, undefined, { sequence: 4 }]);
    const stored = world.store.chain(A).events;
    expect([appended[0], appended[2]]).toEqual([stored[1], stored[3]]);
    expect((await audit.verify(A)).problems).toEqual([]);
  });

  it('that cannot be recorded is refused alone', async () => {
    const bad = gateway.audit.record({ ...event(1), data: { n: Number.NaN } });
    const good = gateway.audit.record(event(2));
    await expect(bad).rejects.toMatchObject({ code: 'audit_event_invalid' });
    await good;
    expect(await all(gateway.audit.tail(A))).toEqual([2]);
  });

  it('goes into the next record where one is full', async () => {
    const { audit } = gateway;
    const large = Array.from({ length: 12 }, (_, n) =>
      audit.record({ ...event(n), data: { n, text: 'x'.repeat(limits.auditEventCharsMax - 100) } }),
    );
    await Promise.all(large);
    expect(records()).toBe(3);
    expect(await all(audit.export(A))).toHaveLength(12);
  });
});

describe('whoever reads', () => {
  it('sees everything that was acknowledged', async () => {
    const { audit } = gateway;
    await audit.record(event(1));
    expect(await all(audit.export(A))).toEqual([1]);
    await audit.record(event(2));
    expect(await all(audit.tail(A))).toEqual([1, 2]);
    await audit.record(event(3));
    expect(await audit.verify(A)).toMatchObject({ ok: true, events: 3 });
    await audit.record(event(4));
    expect(await audit.checkpoint(A)).toMatchObject({ sequence: 4 });
  });

  it('follows what comes', async () => {
    const { audit } = gateway;
    await audit.record(event(1));
    const stop = new AbortController();
    const seen: unknown[] = [];
    for await (const { data } of audit.tail(A, { follow: stop.signal })) {
      seen.push(data['n']);
      if (seen.length === 1) setImmediate(() => void audit.record(event(2)));
      if (seen.length === 2) setImmediate(() => void audit.record(event(3)));
      if (seen.length === 3) stop.abort();
    }
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('sinks', () => {
  it('are told of what is in the chain, checkpoints included', async () => {
    const delivered: (RecordedEvent | number)[] = [];
    const sink: AuditSink = {
      name: 'one',
      deliver: (events, checkpoint) => {
        delivered.push(...events);
        if (checkpoint !== null) delivered.push(checkpoint.sequence);
      },
    };
    const { audit, served } = await world.gateway('jrn_2', { sinks: [sink] });
    await audit.record(event(1));
    void audit.note(event(2));
    await audit.close();
    await served;
    expect(delivered).toEqual([...world.store.chain(A).events, 2]);
  });
});

describe('a disk that is full', () => {
  it('refuses what it cannot hold, and leaves nothing of it behind', async () => {
    const { audit, file } = gateway;
    await audit.record(event(1));
    const before = file.now().length;
    for (const room of [0, 1, 30, 100]) {
      file.room = room;
      await expect(audit.record(event(2))).rejects.toMatchObject({
        code: 'audit_unavailable',
        kind: 'failed',
        cause: { code: 'ENOSPC' },
      });
      await expect(audit.append(event(3))).rejects.toMatchObject({ code: 'audit_unavailable' });
    }
    expect(file.now().length).toBeGreaterThan(before);
    file.room = Infinity;
    await audit.record(event(4));
    expect(await all(audit.export(A))).toEqual([1, 4]);
    expect((await audit.verify(A)).problems).toEqual([]);
  });

  it('leaves a torn end that the next process drops, when the gateway dies of it', async () => {
    const { audit, file } = await world.gateway('jrn_2', { serve: false });
    await audit.record(event(1));
    file.room = 50;
    await expect(audit.record(event(2))).rejects.toMatchObject({ code: 'audit_unavailable' });
    world.alive.delete('jrn_2');
    await world.recover();
    expect(world.chained()).toEqual([1]);
    expect(world.lines).toEqual([]);
  });
});

describe('a chain that does not take the journal', () => {
  it('stops the recording, says why, and lets it go on when it works again', async () => {
    const { audit } = gateway;
    const { store } = world;
    store.beforeAppend = () =>
      Promise.reject(new AppError('store_locked', 'no', { kind: 'unavailable', hint: 'Try again.' }));
    const waiting = audit.append(event(1));
    await expect(waiting).rejects.toMatchObject({
      code: 'audit_unavailable',
      hint: 'Try again.',
      detail: { reason: 'store_locked' },
    });
    const attempts = [audit.record(event(2)), audit.note(event(3)), audit.append(event(4))];
    for (const attempt of attempts) attempt.catch(() => undefined);
    for (const attempt of attempts) {
      await vi.advanceTimersByTimeAsync(limits.auditNoteDelayMs);
      await expect(attempt).rejects.toMatchObject({ code: 'audit_unavailable' });
    }
    expect(world.lines).toEqual(['audit_ingest_failed']);
    store.beforeAppend = async () => {};
    await vi.advanceTimersByTimeAsync(limits.auditIngestRetryMs);
    await settle();
    await audit.record(event(5));
    // The first one had been written before anybody knew.
    expect(await all(audit.export(A))).toEqual([1, 5]);
    expect((await audit.verify(A)).problems).toEqual([]);
  });

  it('that was put back is not gone on with, and verification says what is gone', async () => {
    const { audit } = gateway;
    await audit.append(event(1));
    const chain = world.store.chain(A);
    const old = { events: chain.events.slice(), head: chain.head };
    await audit.append(event(2));
    Object.assign(chain, old);
    await expect(audit.append(event(3))).rejects.toMatchObject({
      code: 'audit_unavailable',
      hint: 'Run `sallyport audit verify`. If you restored a backup on purpose, restart Sallyport.',
      detail: { reason: 'audit_rolled_back' },
      cause: { code: 'audit_rolled_back', detail: { workspace: A, seen: 2, found: 1 } },
    });
    expect((await audit.verify(A)).problems).toMatchObject([{ code: 'chain_rolled_back', sequence: 2 }]);
    await expect(audit.record(event(4))).rejects.toMatchObject({ detail: { reason: 'audit_rolled_back' } });
  });

  it('says what was in the way, of whatever kind it was', async () => {
    world.store.beforeAppend = () => Promise.reject(new TypeError('no such thing'));
    await expect(gateway.audit.append(event(1))).rejects.toMatchObject({
      detail: { reason: 'internal_error' },
      cause: { message: 'TypeError: no such thing' },
    });
  });

  it('leaves the journal to the next process', async () => {
    const { audit } = gateway;
    await audit.record(event(1));
    world.store.beforeAppend = () => Promise.reject(new Error('disk full'));
    await audit.close();
    expect(world.left).toEqual(['jrn_1']);
    world.store.beforeAppend = async () => {};
    await world.recover();
    expect([world.chained(), world.left]).toEqual([[1], []]);
  });

  it('takes each event once when the transaction came through all the same', async () => {
    const { store } = world;
    const append = store.append.bind(store);
    store.append = async (...args) => {
      await append(...args);
      store.append = append;
      throw new Error('connection lost after commit');
    };
    await expect(gateway.audit.append(event(1))).rejects.toMatchObject({ code: 'audit_unavailable' });
    await vi.advanceTimersByTimeAsync(limits.auditIngestRetryMs);
    await settle();
    await gateway.audit.append(event(2));
    expect(world.chained()).toEqual([1, 2]);
  });

  it('lets two gateways take turns', async () => {
    const other = await world.gateway('jrn_2');
    for (let n = 0; n < 20; n += 2) {
      await Promise.all([gateway.audit.append(event(n)), other.audit.append(event(n + 1))]);
    }
    const numbers = world.chained();
    expect(numbers.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect((await gateway.audit.verify(A)).problems).toEqual([]);
    for (const { audit } of [gateway, other]) await audit.close();
    expect(world.left).toEqual([]);
  });
});

describe('a chain that does not keep up', () => {
  /** The chain takes nothing until it is released. */
  function hold(): () => void {
    const release = Promise.withResolvers<void>();
    world.store.beforeAppend = () => release.promise;
    return () => {
      world.store.beforeAppend = async () => {};
      release.resolve();
    };
  }

  async function recordMany(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1_000) {
      await Promise.all(Array.from({ length: 1_000 }, (_, more) => gateway.audit.record(event(n + more))));
    }
  }

  it('slows those down who record, and takes what they had to wait with', async () => {
    const release = hold();
    await recordMany(limits.auditJournalHoldEventsMax);
    const before = records();
    let acknowledged = false;
    const slowed = gateway.audit.record(event(-1)).then(() => {
      acknowledged = true;
    });
    await settle();
    // Whoever comes later does not overtake it.
    const next = gateway.audit.record(event(-2));
    await settle();
    expect([acknowledged, records()]).toEqual([false, before]);
    release();
    await Promise.all([slowed, next]);
    expect((await all(gateway.audit.export(A))).slice(-2)).toEqual([-1, -2]);
  });

  it('slows those down who record long events, before what waits is too much and everybody is refused', async () => {
    const release = hold();
    const text = 'x'.repeat(60_000);
    const waiting: Promise<void>[] = [];
    for (let bytes = 0; bytes <= limits.auditJournalLagBytesMax; bytes += text.length) {
      waiting.push(gateway.audit.record({ ...event(waiting.length), data: { n: waiting.length, text } }));
      await nextTurn();
    }
    release();
    await Promise.all(waiting);
    const numbers = await all(gateway.audit.export(A));
    expect(numbers).toEqual(waiting.map((_, n) => n));
  });

  it('refuses what would be too much to remember while it waits', async () => {
    const release = hold();
    const text = 'x'.repeat(60_000);
    const waiting: Promise<string>[] = [];
    for (let bytes = 0; bytes <= 2 * limits.auditJournalLagBytesMax; bytes += text.length) {
      const recorded = gateway.audit.record({ ...event(0), data: { n: waiting.length, text } });
      waiting.push(
        recorded.then(
          () => 'recorded',
          () => 'refused',
        ),
      );
      await nextTurn();
    }
    expect(await waiting.at(-1)).toBe('refused');
    release();
    expect(await waiting[0]).toBe('recorded');
  });

  it('ends the recording when it does not come nearer for too long', async () => {
    const release = hold();
    await gateway.audit.record(event(1));
    await settle();
    await vi.advanceTimersByTimeAsync(limits.auditIngestEveryMs);
    world.clock.advance(limits.auditJournalLagMs - 1);
    await gateway.audit.record(event(2));
    world.clock.advance(1);
    await expect(gateway.audit.record(event(3))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_journal_behind' },
    });
    release();
    await vi.advanceTimersByTimeAsync(limits.auditIngestEveryMs);
    await settle();
    await gateway.audit.record(event(4));
    expect(await all(gateway.audit.export(A))).toEqual([1, 2, 4]);
  });

  it('is not taken for one that does not after a long silence', async () => {
    await gateway.audit.append(event(1));
    world.clock.advance(limits.auditJournalLagMs * 100);
    await gateway.audit.record(event(2));
    await gateway.audit.record(event(3));
  });
});

describe('the far end', () => {
  it('refuses what waits and whatever comes, once it is gone, until another has begun and brought in the rest', async () => {
    const { audit, cut } = await world.gateway('jrn_2', { serve: false });
    const waiting = audit.append(event(1));
    waiting.catch(() => undefined);
    await nextTurn();
    await nextTurn();
    cut(new Error('out of memory'));
    for (const refused of [waiting, audit.record(event(3)), audit.append(event(4))]) {
      await expect(refused).rejects.toMatchObject({
        code: 'audit_unavailable',
        hint: "It is started again by itself; the gateway's log says what ended it. If it stays so, restart Sallyport.",
        detail: { reason: 'audit_writer_gone' },
      });
    }
    expect(world.lines).toEqual(['audit_writer_gone']);
    await vi.advanceTimersByTimeAsync(limits.auditWriterRestartMs);
    await settle();
    expect(world.chained()).toEqual([1]);
    await audit.record(event(5));
    expect(await audit.append(event(6))).toMatchObject({ sequence: 3 });
    expect(world.chained()).toEqual([1, 5, 6]);
    await audit.close();
    expect(world.lines).toEqual(['audit_writer_gone']);
  });

  it('is tried again less and less often, and as often as at first once it has been there', async () => {
    const { audit, cut } = await world.gateway('jrn_2');
    world.startFailures = 3;
    cut(new Error('out of memory'));
    for (const times of [1, 2, 4]) {
      await vi.advanceTimersByTimeAsync(times * limits.auditWriterRestartMs - 1);
      expect(world.startFailures).toBe(3 - Math.log2(times));
      await vi.advanceTimersByTimeAsync(1);
      expect(world.startFailures).toBe(2 - Math.log2(times));
      await expect(audit.record(event(1))).rejects.toMatchObject({ detail: { reason: 'audit_writer_gone' } });
    }
    await vi.advanceTimersByTimeAsync(8 * limits.auditWriterRestartMs);
    await settle();
    await audit.record(event(2));
    cut(new Error('again'));
    await vi.advanceTimersByTimeAsync(limits.auditWriterRestartMs);
    await settle();
    await audit.record(event(3));
    await audit.close();
    expect(world.chained()).toEqual([2, 3]);
    expect(world.lines).toEqual(Array(5).fill('audit_writer_gone'));
  });

  it('that begins anew counts what the one before has brought in, whose files may be gone', async () => {
    const { audit, cut, file } = await world.gateway('jrn_2');
    const long = 'x'.repeat(limits.auditEventCharsMax / 2);
    for (let n = 0; file.segments.size === 1 && n < 1_000; n++) {
      await audit.append({ ...event(n), data: { n, long } });
    }
    await settle();
    const recorded = world.chained().length;
    expect(Math.min(...file.segments.keys())).toBeGreaterThan(1);
    cut(new Error('out of memory'));
    await vi.advanceTimersByTimeAsync(limits.auditWriterRestartMs);
    await settle();
    // If those were missing, the chain would seem to be that far behind for ever, and its authors be held.
    for (let n = 0; n < 300; n++) await audit.append({ ...event(n), data: { n, long } });
    expect(world.chained()).toHaveLength(recorded + 300);
    await audit.close();
  });

  it('that cannot begin is not waited for when the gateway ends', async () => {
    world.startFailures = 1;
    const { audit } = await world.gateway('jrn_2');
    await audit.close();
    expect(world.lines).toEqual(['audit_writer_gone', 'audit_journal_not_ended']);
    expect(vi.getTimerCount()).toBe(0);
    world.alive.delete('jrn_2');
    await world.recover();
    expect(world.left).toEqual(['jrn_1']);
  });

  it('is woken when it has nothing to do, and looks by itself while it has', async () => {
    const { audit } = gateway;
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 5; n++) {
        await audit.record(event(round * 5 + n));
        await settle();
        await vi.advanceTimersByTimeAsync(limits.auditIngestEveryMs);
      }
      expect(world.chained()).toHaveLength(round * 5 + 5);
      await vi.advanceTimersByTimeAsync(limits.auditIngestEveryMs * limits.auditIngestIdlePasses * 2);
      expect(vi.getTimerCount()).toBe(0);
    }
  });

  it('ends the journal once what it held back is in the chain, too', async () => {
    const { audit, file } = gateway;
    file.beforeSync = () => Promise.reject(new Error('EIO'));
    await audit.record(event(1));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    // From here on, nothing is written before the chain is level and on the disk.
    const told: string[] = [];
    const held = audit.record(event(2)).then(
      () => told.push('recorded'),
      () => told.push('refused'),
    );
    await nextTurn();
    await audit.close();
    await held;
    expect([told, world.chained()]).toEqual([['recorded'], [1, 2]]);
    await gateway.served;
    expect([file.segments.size, world.store.journalRows.size]).toEqual([0, 0]);
  });

  it('refuses politely once it is closed', async () => {
    await gateway.audit.close();
    await expect(gateway.audit.record(event(1))).rejects.toMatchObject({
      detail: { reason: 'audit_closed' },
    });
    expect(await gateway.audit.close()).toBeUndefined();
  });
});
