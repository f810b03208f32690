import { beforeEach, describe, expect, it } from 'vitest';
import {
  type AuditEvent,
  type AuditLog,
  type Checkpoint,
  createAuditLog,
  hashOf,
  type RecordedEvent,
} from '../../src/audit/index.ts';
import { AppError, fixedClock, limits, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const A = 'ws_a' as WorkspaceId;
const EVENTS = 10;
const open = (store: MemoryAuditStore, fill = 5): AuditLog =>
  createAuditLog({
    store,
    key: Secret.fromBytes(Buffer.alloc(32, fill)),
    clock: fixedClock(1000),
    log: silentLog,
  });
const event = (n: number): AuditEvent => ({
  workspace: A,
  type: 'credential.used',
  actor: { kind: 'cell', id: 'cell_1' },
  data: { n },
});

let store: MemoryAuditStore;
let log: AuditLog;
let chain: ReturnType<MemoryAuditStore['chain']>;

beforeEach(async () => {
  store = new MemoryAuditStore();
  log = open(store);
  for (let n = 1; n <= EVENTS; n++) await log.append(event(n));
  chain = store.chain(A);
});

const at = (sequence: number): RecordedEvent => {
  const found = chain.events.find((one) => one.sequence === sequence);
  if (found === undefined) throw new Error(`no event ${sequence}`);
  return found;
};
const put = (sequence: number, changed: RecordedEvent): void => {
  chain.events[chain.events.indexOf(at(sequence))] = changed;
};
const remove = (...sequences: number[]): void => {
  chain.events = chain.events.filter((one) => !sequences.includes(one.sequence));
};
/** With the hash that its content ought to have: what an attacker without the key can do. */
const rehashed = (changed: RecordedEvent): RecordedEvent => ({ ...changed, hash: hashOf(changed) });

/** Code and sequence (and last sequence) of each problem, as a process finds them that has seen nothing before. */
async function problems(anchors: readonly Checkpoint[] = []): Promise<string[]> {
  const report = await open(store).verify(A, { anchors });
  expect(report.ok).toBe(report.problems.length === 0);
  return report.problems.map((problem) => {
    expect(problem.message).toContain(String(problem.sequence));
    return `${problem.code} ${problem.sequence}${problem.through === undefined ? '' : `-${problem.through}`}`;
  });
}

describe('an untouched chain', () => {
  it('verifies', async () => {
    expect(await log.verify(A)).toEqual({
      workspace: A,
      ok: true,
      events: 10,
      head: { sequence: 10, hash: at(10).hash },
      checkpoints: 0,
      publicKey: expect.stringMatching(/^[0-9a-f]{64}$/),
      problems: [],
      more: false,
    });
  });

  it('verifies while it is empty, and while it grows', async () => {
    expect(await log.verify('ws_none' as WorkspaceId)).toMatchObject({ ok: true, events: 0, head: null });
    const read = store.read.bind(store);
    store.read = async (...args) => {
      await open(store).append(event(0));
      return read(...args);
    };
    expect(await problems()).toEqual([]);
  });
});

describe('an edited event', () => {
  it.each<[string, Partial<RecordedEvent>]>([
    ['data', { data: { n: 99 } }],
    ['actor', { actor: { kind: 'token', id: 'cell_1' } }],
    ['type', { type: 'credential.refused' }],
    ['time', { at: 1001 }],
    ['server', { server: 'github' }],
    ['previous', { previous: 'f'.repeat(64) }],
    ['hash', { hash: 'f'.repeat(64) }],
    ['workspace', { workspace: 'ws_b' as WorkspaceId }],
    ['data that could never be recorded', { data: { n: Number.NaN } }],
    ['an actor of another shape', { actor: JSON.parse('{"unreadable":"x"}') as RecordedEvent['actor'] }],
    ['an actor that is none', { actor: JSON.parse('null') as RecordedEvent['actor'] }],
    ['data that is no object', { data: JSON.parse('5') as RecordedEvent['data'] }],
    ['a time that is none', { at: Number.NaN }],
  ])('is found: %s', async (what, change) => {
    put(4, { ...at(4), ...change });
    // Where the stored hash itself was changed, the follower does not fit either.
    expect(await problems()).toEqual(
      what === 'hash' ? ['event_edited 4', 'link_broken 5'] : ['event_edited 4'],
    );
  });

  it('is found when its hash was made to fit', async () => {
    put(4, rehashed({ ...at(4), data: { n: 99 } }));
    expect(await problems()).toEqual(['link_broken 5']);
  });

  it('is found when it was taken from another workspace', async () => {
    put(4, rehashed({ ...at(4), workspace: 'ws_b' as WorkspaceId }));
    expect(await problems()).toEqual(['event_edited 4', 'link_broken 5']);
  });

  it('is found when it is the last, with or without its hash made to fit', async () => {
    const last = at(10);
    put(10, { ...last, data: { n: 99 } });
    expect(await problems()).toEqual(['event_edited 10']);
    put(10, rehashed({ ...last, data: { n: 99 } }));
    expect(await problems()).toEqual(['head_mismatch 10']);
  });

  it('is found when everything behind it, and the head, was made to fit', async () => {
    let previous = at(4).previous;
    for (let sequence = 4; sequence <= EVENTS; sequence++) {
      const changed = rehashed({ ...at(sequence), previous, ...(sequence === 4 ? { data: { n: 99 } } : {}) });
      put(sequence, changed);
      previous = changed.hash;
    }
    expect(await problems()).toEqual(['head_mismatch 10']);
    if (chain.head !== null) chain.head = { ...chain.head, hash: previous };
    expect(await problems()).toEqual(['head_mac_wrong 10']);
  });
});

describe('a deleted event', () => {
  it('is found in the middle, at the beginning, and several', async () => {
    remove(4);
    expect(await problems()).toEqual(['event_missing 4-4']);
    remove(1, 7, 8);
    expect(await problems()).toEqual(['event_missing 1-1', 'event_missing 4-4', 'event_missing 7-8']);
  });

  it('is found when the others were renumbered to close the gap', async () => {
    remove(4);
    chain.events = chain.events.map((one) =>
      one.sequence > 4 ? { ...one, sequence: one.sequence - 1 } : one,
    );
    expect(await problems()).toEqual([
      'event_moved 4',
      'event_moved 5',
      'event_moved 6',
      'event_moved 7',
      'event_moved 8',
      'event_moved 9',
      'chain_truncated 10-10',
    ]);
  });
});

describe('a truncated chain', () => {
  it('is found', async () => {
    remove(9, 10);
    expect(await problems()).toEqual(['chain_truncated 9-10']);
  });

  it('is found when the head was set back', async () => {
    remove(9, 10);
    if (chain.head !== null) chain.head = { ...chain.head, sequence: 8, hash: at(8).hash };
    expect(await problems()).toEqual(['head_mac_wrong 8']);
  });

  it('is found when everything is gone but the head, and when the head is gone', async () => {
    const { events } = chain;
    chain.events = [];
    expect(await problems()).toEqual(['chain_truncated 1-10']);
    chain.events = events;
    chain.head = null;
    expect(await problems()).toEqual(['head_missing 1']);
  });

  it('is found by a checkpoint when an old state was put back whole', async () => {
    const old = { events: chain.events.slice(), head: chain.head };
    await log.append(event(11));
    const kept = await log.checkpoint(A);
    if (kept === null) throw new Error('no checkpoint');
    Object.assign(chain, old);
    expect(await problems()).toEqual(['checkpoint_ahead 11']);
    // Without the checkpoint, only somebody who kept it outside can know.
    chain.checkpoints = [];
    expect(await problems()).toEqual([]);
    expect(await problems([kept])).toEqual(['checkpoint_ahead 11']);
  });
});

describe('an inserted event', () => {
  it('is found when the later ones were renumbered to make room', async () => {
    const forged = rehashed({ ...at(4), data: { n: 99 } });
    chain.events = chain.events.map((one) =>
      one.sequence >= 4 ? { ...one, sequence: one.sequence + 1 } : one,
    );
    chain.events.push(forged);
    expect(await problems()).toEqual([
      'event_inserted 4',
      'event_moved 5',
      'event_moved 6',
      'event_moved 7',
      'event_moved 8',
      'event_moved 9',
      'head_mismatch 10',
      'event_moved 10',
      'events_after_head 11',
    ]);
  });

  it('is found at the end', async () => {
    chain.events.push(rehashed({ ...at(10), sequence: 11, previous: at(10).hash }));
    expect(await problems()).toEqual(['events_after_head 11']);
    if (chain.head !== null) chain.head = { ...chain.head, sequence: 11, hash: at(11).hash };
    expect(await problems()).toEqual(['head_mac_wrong 11']);
  });

  it('is found when it has a sequence that is there already', async () => {
    chain.events.push(rehashed({ ...at(4), data: { n: 99 } }));
    expect(await problems()).toEqual(['event_repeated 4']);
  });
});

describe('reordered events', () => {
  it('are found, with where each came from', async () => {
    const [third, seventh] = [at(3), at(7)];
    put(3, { ...seventh, sequence: 3 });
    put(7, { ...third, sequence: 7 });
    const report = await log.verify(A);
    expect(report.problems).toMatchObject([
      { code: 'event_moved', sequence: 3, message: 'Event 3 was moved here from 7.' },
      { code: 'link_broken', sequence: 4 },
      { code: 'event_moved', sequence: 7, message: 'Event 7 was moved here from 3.' },
      { code: 'link_broken', sequence: 8 },
    ]);
  });

  it('are found when blocks of them changed places far from each other', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(event(n))));
    const [early, late] = [[5, 6, 7].map(at), [80, 81, 82].map(at)];
    for (const i of [0, 1, 2]) {
      const [a, b] = [early[i], late[i]];
      if (a === undefined || b === undefined) throw new Error('no such event');
      put(5 + i, { ...b, sequence: 5 + i });
      put(80 + i, { ...a, sequence: 80 + i });
    }
    const { problems: found } = await log.verify(A);
    expect(found.filter(({ code }) => code === 'event_moved').map(({ message }) => message)).toEqual([
      'Event 5 was moved here from 80.',
      'Event 6 was moved here from 81.',
      'Event 7 was moved here from 82.',
      'Event 80 was moved here from 5.',
      'Event 81 was moved here from 6.',
      'Event 82 was moved here from 7.',
    ]);
    expect(found.filter(({ code }) => code === 'event_edited')).toEqual([]);
  });

  it('are found when they are neighbours', async () => {
    const [third, fourth] = [at(3), at(4)];
    put(3, { ...fourth, sequence: 3 });
    put(4, { ...third, sequence: 4 });
    expect(await problems()).toEqual(['event_moved 3', 'event_moved 4', 'link_broken 5']);
  });
});

