import { describe, expect, it } from 'vitest';
import {
  type AuditEvent,
  type AuditLog,
  type AuditSink,
  createAuditLog,
  type RecordedEvent,
  toJsonLines,
} from '../../src/audit/index.ts';
import { AppError, fixedClock, limits, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const A = 'ws_a' as WorkspaceId;
const B = 'ws_b' as WorkspaceId;
const key = () => Secret.fromBytes(Buffer.alloc(32, 5));
const event = (n: number, workspace = A): AuditEvent => ({
  workspace,
  type: 'call.started',
  actor: { kind: 'token', id: 'tok_1' },
  server: 'github',
  data: { n },
});
const code = (code: string) => expect.objectContaining({ name: 'AppError', code });

function world(sinks: readonly AuditSink[] = []) {
  const store = new MemoryAuditStore();
  const clock = fixedClock(1000);
  const open = () => createAuditLog({ store, key: key(), clock, log: silentLog, sinks });
  return { store, clock, open, log: open() };
}

async function all(events: AsyncIterable<RecordedEvent>): Promise<number[]> {
  const sequences: number[] = [];
  for await (const { sequence } of events) sequences.push(sequence);
  return sequences;
}

const verified = async (log: AuditLog, workspace = A) => {
  const { ok, events, problems } = await log.verify(workspace);
  return { ok, events, problems };
};

describe('append', () => {
  it('gives the event its place, durable when it resolves', async () => {
    const { store, clock, log } = world();
    const first = await log.append(event(1));
    clock.advance(5);
    const second = await log.append(event(2));
    expect(first).toMatchObject({ sequence: 1, at: 1000, previous: '0'.repeat(64), data: { n: 1 } });
    expect(second).toMatchObject({ sequence: 2, at: 1005, previous: first.hash });
    expect(await store.read(A, 1, 10)).toEqual([first, second]);
    expect(await store.head(A)).toMatchObject({ sequence: 2, hash: second.hash });
  });

  it('records 1,000 concurrent events without a gap, in far fewer transactions', async () => {
    const { store, log } = world();
    store.beforeAppend = () => new Promise(setImmediate);
    const recorded = await Promise.all(
      Array.from({ length: 1000 }, async (_, n) => {
        // Spread over turns of the event loop, as requests are.
        for (let turn = 0; turn < n % 10; turn++) await new Promise(setImmediate);
        return log.append(event(n));
      }),
    );
    expect(recorded.map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    expect(store.transactions).toBeLessThan(50);
    expect(await verified(log)).toEqual({ ok: true, events: 1000, problems: [] });
    const stored = await store.read(A, 1, 2000);
    for (const one of recorded) expect(stored[one.sequence - 1]).toEqual(one);
  });

  it('puts everything of one turn of the event loop into one transaction', async () => {
    const { store, log } = world();
    await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(event(n))));
    expect(store.transactions).toBe(1);
  });

  it('keeps a chain for each workspace', async () => {
    const { log } = world();
    const [a, b] = await Promise.all([log.append(event(1, A)), log.append(event(1, B))]);
    expect([a.sequence, b.sequence]).toEqual([1, 1]);
    expect(a.hash).not.toBe(b.hash);
    expect(await verified(log, A)).toEqual({ ok: true, events: 1, problems: [] });
    expect(await verified(log, B)).toEqual({ ok: true, events: 1, problems: [] });
  });

  it('interleaves with other writers of the same store', async () => {
    const { store, open } = world();
    let turns = 0;
    store.beforeAppend = async () => {
      for (let i = 0; i < (turns++ * 7) % 4; i++) await new Promise(setImmediate);
    };
    const logs = [open(), open(), open()];
    await Promise.all(
      logs.map(async (log, writer) => {
        for (let n = 0; n < 50; n++) await log.append(event(writer * 1000 + n));
      }),
    );
    const log = open();
    expect(await verified(log)).toEqual({ ok: true, events: 150, problems: [] });
    const stored = await store.read(A, 1, 1000);
    for (const writer of [0, 1, 2]) {
      const own = stored.map(({ data }) => Number(data['n'])).filter((n) => Math.floor(n / 1000) === writer);
      expect(own).toEqual(Array.from({ length: 50 }, (_, n) => writer * 1000 + n));
    }
  });

  it('goes on where the last process ended', async () => {
    const { open } = world();
    const first = open();
    await first.append(event(1));
    await first.close();
    expect(await open().append(event(2))).toMatchObject({ sequence: 2 });
    expect(await verified(open())).toEqual({ ok: true, events: 2, problems: [] });
  });
});

