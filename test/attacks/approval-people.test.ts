/**
 * ATTACKS 21: one person who is several to the gateway. Whoever has a terminal, a member's name in Slack, a secret for
 * webhooks and tokens counts once with all of them, and not at all for what they asked for.
 */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerDoors, SLACK_PATH, WEBHOOK_PATH } from '../../src/main/approvals/answer-doors.ts';
import type { ApprovalBook } from '../../src/main/approvals/approval-book.ts';
import { approverCount, peopleOf } from '../../src/main/approvals/people.ts';
import { approvalSettings, type ApprovalSettings } from '../../src/main/config-approvals.ts';
import type { ApprovalRepository } from '../../src/store/index.ts';
import { type BookWorld, bookWorld, request } from '../main/approvals/book-world.ts';
import { openDoors } from '../main/approvals/doors.ts';
import { memoryApprovals } from '../main/approvals/memory-approvals.ts';

const SIGNING = 'a-signing-secret';
const KEY = Buffer.alloc(32, 9);
const [MARIA, TOM, EVE] = ['U0MARIA', 'U0TOM', 'U0EVE'];
const TWO = { ask: { people: 2, expireMinutes: 60, justification: false } };

let home: string;
let world: BookWorld;
let rows: ApprovalRepository;
let book: ApprovalBook;
let doors: AnswerDoors;
let signed = 0;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'sallyport-people-'));
  writeFileSync(join(home, 'signing'), SIGNING, { mode: 0o600 });
  writeFileSync(join(home, 'hook'), `whsec_${KEY.toString('base64')}`, { mode: 0o600 });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => {
  world = bookWorld();
  rows = memoryApprovals();
  restart({});
});
afterEach(() => world.close());

/** The gateway anew, with other settings, on the same store. */
function restart(over: {
  people?: Record<string, object> | undefined;
  slack?: Record<string, string>;
}): void {
  const settings: ApprovalSettings = approvalSettings.parse({
    people:
      'people' in over
        ? over.people
        : {
            maria: { local: [1], tokens: ['tok_maria'] },
            tom: { agents: ['toms'] },
            ann: {},
            asker: { tokens: ['tok_1'] },
          },
    webhook: { secretFile: 'hook', people: ['maria', 'ann'] },
    slack: {
      signingSecretFile: 'signing',
      urlFile: 'url',
      people: over.slack ?? { [MARIA]: 'maria', [TOM]: 'tom' },
    },
  });
  world.people = peopleOf(settings);
  book = world.open(rows);
  doors = openDoors(world, home, { settings, book, slack: { answered: () => undefined } });
}

const seconds = (): number => Math.floor(world.clock.now() / 1_000);

/** What pressing the button comes to is told by what became of the approval: Slack is told of it later. */
async function bySlack(id: string, user: string): Promise<void> {
  const payload = JSON.stringify({
    type: 'block_actions',
    user: { id: user },
    actions: [{ action_id: 'approve', value: id }],
    response_url: `https://hooks.slack.example/actions/${(signed += 1)}`,
  });
  const body = Buffer.from(new URLSearchParams({ payload }).toString());
  const hmac = createHmac('sha256', SIGNING).update(`v0:${seconds()}:`).update(body).digest('hex');
  const headers = { 'x-slack-request-timestamp': String(seconds()), 'x-slack-signature': `v0=${hmac}` };
  expect(await doors.take(SLACK_PATH, headers, body)).toEqual({ status: 200, body: null });
}

async function byWebhook(id: string, by: string): Promise<unknown> {
  const message = `msg_${(signed += 1)}`;
  const body = Buffer.from(JSON.stringify({ approval: id, decision: 'approve', by }));
  const hmac = createHmac('sha256', KEY).update(`${message}.${seconds()}.`).update(body).digest('base64');
  const headers = {
    'webhook-id': message,
    'webhook-timestamp': String(seconds()),
    'webhook-signature': `v1,${hmac}`,
  };
  return (await doors.take(WEBHOOK_PATH, headers, body)).body;
}

