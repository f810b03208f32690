import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ApprovalBook } from '../../../src/main/approvals/approval-book.ts';
import type { ApprovalRepository } from '../../../src/store/index.ts';
import { type BookWorld, bookWorld, request } from './book-world.ts';
import { memoryApprovals } from './memory-approvals.ts';

const OPERATOR = { kind: 'local', id: '1000' } as const;
const yes = { actor: OPERATOR, decision: 'approve', scope: { kind: 'once' }, reason: null } as const;
const code = (text: string): unknown => expect.objectContaining({ code: text });

let world: BookWorld;
let rows: ApprovalRepository;
let book: ApprovalBook;

beforeEach(() => {
  world = bookWorld();
  rows = memoryApprovals();
  book = world.open(rows);
});
afterEach(() => world.close());

const types = (): string[] => world.events.map(({ type }) => type);

it('asks once, gives one use once it is agreed to, and tells the whole story without an argument', async () => {
  const asked = await book.pass(request(world));
  expect(asked.state).toBe('pending');
  expect(await book.pass(request(world))).toEqual(asked);
  await book.answer(asked.id, { ...yes, reason: 'release day' });
  expect(await book.pass(request(world, { call: 'call_7' }))).toMatchObject({
    state: 'granted',
    id: asked.id,
  });
  expect((await book.pass(request(world))).id).not.toBe(asked.id);
  expect(types()).toEqual([
    'approval.requested',
    'approval.agreed',
    'approval.executed',
    'approval.requested',
  ]);
  expect(world.events[1]).toMatchObject({ actor: OPERATOR, data: { reason: 'release day' } });
  expect(world.events[2]).toMatchObject({
    actor: { kind: 'token', id: 'tok_1' },
    server: 'github',
    data: { approval: asked.id, agreed: ['local:1000'], call: 'call_7', tool: 'merge', uses: 1 },
  });
  expect(new Set(world.events.map(({ data }) => data['hash'])).size).toBe(1);
  expect(JSON.stringify(world.events)).not.toContain('main');
});

it('a request that was rejected is not asked about again for a while', async () => {
  const asked = await book.pass(request(world));
  await book.answer(asked.id, { ...yes, decision: 'reject' });
  expect(await book.pass(request(world))).toMatchObject({ state: 'rejected', id: asked.id });
  world.clock.advance(10 * 60_000);
  expect((await book.pass(request(world))).state).toBe('pending');
});

it('whoever called by hand cannot agree to it, which is on record', async () => {
  const principal = { ...request(world).principal, actor: OPERATOR };
  const asked = await book.pass(request(world, { principal }));
  await expect(book.answer(asked.id, yes)).rejects.toEqual(code('approval_own_request'));
  expect(world.events.at(-1)).toMatchObject({
    type: 'approval.refused',
    actor: OPERATOR,
    data: { approval: asked.id, code: 'approval_own_request', decision: 'approve' },
  });
  expect((await book.pass(request(world, { principal }))).state).toBe('pending');
});

it('what cannot be put on record does not hold, and a use that was taken is gone', async () => {
  const asked = await book.pass(request(world));
  world.audit.fails = true;
  await expect(book.answer(asked.id, yes)).rejects.toThrow();
  expect((await book.find(asked.id)).approval.state).toBe('pending');
  world.audit.fails = false;
  await book.answer(asked.id, yes);
  world.audit.fails = true;
  await expect(book.pass(request(world))).rejects.toThrow();
  world.audit.fails = false;
  expect((await book.find(asked.id)).approval.state).toBe('executed');
  expect((await book.pass(request(world))).state).toBe('pending');
});

it('what has outlived its time says so, on record once', async () => {
  const asked = await book.pass(request(world));
  world.clock.advance(60 * 60_000);
  await Promise.all([book.sweep(), world.open(rows).sweep()]);
  expect((await book.list('expired')).map(({ id }) => id)).toEqual([asked.id]);
  expect(types()).toEqual(['approval.requested', 'approval.expired']);
  await expect(book.answer(asked.id, yes)).rejects.toEqual(code('approval_not_pending'));
});