describe('an append that fails', () => {
  it('is an error for everybody who waits, and only for them', async () => {
    const { store, log } = world();
    await log.append(event(0));
    const release = Promise.withResolvers<void>();
    store.beforeAppend = async () => {
      // Once: whoever waits is refused without being tried.
      store.beforeAppend = async () => {};
      await release.promise;
      throw new Error('disk full');
    };
    const waiting = [1, 2, 3].map((n) => log.append(event(n)));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    // These come while the failing transaction is running.
    waiting.push(...[4, 5].map((n) => log.append(event(n))));
    release.resolve();
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'audit_unavailable' } });
    }
    expect(await log.append(event(6))).toMatchObject({ sequence: 2 });
    expect(await verified(log)).toEqual({ ok: true, events: 2, problems: [] });
  });

  it('keeps its cause for the log, and says nothing of it outside', async () => {
    const { store, log } = world();
    const cause = new Error('SQLITE_FULL');
    store.beforeAppend = () => Promise.reject(cause);
    const error: unknown = await log.append(event(1)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'audit_unavailable', kind: 'failed', cause });
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toBe('The audit log could not record this, so it was not done.');
  });

  it('does no harm when the transaction came through all the same', async () => {
    const { store, log } = world();
    const append = store.append.bind(store);
    store.append = async (...args) => {
      await append(...args);
      store.append = append;
      throw new Error('connection lost after commit');
    };
    await expect(log.append(event(1))).rejects.toEqual(code('audit_unavailable'));
    expect(await log.append(event(2))).toMatchObject({ sequence: 2 });
    expect(await verified(log)).toEqual({ ok: true, events: 2, problems: [] });
  });

  it('gives up when the chain moves every time', async () => {
    const { store, log } = world();
    let attempts = 0;
    store.beforeAppend = async () => {
      attempts += 1;
      throw new AppError('audit_chain_moved', 'moved', { kind: 'conflict' });
    };
    await expect(log.append(event(1))).rejects.toEqual(code('audit_unavailable'));
    expect(attempts).toBe(limits.auditChainRetriesMax + 1);
  });

  it('refuses at once when too many wait', async () => {
    const { store, log } = world();
    const release = Promise.withResolvers<void>();
    store.beforeAppend = () => release.promise;
    const waiting = Array.from({ length: limits.auditQueueEventsMax }, (_, n) => log.append(event(n)));
    await expect(log.append(event(-1))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_queue_full' },
    });
    release.resolve();
    await Promise.all(waiting);
    await log.append(event(1));
    expect(await verified(log)).toEqual({ ok: true, events: limits.auditQueueEventsMax + 1, problems: [] });
  });

  it('refuses to go on from a head that somebody else wrote', async () => {
    const { store, open } = world();
    const log = open();
    for (let n = 0; n < 3; n++) await log.append(event(n));
    const chain = store.chain(A);
    const second = chain.events[1];
    if (chain.head === null || second === undefined) throw new Error('nothing was recorded');
    // The last event is cut off, and the head set back to the one before, as well as a thief can.
    chain.events.pop();
    chain.head = { sequence: 2, hash: second.hash, mac: chain.head.mac };
    for (const writer of [log, open()]) {
      await expect(writer.append(event(9))).rejects.toMatchObject({
        code: 'audit_unavailable',
        hint: expect.stringContaining('sallyport audit verify'),
        detail: { reason: 'audit_head_forged' },
      });
    }
    expect(chain.events).toHaveLength(2);
    await expect(open().checkpoint(A)).rejects.toEqual(code('audit_unavailable'));
  });

  it('refuses what cannot be recorded, and records the others', async () => {
    const { log } = world();
    const bad = log.append({ ...event(1), data: { n: Number.NaN } });
    const good = log.append(event(2));
    await expect(bad).rejects.toEqual(code('audit_event_invalid'));
    expect(await good).toMatchObject({ sequence: 1 });
  });
});