describe('a head', () => {
  it('is found to be forged', async () => {
    if (chain.head !== null) chain.head = { ...chain.head, mac: Buffer.alloc(32) };
    expect(await problems()).toEqual(['head_mac_wrong 10']);
    if (chain.head !== null) chain.head = { ...chain.head, mac: Buffer.alloc(0) };
    expect(await problems()).toEqual(['head_mac_wrong 10']);
  });

  it('does not fit another key, or another workspace', async () => {
    expect((await open(store, 6).verify(A)).problems).toMatchObject([
      { code: 'head_mac_wrong', sequence: 10 },
    ]);
    const other = 'ws_b' as WorkspaceId;
    store.chains.set(other, { ...chain, events: [] });
    expect((await log.verify(other)).problems.map(({ code }) => code)).toContain('head_mac_wrong');
  });
});

describe('a checkpoint', () => {
  let checkpoint: Checkpoint;
  beforeEach(async () => {
    const made = await log.checkpoint(A);
    if (made === null) throw new Error('no checkpoint');
    checkpoint = made;
  });

  it('is pinned: auditors outside verify it by its public key', () => {
    expect(checkpoint).toEqual({
      workspace: A,
      sequence: 10,
      hash: 'd21bcab00e9102eee7dd4d25bb414667298aa09a7f8ef9a8a5347896284a7394',
      at: 1000,
      publicKey: '37695cf139cde79c62d005ffb57e44fcf82f3d809dd62f15cd77460fa0339e60',
      signature:
        'b1fdd506fa2b38234f8c1e86d28d07888550732fbb7dc7d0317263ac1c4766e8938702037c6088a86061cf9affe16e37018209a2a9646d4b890a4ac3e7e94303',
    });
    expect(chain.head?.mac.toString('hex')).toBe(
      '9f05cd8cb4ffe42cf9cfd61ef2adf24cce92a1e3558e625089243ce618c9071a',
    );
  });

  it.each<[string, Partial<Checkpoint>]>([
    ['sequence', { sequence: 9 }],
    ['hash', { hash: 'f'.repeat(64) }],
    ['time', { at: 1001 }],
    ['workspace', { workspace: 'ws_b' as WorkspaceId }],
    ['signature', { signature: '00'.repeat(64) }],
    ['signature that is not hex', { signature: 'no' }],
    ['key', { publicKey: '00'.repeat(32) }],
  ])('is found to be forged: %s', async (_what, change) => {
    const forged = { ...checkpoint, ...change };
    chain.checkpoints = [forged];
    expect(await problems()).toEqual([`checkpoint_signature_wrong ${forged.sequence}`]);
  });

  it('finds history rewritten by somebody who has the MAC key too', async () => {
    const rewritten = new MemoryAuditStore();
    const thief = open(rewritten);
    for (let n = 1; n <= EVENTS; n++) await thief.append(event(n === 4 ? 99 : n));
    expect((await thief.verify(A)).ok).toBe(true);
    expect((await thief.verify(A, { anchors: [checkpoint] })).problems).toMatchObject([
      { code: 'checkpoint_mismatch', sequence: 10 },
    ]);
  });
});