const byTerminal = (id: string, user = '1') =>
  book.answer(id, {
    actor: { kind: 'local', id: user },
    decision: 'approve',
    scope: { kind: 'once' },
    reason: null,
  });
const ask = async (more: object = {}): Promise<string> => (await book.pass(request(world, more))).id;
const stateOf = async (id: string): Promise<string> => (await book.find(id)).approval.state;
const agreed = async (id: string): Promise<string[]> =>
  (await book.find(id)).approval.agreed.map(({ by, account }) => `${by} ${account}`);
const lastRefusal = (): unknown =>
  world.events.filter(({ type }) => type === 'approval.refused').at(-1)?.data['code'];
const asking = (id: string, agent = 'agent'): object => ({
  principal: { ...request(world).principal, actor: { kind: 'token', id }, agent },
});

describe('one person', () => {
  it('at the terminal, in Slack and by webhook is one', async () => {
    const id = await ask(TWO);
    await byTerminal(id);
    await bySlack(id, MARIA);
    expect(lastRefusal()).toBe('approval_already_agreed');
    expect(await byWebhook(id, 'maria')).toMatchObject({ error: { code: 'approval_already_agreed' } });
    expect([await stateOf(id), await agreed(id)]).toEqual(['pending', ['user:maria local:1']]);
    // Control: somebody else is a second one.
    await bySlack(id, TOM);
    expect([await stateOf(id), await agreed(id)]).toEqual([
      'approved',
      ['user:maria local:1', `user:tom slack:${TOM}`],
    ]);
  });

  it('with two names in Slack is one', async () => {
    restart({ slack: { [MARIA]: 'maria', [EVE]: 'maria', [TOM]: 'tom' } });
    const id = await ask(TWO);
    await bySlack(id, MARIA);
    await bySlack(id, EVE);
    expect([await stateOf(id), lastRefusal()]).toEqual(['pending', 'approval_already_agreed']);
    await bySlack(id, TOM);
    expect(await stateOf(id)).toBe('approved');
  });
});

describe('whoever asks', () => {
  it.each<[string, () => object]>([
    ['by a token', () => asking('tok_maria')],
    [
      'at the terminal',
      () => ({ principal: { ...request(world).principal, actor: { kind: 'local', id: '1' } } }),
    ],
  ])('%s agrees to it in no way', async (_, more) => {
    const id = await ask(more());
    await bySlack(id, MARIA);
    expect(lastRefusal()).toBe('approval_own_request');
    expect(await byWebhook(id, 'maria')).toMatchObject({ error: { code: 'approval_own_request' } });
    await expect(byTerminal(id)).rejects.toMatchObject({ code: 'approval_own_request' });
    expect([await stateOf(id), await agreed(id)]).toEqual(['pending', []]);
    // Control.
    await bySlack(id, TOM);
    expect(await stateOf(id)).toBe('approved');
  });

  it('by an agent of theirs, whatever token it has, agrees to it in no way', async () => {
    const id = await ask(asking('tok_new', 'toms'));
    await bySlack(id, TOM);
    expect([await stateOf(id), lastRefusal()]).toEqual(['pending', 'approval_own_request']);
    await bySlack(id, MARIA);
    expect(await stateOf(id)).toBe('approved');
  });

  it('and is nobody in the list, has nobody agree', async () => {
    const id = await ask(asking('tok_whose'));
    await bySlack(id, MARIA);
    expect([await stateOf(id), lastRefusal()]).toEqual(['pending', 'approval_requester_unknown']);
    // Control: once somebody says whose it is.
    restart({
      people: { maria: {}, tom: { tokens: ['tok_whose'] }, ann: {} },
    });
    await bySlack(id, MARIA);
    expect(await stateOf(id)).toBe('approved');
  });
});

