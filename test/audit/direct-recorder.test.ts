/** How events share transactions and promises on their way into the chain. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  type AuditEvent,
  createAuditLog,
  createScribe,
  directRecorder,
  type Scribe,
} from '../../src/audit/index.ts';
import { fixedClock, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const A = 'ws_a' as WorkspaceId;
const event = (n: number): AuditEvent => ({
  workspace: A,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cel_1' },
  data: { n },
});

function world() {
  const store = new MemoryAuditStore();
  const deps = {
    store,
    key: Secret.fromBytes(Buffer.alloc(32, 5)),
    clock: fixedClock(1000),
    log: silentLog,
  };
  const batches: number[] = [];
  const inner = createScribe(deps);
  const gate = { open: async () => {} };
  const scribe: Scribe = {
    seen: (workspace) => inner.seen(workspace),
    close: () => inner.close(),
    async write(workspace, batch) {
      batches.push(batch.length);
      await gate.open();
      return inner.write(workspace, batch);
    },
  };
  const log = createAuditLog({ ...deps, recorder: directRecorder(scribe) });
  const order = (): unknown[] => store.chain(A).events.map(({ data }) => data['n']);
  return { store, log, batches, gate, order };
}

describe('events on their way', () => {
  it('share one promise with all of their turn', async () => {
    const { log, batches } = world();
    const [one, two] = [log.record(event(1)), log.record(event(2))];
    expect(one).toBe(two);
    await nextTurn();
    expect(log.record(event(3))).not.toBe(one);
    await one;
    expect(batches).toEqual([2]);
    await log.close();
  });

  it('keep the order in which they were handed in, in whatever way that was', async () => {
    const { log, batches, order } = world();
    const noted = log.note(event(1));
    const recorded = log.record(event(2));
    expect(await log.append(event(3))).toMatchObject({ sequence: 3, data: { n: 3 } });
    await Promise.all([noted, recorded]);
    expect([batches, order()]).toEqual([[3], [1, 2, 3]]);
  });

  it('are collected while a batch is under way', async () => {
    const { log, batches, gate, order } = world();
    const release = Promise.withResolvers<void>();
    gate.open = () => release.promise;
    const waiting: Promise<void>[] = [];
    for (let turn = 0; turn < 5; turn++) {
      waiting.push(log.record(event(turn)));
      await nextTurn();
      await nextTurn();
    }
    expect(batches).toEqual([1]);
    release.resolve();
    await Promise.all(waiting);
    expect([batches, order()]).toEqual([
      [1, 4],
      [0, 1, 2, 3, 4],
    ]);
  });

  it('are refused one by one where one of them cannot be recorded', async () => {
    const { log, order } = world();
    const bad = log.record({ ...event(1), data: { n: Number.NaN } });
    const good = log.record(event(2));
    await expect(bad).rejects.toMatchObject({ code: 'audit_event_invalid' });
    await good;
    expect(order()).toEqual([2]);
  });

  it('fail without harm where nobody looks', async () => {
    const { log, store } = world();
    const unhandled: unknown[] = [];
    const listen = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listen);
    store.beforeAppend = () => Promise.reject(new Error('disk full'));
    void log.note(event(1));
    await expect(log.append(event(2))).rejects.toMatchObject({ code: 'audit_unavailable' });
    await expect(log.record(event(3))).rejects.toMatchObject({ code: 'audit_unavailable' });
    await nextTurn();
    await nextTurn();
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });
});