describe('close', () => {
  it('writes what waits and refuses what comes later', async () => {
    const { store, log } = world();
    const waiting = [1, 2, 3].map((n) => log.append(event(n)));
    await log.close();
    expect((await Promise.all(waiting)).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(store.chain(A).events).toHaveLength(3);
    await expect(log.append(event(4))).rejects.toMatchObject({ detail: { reason: 'audit_closed' } });
  });

  it('signs a last checkpoint of a chain that grew', async () => {
    const { store, log, open } = world();
    await log.append(event(1));
    await log.close();
    expect(store.chain(A).checkpoints).toMatchObject([{ sequence: 1, at: 1000 }]);
    await open().close();
    expect(store.chain(A).checkpoints).toHaveLength(1);
  });

  it('signs no second checkpoint of the same event', async () => {
    const { store, log } = world();
    await Promise.all(Array.from({ length: 1000 }, (_, n) => log.append(event(n))));
    await log.close();
    expect(store.chain(A).checkpoints.map(({ sequence }) => sequence)).toEqual([1000]);
  });
});

describe('checkpoints', () => {
  it('are signed each 1,000 events, and verify', async () => {
    const { store, log } = world();
    for (let batch = 0; batch < 25; batch++) {
      await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(event(n))));
    }
    expect(store.chain(A).checkpoints.map(({ sequence }) => sequence)).toEqual([1000, 2000]);
    expect(await log.verify(A)).toMatchObject({ ok: true, events: 2500, checkpoints: 2 });
  });

  it('that cannot be stored do not fail the append', async () => {
    const { store, log } = world();
    store.addCheckpoint = () => Promise.reject(new Error('no'));
    await Promise.all(Array.from({ length: 1000 }, (_, n) => log.append(event(n))));
    expect(await log.append(event(1))).toMatchObject({ sequence: 1001 });
    await log.close();
  });
});

describe('sinks', () => {
  it('are told of durable events in order, and cannot harm', async () => {
    const seen: number[] = [];
    const checkpoints: number[] = [];
    const good: AuditSink = {
      name: 'good',
      deliver: (events, checkpoint) => {
        seen.push(...events.map(({ sequence }) => sequence));
        if (checkpoint !== null) checkpoints.push(checkpoint.sequence);
      },
    };
    const bad: AuditSink = {
      name: 'bad',
      deliver: () => {
        throw new Error('sink is broken');
      },
    };
    const { log } = world([bad, good]);
    for (let n = 0; n < 3; n++) await log.append(event(n));
    await log.close();
    expect(seen).toEqual([1, 2, 3]);
    expect(checkpoints).toEqual([3]);
  });
});

describe('reading', () => {
  it('exports a range, page by page', async () => {
    const { log } = world();
    await Promise.all(Array.from({ length: 2345 }, (_, n) => log.append(event(n))));
    expect(await all(log.export(A))).toEqual(Array.from({ length: 2345 }, (_, i) => i + 1));
    expect(await all(log.export(A, { from: 999, to: 1002 }))).toEqual([999, 1000, 1001, 1002]);
    expect(await all(log.export(A, { from: 2346 }))).toEqual([]);
    expect(await all(log.export(B))).toEqual([]);
  });

  it('exports what is there, and nothing beyond the range, when events are missing', async () => {
    const { store, log } = world();
    await Promise.all(Array.from({ length: 6 }, (_, n) => log.append(event(n))));
    const chain = store.chain(A);
    chain.events = chain.events.filter(({ sequence }) => sequence !== 3);
    expect(await all(log.export(A, { from: 2, to: 3 }))).toEqual([2]);
    expect(await all(log.export(A))).toEqual([1, 2, 4, 5, 6]);
  });

  it('renders JSON Lines', async () => {
    const { log } = world();
    await log.append(event(1));
    await log.append(event(2));
    const lines: string[] = [];
    for await (const line of toJsonLines(log.export(A))) lines.push(line);
    expect(lines.map((line) => (JSON.parse(line) as RecordedEvent).sequence)).toEqual([1, 2]);
    expect(lines.every((line) => line.endsWith('}\n'))).toBe(true);
  });

  it('shows the end', async () => {
    const { log } = world();
    await Promise.all(Array.from({ length: 30 }, (_, n) => log.append(event(n))));
    expect(await all(log.tail(A))).toEqual(Array.from({ length: 20 }, (_, i) => i + 11));
    expect(await all(log.tail(A, { last: 2 }))).toEqual([29, 30]);
    expect(await all(log.tail(A, { last: 0 }))).toEqual([]);
    expect(await all(log.tail(A, { last: 100 }))).toHaveLength(30);
  });

  it('follows what this process and others append, until told to stop', async () => {
    const { open } = world();
    const [mine, other] = [open(), open()];
    await mine.append(event(1));
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const { sequence } of mine.tail(A, { follow: stop.signal })) {
      seen.push(sequence);
      if (sequence === 1) await mine.append(event(2));
      if (sequence === 2) await other.append(event(3));
      if (sequence === 3) stop.abort();
    }
    expect(seen).toEqual([1, 2, 3]);
  });
});