describe('whoever is in no list', () => {
  it('counts for nobody, in Slack, by webhook and at the terminal', async () => {
    const id = await ask();
    await bySlack(id, EVE);
    expect(await byWebhook(id, 'tom')).toMatchObject({ error: { code: 'approval_not_entitled' } });
    await expect(byTerminal(id, '2')).rejects.toMatchObject({ code: 'approval_person_unknown' });
    expect([await stateOf(id), await agreed(id)]).toEqual(['pending', []]);
    // Control: they can still have it not run.
    const rejects = { actor: { kind: 'local', id: '2' }, decision: 'reject' } as const;
    await book.answer(id, { ...rejects, scope: { kind: 'once' }, reason: null });
    expect(await stateOf(id)).toBe('rejected');
  });

  it('is never one of several where nobody said who is who', async () => {
    restart({ people: undefined });
    const id = await ask(TWO);
    await expect(byTerminal(id)).rejects.toMatchObject({ code: 'approval_person_unknown' });
    await bySlack(id, MARIA);
    await bySlack(id, TOM);
    expect([await stateOf(id), lastRefusal()]).toEqual(['pending', 'approval_requester_unknown']);
    // Control: where one is enough, one is let in.
    const one = await ask({ argumentsText: '{"n":7}' });
    await byTerminal(one);
    expect(await stateOf(one)).toBe('approved');
  });
});

describe('who is who changes', () => {
  it('while one has agreed: who is nobody now counts no more', async () => {
    const id = await ask(TWO);
    await bySlack(id, MARIA);
    expect(book.counts(await book.find(id))).toBe(1);
    restart({ slack: { [TOM]: 'tom' } });
    expect(book.counts(await book.find(id))).toBe(0);
    await bySlack(id, TOM);
    expect([await stateOf(id), await agreed(id)]).toEqual(['pending', [`user:tom slack:${TOM}`]]);
    expect(book.counts(await book.find(id))).toBe(1);
    // Control: with one more who counts, there are two.
    await byTerminal(id);
    expect(await stateOf(id)).toBe('approved');
  });

  it('so that who agreed is the same as somebody else now, or asked for it: it was never enough', async () => {
    for (const people of [
      { maria: { local: [1], tokens: ['tok_1'] }, tom: {}, ann: {} },
      { maria: {}, tom: { local: [1] }, ann: {}, asker: { tokens: ['tok_1'] } },
    ]) {
      restart({});
      const id = await ask({ ...TWO, argumentsText: JSON.stringify(people) });
      await byTerminal(id);
      await bySlack(id, TOM);
      expect(await stateOf(id)).toBe('approved');
      restart({ people });
      const { id: again, state } = await book.pass(
        request(world, { ...TWO, argumentsText: JSON.stringify(people) }),
      );
      expect([state, again === id]).toEqual(['pending', false]);
      // Control: as it was, it runs.
      restart({});
      expect(
        await book.pass(request(world, { ...TWO, argumentsText: JSON.stringify(people) })),
      ).toMatchObject({
        state: 'granted',
        id,
      });
    }
  });
});

it('how many there are to agree is how many people, and one where nobody said', () => {
  const slack = {
    signingSecretFile: 's',
    urlFile: 'u',
    people: { [MARIA]: 'maria', [EVE]: 'maria', [TOM]: 'tom' },
  };
  const count = (settings: object): number => approverCount(approvalSettings.parse(settings));
  expect(count({ slack })).toBe(1);
  expect(count({ slack, people: { maria: { local: [1] }, tom: {}, asker: { tokens: ['tok_1'] } } })).toBe(2);
  expect(count({ people: { asker: { tokens: ['tok_1'] } } })).toBe(0);
});

it.each([
  [
    'somebody who may answer and is not in people',
    { people: { tom: {} }, webhook: { secretFile: 'k', people: ['maria'] } },
  ],
  ['one user of the machine as two people', { people: { tom: { local: [1] }, maria: { local: [1] } } }],
])('settings with %s are refused', (_, settings) => {
  expect(approvalSettings.safeParse(settings).success).toBe(false);
  expect(approvalSettings.safeParse({ people: { tom: { local: [1] } } }).success).toBe(true);
});
