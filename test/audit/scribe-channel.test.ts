/** A scribe beyond a channel that copies everything, as one in another thread is. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  type AuditEvent,
  type AuditLog,
  type AuditSink,
  type Channel,
  channelLog,
  createAuditLog,
  createScribe,
  type RecordedEvent,
  remoteScribe,
  serveScribe,
} from '../../src/audit/index.ts';
import { fixedClock, type Log, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const A = 'ws_a' as WorkspaceId;
const key = () => Secret.fromBytes(Buffer.alloc(32, 5));
const event = (n: number): AuditEvent => ({
  workspace: A,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cel_1' },
  ...(n % 2 === 0 ? { server: 'github' } : {}),
  data: { n, text: 'ü\ud83d\ude00"\\' },
});

/** Two ends that pass structured clones in later turns, and can be cut. */
function channels(): { near: Channel; far: Channel; cut: (error: Error | null) => void } {
  const listeners = { near: [] as ((message: unknown) => void)[], far: [] as ((message: unknown) => void)[] };
  let onEnd: (error: Error | null) => void = () => undefined;
  const end = (mine: 'near' | 'far', other: 'near' | 'far'): Channel => ({
    post(message) {
      const copy: unknown = structuredClone(message);
      setImmediate(() => {
        for (const listener of listeners[other]) listener(copy);
      });
    },
    onMessage: (listener) => void listeners[mine].push(listener),
    onEnd(listener) {
      onEnd = listener;
    },
  });
  const near = end('near', 'far');
  return { far: end('far', 'near'), near, cut: (error) => onEnd(error) };
}

function world(options: { log?: Log; sinks?: readonly AuditSink[]; serve?: boolean } = {}) {
  const store = new MemoryAuditStore();
  const clock = fixedClock(1000);
  const { near, far, cut } = channels();
  const inner = createScribe({ store, key: key(), clock, log: channelLog(far), durability: 'strict' });
  const served = options.serve === false ? Promise.resolve() : serveScribe(far, inner);
  const scribe = remoteScribe(near, options.log ?? silentLog);
  const log: AuditLog = createAuditLog({
    store,
    key: key(),
    clock,
    log: silentLog,
    scribe,
    ...(options.sinks === undefined ? {} : { sinks: options.sinks }),
  });
  return { store, log, scribe, served, cut };
}

describe('a scribe in another thread', () => {
  it('records what was handed in, and gives it back where it is asked for', async () => {
    const { store, log, served } = world();
    const recorded = await Promise.all([log.append(event(1)), log.append(event(2)), log.append(event(3))]);
    await log.record(event(4));
    expect(recorded.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(store.chain(A).events.slice(0, 3)).toEqual(recorded);
    expect(store.chain(A).events[3]?.data).toEqual(event(4).data);
    expect((await log.verify(A)).ok).toBe(true);
    await log.close();
    await served;
    expect(store.chain(A).checkpoints).toMatchObject([{ sequence: 4 }]);
  });

  it('tells sinks of events and checkpoints', async () => {
    const delivered: (RecordedEvent | number)[] = [];
    const sink: AuditSink = {
      name: 'one',
      deliver: (events, checkpoint) => {
        delivered.push(...events);
        if (checkpoint !== null) delivered.push(checkpoint.sequence);
      },
    };
    const { store, log } = world({ sinks: [sink] });
    await log.record(event(1));
    await log.note(event(2));
    await log.close();
    expect(delivered).toEqual([...store.chain(A).events, 2]);
  });

  it('knows what it has seen when the log is put back, and says the same as one at home', async () => {
    const { store, log } = world();
    await log.append(event(1));
    const chain = store.chain(A);
    const old = { events: chain.events.slice(), head: chain.head };
    await log.append(event(2));
    Object.assign(chain, old);
    await expect(log.append(event(3))).rejects.toMatchObject({
      code: 'audit_unavailable',
      hint: 'Run `sallyport audit verify`. If you restored a backup on purpose, restart Sallyport.',
      detail: { reason: 'audit_rolled_back' },
      cause: { code: 'audit_rolled_back', detail: { workspace: A, seen: 2, found: 1 } },
    });
    expect((await log.verify(A)).problems).toMatchObject([{ code: 'chain_rolled_back', sequence: 2 }]);
  });

  it('is told where another scribe of the process has come to', async () => {
    const { scribe } = world();
    const end = { sequence: 9, hash: 'ab'.repeat(32) };
    expect(await scribe.seen(A)).toBeNull();
    scribe.goOnFrom(A, end);
    expect(await scribe.seen(A)).toEqual(end);
  });

  it('says what was in the way, of whatever kind it was', async () => {
    const { store, log } = world();
    store.beforeAppend = () => Promise.reject(new TypeError('no such thing'));
    await expect(log.record(event(1))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'internal_error' },
      cause: { message: 'TypeError: no such thing' },
    });
  });

  it('has its lines in the log of the process', async () => {
    const lines: string[] = [];
    const { store, log } = world({ log: { ...silentLog, error: (what) => void lines.push(what) } });
    store.addCheckpoint = () => Promise.reject(new Error('no'));
    await log.record(event(1));
    await log.close();
    await nextTurn();
    expect(lines).toEqual(['audit_checkpoint_failed']);
  });

  it('refuses what waits and whatever comes later, once it is gone', async () => {
    const lines: string[] = [];
    const { log, cut } = world({
      serve: false,
      log: { ...silentLog, error: (what) => void lines.push(what) },
    });
    const waiting = [log.record(event(1))];
    await nextTurn();
    await nextTurn();
    waiting.push(log.record(event(2)));
    cut(new Error('out of memory'));
    await Promise.allSettled(waiting);
    for (const refused of [...waiting, log.record(event(3)), log.append(event(4))]) {
      await expect(refused).rejects.toMatchObject({
        code: 'audit_unavailable',
        hint: 'Restart Sallyport.',
        detail: { reason: 'audit_writer_gone' },
      });
    }
    expect(lines).toEqual(['audit_writer_gone']);
  });
});