it('is not disturbed by a checkpoint that is signed while it reads', async () => {
  const checkpoints = store.checkpoints.bind(store);
  store.checkpoints = async (workspace) => {
    await log.append(event(11));
    await log.checkpoint(A);
    return checkpoints(workspace);
  };
  expect(await problems()).toEqual([]);
});

describe('a store', () => {
  it('that finds a row damaged does not end the verification', async () => {
    const read = store.read.bind(store);
    store.read = async (workspace, from, limit) => {
      if (from <= 4 && from + limit > 4) throw new AppError('store_corrupt', 'damaged', { kind: 'failed' });
      return read(workspace, from, limit);
    };
    put(8, { ...at(8), data: {} });
    expect(await problems()).toEqual(['event_unreadable 4', 'event_edited 8']);
  });

  it('that fails, fails the verification', async () => {
    store.read = () => Promise.reject(new Error('gone'));
    await expect(log.verify(A)).rejects.toThrow('gone');
  });
});

it('lists a bounded number of problems', async () => {
  await Promise.all(Array.from({ length: 300 }, (_, n) => log.append(event(n))));
  chain.events = chain.events.map((one) => ({ ...one, data: { n: -1 } }));
  const report = await log.verify(A);
  expect(report).toMatchObject({ ok: false, events: 310, more: true });
  expect(report.problems).toHaveLength(limits.auditProblemsMax);
});
