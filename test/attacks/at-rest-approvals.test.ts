/**
 * ATTACKS 24, approvals: what a thief of the database reads of calls that wait for somebody, and what whoever writes to it
 * gets by saying that somebody agreed. Each on a real database, with a process that starts afterwards.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { ApprovalBook } from '../../src/main/approvals/approval-book.ts';
import { peopleOf } from '../../src/main/approvals/people.ts';
import type { Services } from '../../src/main/services.ts';
import { needlesOf, tracesIn } from '../catalog/secret-traces.ts';
import { request } from '../main/approvals/book-world.ts';
import { makeProductHome, type ProductHome } from './product-home.ts';

const SAID = 'a letter that nobody but its reader is to see, about the merger of two houses';
const MARIA = { kind: 'user', id: 'maria' } as const;

let home: ProductHome;
let books: ApprovalBook[];

beforeEach(async () => {
  home = await makeProductHome();
  books = [];
});
afterEach(async () => {
  for (const book of books) book.close();
  await home.dispose();
});

/** As a gateway has it that starts now. */
async function book(services?: Services): Promise<ApprovalBook> {
  const { workspace, store, ring, audit } = services ?? (await home.another());
  const one = new ApprovalBook({
    workspace,
    store,
    ring,
    audit,
    people: peopleOf({}),
    serverState: async () => null,
    clock: systemClock,
    random: systemRandom,
    address: () => null,
    log: silentLog,
  });
  books.push(one);
  return one;
}

const letter = (n: number) =>
  request(home, { argumentsText: JSON.stringify({ n, text: SAID }), name: 'send_letter' });
const approve = (by: ApprovalBook, id: string) =>
  by.answer(id, { actor: MARIA, decision: 'approve', scope: { kind: 'once' }, reason: null });

/** Where of the home there is a trace. */
const traces = (text: string): readonly string[] =>
  readdirSync(home.directory)
    .map((name) => join(home.directory, name))
    .filter((path) => statSync(path).isFile())
    .filter((path) => tracesIn(readFileSync(path), needlesOf(text)).length > 0)
    .map((path) => path.slice(home.directory.length + 1));

describe('approvals at rest', () => {
  it('show nothing of what is asked, also in a backup', async () => {
    const one = await book(home);
    const { id } = await one.pass(letter(1));
    await approve(one, id);
    expect((await one.find(id)).about.argumentsText).toContain(SAID);
    home.edit(`vacuum into '${join(home.directory, 'backup.db')}'`);
    expect(traces(SAID)).toEqual([]);
    // Control: what is in the clear is found, in all of them.
    expect(traces(id)).toEqual(expect.arrayContaining(['backup.db']));
  });

  it('are used as long as nobody touches them (the control)', async () => {
    const one = await book(home);
    const { id } = await one.pass(letter(1));
    await approve(one, id);
    expect(await (await book()).pass(letter(1))).toMatchObject({ id, state: 'granted' });
  });

  it.each<[string, string, RegExp]>([
    [
      'said to be agreed to',
      `update approvals set state = 'approved' where state = 'pending'`,
      /row_changed/,
    ],
    [
      'agreed to as another one was',
      `update approvals set (state, version, value, data_key, ends_at) =
        (select state, version, value, data_key, ends_at from approvals where state = 'approved') where state = 'pending'`,
      /seal_tampered/,
    ],
    [
      'put in the place of one that somebody agreed to',
      `update approvals set hash = 'x' where state = 'pending';
      update approvals set hash = (select hash from kept) where state = 'approved'`,
      /row_changed/,
    ],
    [
      'asked by somebody else',
      `update approvals set requester = 'token:tok_9' where state = 'pending'`,
      /row_changed/,
    ],
    ['of a version that was never written', `update approvals set version = 9`, /seal_tampered/],
  ])('a question %s counts for nothing', async (_what, sql, code) => {
    const one = await book(home);
    await one.pass(letter(1));
    const { id } = await one.pass(letter(2));
    await approve(one, id);
    home.edit(`create temp table kept as select hash from approvals where state = 'pending'; ${sql}`);
    const after = await book();
    await expect(after.pass(letter(1))).rejects.toThrow();
    await expect(after.pass(letter(1))).rejects.toMatchObject({
      code: expect.stringMatching(code) as string,
    });
    const events = await home.events();
    expect(events.filter(({ type }) => type === 'approval.executed')).toEqual([]);
    expect(events.filter(({ type }) => type === 'approval.refused')).toMatchObject([
      { data: { code: expect.stringMatching(code) as string } },
    ]);
  });

  it('one that was used is not used again by whoever puts its row back, while a gateway runs', async () => {
    const one = await book(home);
    const { id } = await one.pass(letter(1));
    await approve(one, id);
    home.edit('create table kept as select * from approvals');
    expect(await one.pass(letter(1))).toMatchObject({ state: 'granted' });
    home.edit('delete from approvals; insert into approvals select * from kept');
    await expect(one.pass(letter(1))).rejects.toMatchObject({ code: 'approval_row_changed' });
    const types = (await home.events()).map(({ type }) => type);
    expect(types).toEqual(['approval.requested', 'approval.agreed', 'approval.executed', 'approval.refused']);
  });
});
