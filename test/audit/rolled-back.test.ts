/** A thief who copied a genuine head puts it back: a process that has seen more does not go on from there. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type AuditEvent, type AuditLog, createAuditLog } from '../../src/audit/index.ts';
import { fixedClock, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const A = 'ws_a' as WorkspaceId;
const event = (n: number): AuditEvent => ({
  workspace: A,
  type: 'call.started',
  actor: { kind: 'token', id: 'tok_1' },
  data: { n },
});

let store: MemoryAuditStore;
let log: AuditLog;
let chain: ReturnType<MemoryAuditStore['chain']>;
/** Rows as they were after five events, head and all. */
let old: Pick<typeof chain, 'events' | 'head'>;

const another = (): AuditLog =>
  createAuditLog({
    store,
    key: Secret.fromBytes(Buffer.alloc(32, 5)),
    clock: fixedClock(1000),
    log: silentLog,
  });

beforeEach(async () => {
  store = new MemoryAuditStore();
  log = another();
  chain = store.chain(A);
  for (let n = 1; n <= 5; n++) await log.append(event(n));
  old = { events: chain.events.slice(), head: chain.head };
  for (let n = 6; n <= 10; n++) await log.append(event(n));
});

const refused = (seen: number, found: number) => ({
  code: 'audit_unavailable',
  hint: 'Run `sallyport audit verify`. If you restored a backup on purpose, restart Sallyport.',
  cause: { code: 'audit_rolled_back', detail: { workspace: A, seen, found } },
});

describe('a chain that was put back to an older state while a process runs', () => {
  it('is not gone on with, and verification says what is gone', async () => {
    Object.assign(chain, old);
    await expect(log.append(event(11))).rejects.toMatchObject(refused(10, 5));
    await expect(log.append(event(11))).rejects.toMatchObject(refused(10, 5));
    expect(chain.events).toHaveLength(5);
    expect((await log.verify(A)).problems).toEqual([
      {
        code: 'chain_rolled_back',
        sequence: 6,
        through: 10,
        message: 'The chain ends at 5, but this process has seen events 6 to 10.',
      },
    ]);
    // The control: whoever has seen nothing before takes it for the truth.
    expect((await another().verify(A)).problems).toEqual([]);
    expect(await another().append(event(11))).toMatchObject({ sequence: 6 });
  });

  it('is not begun anew when everything is gone', async () => {
    Object.assign(chain, { events: [], head: null, checkpoints: [] });
    await expect(log.append(event(11))).rejects.toMatchObject(refused(10, 0));
    expect((await log.verify(A)).problems).toMatchObject([
      { code: 'chain_rolled_back', sequence: 1, through: 10 },
    ]);
    expect((await another().verify(A)).ok).toBe(true);
  });

  it('is not gone on with when another process has made it longer since', async () => {
    for (const more of [5, 8]) {
      Object.assign(chain, { events: old.events.slice(), head: old.head });
      const cli = another();
      for (let n = 1; n <= more; n++) await cli.append(event(100 + n));
      await expect(log.append(event(11))).rejects.toMatchObject(refused(10, 5 + more));
      expect((await log.verify(A)).problems).toMatchObject([
        { code: 'chain_rolled_back', sequence: 10, through: 10 },
      ]);
      expect((await another().verify(A)).ok).toBe(true);
    }
  });

  it('counts what was read as well as what was written', async () => {
    const reader = another();
    await reader.append(event(11));
    await log.append(event(12));
    await reader.append(event(13));
    Object.assign(chain, { events: chain.events.slice(0, 11), head: old.head });
    await expect(reader.append(event(14))).rejects.toMatchObject(refused(13, 5));
  });

  it('goes on once it is back where it was', async () => {
    const now = { events: chain.events.slice(), head: chain.head };
    Object.assign(chain, old);
    await expect(log.append(event(11))).rejects.toMatchObject(refused(10, 5));
    Object.assign(chain, now);
    expect(await log.append(event(11))).toMatchObject({ sequence: 11 });
    expect((await log.verify(A)).problems).toEqual([]);
  });
});
