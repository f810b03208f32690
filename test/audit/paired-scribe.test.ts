/** Two scribes that take turns on one log. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type AuditEvent,
  type AuditLog,
  createAuditLog,
  createScribe,
  pairedScribe,
  type Scribe,
} from '../../src/audit/index.ts';
import { fixedClock, limits, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const A = 'ws_a' as WorkspaceId;
const FEW = limits.auditNearEventsMax;
const MANY = FEW + 1;
const event = (n: number): AuditEvent => ({
  workspace: A,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cel_1' },
  data: { n },
});

describe('two scribes', () => {
  let store: MemoryAuditStore;
  let log: AuditLog;
  let wrote: string[];
  /** Transactions that were tried. */
  let attempts: number;
  const key = (): Secret => Secret.fromBytes(Buffer.alloc(32, 5));
  const deps = () => ({ store, key: key(), clock: fixedClock(1000), log: silentLog });

  const named = (name: string): Scribe => {
    const inner = createScribe({ ...deps(), durability: 'strict' });
    return {
      goOnFrom: (workspace, end) => inner.goOnFrom(workspace, end),
      seen: (workspace) => inner.seen(workspace),
      close: () => inner.close(),
      write(workspace, batch, wantsHashes) {
        wrote.push(`${name} ${batch.length}`);
        return inner.write(workspace, batch, wantsHashes);
      },
    };
  };
  const record = (count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, n) => log.append(event(n))));

  beforeEach(() => {
    store = new MemoryAuditStore();
    wrote = [];
    attempts = 0;
    store.beforeAppend = async () => void (attempts += 1);
    log = createAuditLog({ ...deps(), scribe: pairedScribe(named('near'), named('far')) });
  });

  it('leave few events to the near one and many to the far one, and never write past each other', async () => {
    for (const count of [FEW, MANY, 1, 20, 20, 1, 1, MANY]) await record(count);
    expect(wrote).toEqual([
      `near ${FEW}`,
      `far ${MANY}`,
      'near 1',
      'far 20',
      'far 20',
      'near 1',
      'near 1',
      `far ${MANY}`,
    ]);
    // Each went on from where the other was: none was refused by the store and tried again.
    expect(attempts).toBe(wrote.length);
    expect(await log.verify(A)).toMatchObject({ ok: true, events: FEW + 2 * MANY + 43 });
  });

  it('go on where a batch of one of them failed', async () => {
    await record(1);
    store.beforeAppend = () => Promise.reject(new Error('disk full'));
    await expect(record(MANY)).rejects.toMatchObject({ code: 'audit_unavailable' });
    await expect(record(1)).rejects.toMatchObject({ code: 'audit_unavailable' });
    store.beforeAppend = async () => {};
    for (const count of [1, MANY, 1]) await record(count);
    expect(await log.verify(A)).toMatchObject({ ok: true, events: 3 + MANY });
  });

  it('go on after another process', async () => {
    const other = createAuditLog(deps());
    for (const count of [1, MANY, 1, MANY]) {
      await record(count);
      await other.record(event(100));
    }
    expect(await log.verify(A)).toMatchObject({ ok: true, problems: [] });
  });

  it.each([
    ['near', 'far', 1, MANY],
    ['far', 'near', MANY, 1],
  ])('know of what the other has seen: %s wrote last, %s notices', async (_, __, last, next) => {
    await record(1);
    await record(MANY);
    const chain = store.chain(A);
    const old = { events: chain.events.slice(), head: chain.head };
    await record(last);
    Object.assign(chain, old);
    const problems = [
      { code: 'chain_rolled_back', sequence: old.events.length + 1, through: old.events.length + last },
    ];
    expect((await log.verify(A)).problems).toMatchObject(problems);
    await expect(record(next)).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_rolled_back' },
    });
    expect((await log.verify(A)).problems).toMatchObject(problems);
  });

  it('let the far one in now and then, however few events there are', async () => {
    for (let n = 0; n <= limits.auditNearBatchesMax + 1; n++) await record(1);
    expect(wrote.indexOf('far 1')).toBe(limits.auditNearBatchesMax);
    expect(wrote.lastIndexOf('far 1')).toBe(limits.auditNearBatchesMax);
  });

  it.each([
    ['near', [MANY, 1]],
    ['far', [1, MANY]],
  ])('sign one last checkpoint, when the %s one wrote last', async (_, counts) => {
    for (const count of counts) await record(count);
    await log.close();
    expect(store.chain(A).checkpoints.map(({ sequence }) => sequence)).toEqual([MANY + 1]);
  });
});
