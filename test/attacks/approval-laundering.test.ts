/**
 * ATTACKS 21: one request is approved and another one sent; the same one again; on two gateways at once; late; by whoever
 * asked. Two gateways with a database between them, real servers behind them, and somebody who agrees to what they are shown.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Actor } from '../../src/audit/index.ts';
import { peopleOf } from '../../src/main/approvals/people.ts';
import { bookWorld, request } from '../main/approvals/book-world.ts';
import type { Parsed } from '../mcp/harness.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import {
  ApprovalGateways,
  approve,
  approved,
  ASK_FIRST,
  call,
  connect,
  MARIA,
  PAYMENT,
  type Replica,
  RUNS,
  WAITS,
} from './approval-gateways.ts';

let gateways: ApprovalGateways;
beforeEach(() => {
  gateways = new ApprovalGateways();
});
afterEach(() => gateways.close());

describe('what was approved is that request and no other', () => {
  it.each([
    ['another argument', '{"to":"mallory","amount":1}'],
    ['another number', '{"to":"alice","amount":1000}'],
    ['the same number in other words', '{"to":"alice","amount":1.0}'],
    ['a number that a double takes for the same', '{"to":"alice","amount":1.00000000000000000001}'],
    ['another type', '{"to":"alice","amount":"1"}'],
    ['one argument more', '{"to":"alice","amount":1,"cc":"mallory"}'],
    ['one argument less', '{"to":"alice"}'],
    ['a key in another case', '{"To":"alice","amount":1}'],
    ['a key that looks alike', '{"t\u043e":"alice","amount":1}'],
    ['a character that nobody sees', '{"to":"alice\u200b","amount":1}'],
    ['a prototype beside it', '{"to":"alice","amount":1,"__proto__":{"to":"mallory"}}'],
    ['an order of a list', '{"to":"alice","amount":1,"list":[2,1]}'],
  ])('%s', async (_, other) => {
    const one = await gateways.replica();
    await approved(one);
    expect(await call(one.client, other)).toMatchObject(WAITS);
    expect([gateways.sent(), gateways.used()]).toEqual([0, []]);
    // Control: the one that was approved runs, in whatever order and spelling it is written.
    expect(await call(one.client, ' { "amount" : 1, "t\\u006f" : "\\u0061lice" } ')).toMatchObject(RUNS);
    expect(gateways.sent()).toBe(1);
  });

  it('another tool, and another caller', async () => {
    const one = await gateways.replica();
    await approved(one);
    expect(await call(one.client, PAYMENT, 'write')).toMatchObject(WAITS);
    expect(await call(await connect(one.harness, 'tok_2'), PAYMENT)).toMatchObject(WAITS);
    expect(gateways.sent()).toBe(0);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('another profile, and another workspace of the same database', async () => {
    const one = await gateways.replica();
    const asked = await one.book.pass(request(gateways.world));
    await approve(one.book, asked.id);
    expect(await one.book.pass(request(gateways.world, { profile: 'other' }))).toMatchObject({
      state: 'pending',
    });
    const elsewhere = bookWorld();
    const [store] = gateways.stores;
    if (store === undefined) throw new Error('no database');
    const other = elsewhere.open(store.approvals);
    await expect(other.find(asked.id)).rejects.toMatchObject({ code: 'approval_not_found' });
    await expect(approve(other, asked.id)).rejects.toMatchObject({ code: 'approval_not_found' });
    const theirs = await other.pass(request(elsewhere));
    expect([theirs.state, theirs.id === asked.id]).toEqual(['pending', false]);
    elsewhere.close();
    // Control.
    expect(await one.book.pass(request(gateways.world))).toMatchObject({ state: 'granted', id: asked.id });
  });

  it('two readings of one text are nobody to ask about', async () => {
    const one = await gateways.replica();
    const id = await approved(one);
    const params = '{"name":"echo","arguments":{"to":"alice","amount":1,"amount":1000}}';
    one.client.send(`{"jsonrpc":"2.0","id":"twice","method":"tools/call","params":${params}}`);
    expect(JSON.parse(await one.client.line(({ error }) => error !== undefined))).toMatchObject({ id: null });
    expect(gateways.sent()).toBe(0);
    expect((await one.book.find(id)).approval.uses).toBe(0);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('the same tool after it said something else of itself', async () => {
    const one = await gateways.replica();
    await approved(one);
    const listed = one.client.line(({ method }) => method === 'notifications/tools/list_changed');
    await one.client.request('change', 'x-vendor/change', { vendor: 'now sends to everybody' });
    await listed;
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect([gateways.sent(), gateways.used()]).toEqual([0, []]);
    // Control: as it was, it runs.
    const again = one.client.lines.filter((line) => line.includes('list_changed')).length;
    await one.client.request('back', 'x-vendor/change', { vendor: 'kept' });
    await expect
      .poll(() => one.client.lines.filter((line) => line.includes('list_changed')).length, {
        timeout: 10_000,
      })
      .toBeGreaterThan(again);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });
});

describe('what was approved is as things were', () => {
  const OTHER_RULES: readonly (readonly [string, string])[] = [
    ['more people', 'do: approve, approve: { people: 2 }'],
    ['a reason', 'do: approve, approve: { justification: true }'],
    ['less time to answer', 'do: approve, approve: { expireMinutes: 5 }'],
  ];
  it.each(OTHER_RULES)('rules that want %s by now', async (_, deed) => {
    const one = await gateways.replica();
    await approved(one);
    one.harness.setRules(
      rulesOf(`rules: [{ id: ask-first, match: { servers: echo, tools: [echo, write] }, ${deed} }]`),
    );
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect([gateways.sent(), gateways.used()]).toEqual([0, []]);
    // Control: with the rules that it was agreed to under, it runs.
    one.harness.setRules(ASK_FIRST);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('one more rule that holds it back', async () => {
    const one = await gateways.replica();
    await approved(one);
    one.harness.setRules(
      rulesOf(
        'rules: [{ id: ask-first, match: { servers: echo, tools: [echo, write] }, do: approve }, { id: payments, when: has(args.amount), do: approve }]',
      ),
    );
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect([gateways.sent(), gateways.used()]).toEqual([0, []]);
    one.harness.setRules(ASK_FIRST);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('a server that is set up otherwise by now: another manifest, package or credential', async () => {
    const one = await gateways.replica();
    gateways.world.servers.set('echo', 'as it was');
    await approved(one);
    gateways.world.servers.set('echo', 'another');
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect([gateways.sent(), gateways.used()]).toEqual([0, []]);
    gateways.world.servers.set('echo', 'as it was');
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('a parameter beside the arguments', async () => {
    const one = await gateways.replica();
    await approved(one);
    const params = `{"name":"echo","arguments":${PAYMENT},"task":{"ttl":60000}}`;
    one.client.send(`{"jsonrpc":"2.0","id":"beside","method":"tools/call","params":${params}}`);
    expect(await one.client.answer('beside')).toMatchObject(WAITS);
    const [asked] = await one.book.list('pending');
    expect(asked?.about.besideText).toBe('{"task":{"ttl":60000}}');
    expect([gateways.sent(), gateways.used()]).toEqual([0, []]);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });
});

describe('what was approved once runs once', () => {
  it('however often it is sent', async () => {
    const one = await gateways.replica();
    const id = await approved(one);
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(one.client, PAYMENT)));
    expect(answers.filter((answer) => 'from' in (answer['result'] as object))).toHaveLength(1);
    expect([gateways.sent(), gateways.used()]).toEqual([1, [id]]);
  });

  it('on however many gateways at once', async () => {
    const all = [await gateways.replica(), await gateways.replica()];
    const id = await approved(all[0] as Replica);
    const flood = (): Promise<Parsed[]> =>
      Promise.all(Array.from({ length: 20 }, (_, n) => call((all[n % 2] as Replica).client, PAYMENT)));
    const answers = await flood();
    expect(answers.filter((answer) => 'from' in (answer['result'] as object))).toHaveLength(1);
    expect([gateways.sent(), gateways.used()]).toEqual([1, [id]]);
    // Control: agreed to for a while, all of them run, each counted.
    const [again] = await (all[0] as Replica).book.list('pending');
    await approve((all[0] as Replica).book, again?.id ?? '', { kind: 'minutes', minutes: 5 });
    for (const answer of await flood()) expect(answer).toMatchObject(RUNS);
    expect(gateways.sent()).toBe(21);
    expect((await (all[1] as Replica).book.find(again?.id ?? '')).approval.uses).toBe(20);
  });

  it('also where the gateway that took it could not send it, or ended', async () => {
    const [one, other] = [await gateways.replica(), await gateways.replica()];
    const id = await approved(one);
    one.harness.failAudit(true);
    expect(await call(one.client, PAYMENT)).toMatchObject({ error: { data: { code: 'audit_unavailable' } } });
    one.harness.failAudit(false);
    expect(await call(other.client, PAYMENT)).toMatchObject(WAITS);
    expect([gateways.sent(), gateways.used()]).toEqual([0, [id]]);
  });
});

describe('in time, and not by whoever asked', () => {
  it('an approval that nobody used for too long is none', async () => {
    const one = await gateways.replica();
    const id = await approved(one);
    gateways.world.clock.advance(60 * 60_000);
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect(gateways.sent()).toBe(0);
    expect((await one.book.find(id)).approval.state).toBe('expired');
    // Control: a moment before, it runs.
    const [again] = await one.book.list('pending');
    await approve(one.book, again?.id ?? '');
    gateways.world.clock.advance(60 * 60_000 - 1);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('a clock that goes back brings nothing back', async () => {
    const one = await gateways.replica();
    const id = await approved(one, { kind: 'minutes', minutes: 30 });
    gateways.world.clock.advance(30 * 60_000);
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    gateways.world.clock.advance(-40 * 60_000);
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect([gateways.sent(), (await one.book.find(id)).approval.state]).toEqual([0, 'expired']);
    // Control: what had not run out is as good as before.
    const [again] = await one.book.list('pending');
    await approve(one.book, again?.id ?? '');
    gateways.world.clock.advance(-40 * 60_000);
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('a question that was not answered in time cannot be answered any more', async () => {
    const one = await gateways.replica();
    await call(one.client, PAYMENT);
    const [asked] = await one.book.list('pending');
    gateways.world.clock.advance(60 * 60_000);
    await expect(approve(one.book, asked?.id ?? '')).rejects.toMatchObject({ code: 'approval_not_pending' });
    // Control: asked again, a moment before, it can.
    await call(one.client, PAYMENT);
    const [again] = await one.book.list('pending');
    gateways.world.clock.advance(60 * 60_000 - 1);
    await approve(one.book, again?.id ?? '');
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('what was taken back is none, on the other gateway too', async () => {
    const [one, other] = [await gateways.replica(), await gateways.replica()];
    const id = await approved(one);
    await other.book.answer(id, { actor: MARIA, decision: 'revoke', scope: { kind: 'once' }, reason: null });
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect(gateways.sent()).toBe(0);
    // Control: agreed to anew, it runs.
    const [again] = await one.book.list('pending');
    await approve(one.book, again?.id ?? '');
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });

  it('nobody agrees to their own request, nor twice where two have to', async () => {
    const none = { local: [], tokens: [], agents: [] };
    gateways.world.people = peopleOf({
      people: { asker: { ...none, tokens: ['tok_1'] }, maria: { ...none, local: [0] }, tom: none },
      webhook: { secretFile: 'hook', people: ['maria', 'tom'] },
    });
    const one = await gateways.replica();
    one.harness.setRules(
      rulesOf('rules: [{ id: two, match: { tools: echo }, do: approve, approve: { people: 2 } }]'),
    );
    await call(one.client, PAYMENT);
    const [asked] = await one.book.list('pending');
    const id = asked?.id ?? '';
    const says = (actor: Actor, account?: string) =>
      one.book.answer(id, {
        actor,
        ...(account === undefined ? {} : { account }),
        decision: 'approve',
        scope: { kind: 'once' },
        reason: null,
      });
    await expect(says({ kind: 'token', id: 'tok_1' })).rejects.toMatchObject({
      code: 'approval_own_request',
    });
    await says({ kind: 'local', id: '0' });
    for (const account of [undefined, 'webhook:maria'])
      await expect(says({ kind: 'local', id: '0' }, account)).rejects.toMatchObject({
        code: 'approval_already_agreed',
      });
    expect(await call(one.client, PAYMENT)).toMatchObject(WAITS);
    expect(gateways.sent()).toBe(0);
    expect(gateways.world.events.filter(({ type }) => type === 'approval.refused')).toHaveLength(3);
    // Control: with a second one it runs.
    await says({ kind: 'user', id: 'tom' }, 'webhook:tom');
    expect(await call(one.client, PAYMENT)).toMatchObject(RUNS);
  });
});