it('what one look of a process finds is no alarm where another one was faster', async () => {
  const asked = [await book.pass(request(world)), await book.pass(request(world, { argumentsText: '2' }))];
  world.clock.advance(60 * 60_000);
  const before = { ...rows };
  const [read, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isFirst = true;
  rows.due = async (...of) => {
    const isSlow = isFirst;
    isFirst = false;
    const found = await before.due(...of);
    read.resolve();
    if (isSlow) await held.promise;
    return found;
  };
  const slow = book.sweep();
  await read.promise;
  await book.sweep();
  held.resolve();
  await slow;
  const expired = await book.list('expired');
  expect(new Set(expired.map(({ id }) => id))).toEqual(new Set(asked.map(({ id }) => id)));
  expect(types()).toEqual([
    'approval.requested',
    'approval.requested',
    'approval.expired',
    'approval.expired',
  ]);
});

it('a caller can have so many waiting and no more', async () => {
  for (let n = 0; n < 50; n += 1) await book.pass(request(world, { argumentsText: `${n}` }));
  await expect(book.pass(request(world, { argumentsText: '50' }))).rejects.toEqual(code('approval_too_many'));
  const principal = { ...request(world).principal, actor: { kind: 'token', id: 'tok_2' } } as const;
  expect((await book.pass(request(world, { principal }))).state).toBe('pending');
});

it('a caller cannot have people asked until they give in, with ever other requests', async () => {
  for (let n = 0; n < 120; n += 1) {
    const { id } = await book.pass(request(world, { argumentsText: `${n}` }));
    await book.answer(id, { ...yes, decision: 'reject' });
  }
  const next = request(world, { argumentsText: '120' });
  await expect(book.pass(next)).rejects.toEqual(code('approval_too_many'));
  // Control: what was asked about is answered as it was, others ask, and so do they later.
  expect((await book.pass(request(world, { argumentsText: '0' }))).state).toBe('rejected');
  const principal = { ...request(world).principal, actor: { kind: 'token', id: 'tok_2' } } as const;
  expect((await book.pass({ ...next, principal })).state).toBe('pending');
  world.clock.advance(60 * 60_000 + 1);
  expect((await book.pass(next)).state).toBe('pending');
});

it('arguments with two readings are nobody to ask about', async () => {
  await expect(book.pass(request(world, { argumentsText: '{"a":1,"a":2}' }))).rejects.toEqual(
    code('approval_arguments_ambiguous'),
  );
});

it('a row that somebody edits, swaps or puts back is good for nothing', async () => {
  const asked = await book.pass(request(world));
  const other = await book.pass(request(world, { argumentsText: '{"n":2}' }));
  const [record, second] = [await book.find(asked.id), await book.find(other.id)];
  const [first, swapped] = await Promise.all(
    [record, second].map(({ id }) => rows.find(world.workspace, id)),
  );
  if (first === null || first === undefined || swapped === null || swapped === undefined)
    throw new Error('no row');
  const told = (row: typeof first): Promise<unknown> =>
    world.open({ ...rows, find: async () => row }).find(asked.id);
  await expect(told({ ...first, state: 'approved' })).rejects.toEqual(code('approval_row_changed'));
  await expect(told({ ...first, endsAt: null })).rejects.toEqual(code('approval_row_changed'));
  await expect(told({ ...swapped, id: first.id })).rejects.toEqual(code('seal_tampered'));
  await expect(told({ ...first, version: 2 })).rejects.toEqual(code('seal_tampered'));
  expect(await told(first)).toMatchObject({ approval: { state: 'pending' } });

  await book.answer(asked.id, yes);
  const agreed = await rows.find(world.workspace, record.id);
  expect((await book.pass(request(world))).state).toBe('granted');
  await book.find(asked.id);
  if (agreed === null) throw new Error('no row');
  await expect(restored(agreed).find(asked.id)).rejects.toEqual(code('approval_row_changed'));

  /** The same process, with the row as it was before its use. */
  function restored(row: typeof agreed): ApprovalBook {
    rows.find = async () => row;
    return book;
  }
});
