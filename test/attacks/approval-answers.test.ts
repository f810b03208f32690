/**
 * ATTACKS 21, at the doors where answers come in: forged, old, repeated and stolen signatures, strangers, and answers that
 * would have the gateway send something elsewhere. Slack is a stand-in on this machine, over TLS and the real data plane.
 */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Secret, silentLog, systemRandom } from '../../src/kernel/index.ts';
import { AnswerDoors, SLACK_PATH, WEBHOOK_PATH } from '../../src/main/approvals/answer-doors.ts';
import { peopleOf } from '../../src/main/approvals/people.ts';
import type { ApprovalBook } from '../../src/main/approvals/approval-book.ts';
import { slackSigned } from '../../src/main/approvals/signatures.ts';
import { SlackAnswers } from '../../src/main/approvals/slack-answers.ts';
import { SlackBoard } from '../../src/main/approvals/slack-board.ts';
import { slackPlace } from '../../src/main/approvals/slack-place.ts';
import { approvalSettings, type ApprovalSettings } from '../../src/main/config-approvals.ts';
import { type BookWorld, bookWorld, request } from '../main/approvals/book-world.ts';
import { openDoors } from '../main/approvals/doors.ts';
import { memoryApprovals } from '../main/approvals/memory-approvals.ts';
import { type DeliveryWorld, fileSecrets, HOST, makeDeliveryWorld } from '../main/delivery-world.ts';

const SIGNING = '8f742231b10e8888abcd99yyyzzz85a5';
const KEY = Buffer.alloc(32, 5);
const ADDRESS = 'T0FAKEFAKE12345';
const MARIA = 'U0MARIA1';
const TEAM = 'T0TEAM';

let home: string;
let world: BookWorld;
let book: ApprovalBook;
let doors: AnswerDoors;

const secretFile = (name: string, text: string): string => {
  writeFileSync(join(home, name), text, { mode: 0o600 });
  return name;
};

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'sallyport-answers-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => {
  world = bookWorld();
  doors = doorsOf({ answered: () => undefined });
});
afterEach(() => world.close());

const settingsOf = (): ApprovalSettings =>
  approvalSettings.parse({
    people: { maria: {}, tom: {}, asker: { tokens: ['tok_1'] } },
    webhook: { secretFile: secretFile('hook', `whsec_${KEY.toString('base64')}`), people: ['maria', 'tom'] },
    slack: {
      signingSecretFile: secretFile('signing', SIGNING),
      urlFile: secretFile('url', `https://${HOST}/services/${ADDRESS}`),
      team: TEAM,
      people: { [MARIA]: 'maria' },
    },
  });

function doorsOf(slack: Pick<SlackAnswers, 'answered'>): AnswerDoors {
  const settings = settingsOf();
  world.people = peopleOf(settings);
  book = world.open(memoryApprovals());
  return openDoors(world, home, { settings, book, slack });
}

const nowSeconds = (): number => Math.floor(world.clock.now() / 1_000);
const stateOf = async (id: string): Promise<string> => (await book.find(id)).approval.state;
const refusals = (): readonly unknown[] =>
  world.events.filter(({ type }) => type === 'approval.refused').map(({ data }) => data['code']);

function pressed(
  id: string,
  more: { user?: string; team?: string; action?: string; address?: string } = {},
): Buffer {
  const payload = JSON.stringify({
    type: 'block_actions',
    team: { id: more.team ?? TEAM, domain: 'whatever' },
    user: { id: more.user ?? MARIA, name: 'whatever' },
    actions: [{ action_id: more.action ?? 'approve', value: id, type: 'button' }],
    response_url: more.address ?? `https://${HOST}/actions/T0/1/ANSWERSECRET123`,
  });
  return Buffer.from(new URLSearchParams({ payload }).toString());
}

const slackHeaders = (body: Buffer, at = nowSeconds(), secret = SIGNING): Record<string, string> => ({
  'x-slack-request-timestamp': String(at),
  'x-slack-signature': `v0=${createHmac('sha256', secret).update(`v0:${at}:`).update(body).digest('hex')}`,
});

const said = (id: string, more: object = {}): Buffer =>
  Buffer.from(JSON.stringify({ approval: id, decision: 'approve', by: 'maria', ...more }));

const hookHeaders = (body: Buffer, id = 'msg_1', at = nowSeconds(), key = KEY): Record<string, string> => ({
  'webhook-id': id,
  'webhook-timestamp': String(at),
  'webhook-signature': `v1,${createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest('base64')}`,
});

const ask = async (more: object = {}): Promise<string> => (await book.pass(request(world, more))).id;

it("Slack's own example is signed, at its time", () => {
  const body = Buffer.from(
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
  );
  const headers = {
    'x-slack-request-timestamp': '1531420618',
    'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  };
  const secret = Secret.fromString(SIGNING);
  expect(slackSigned(secret, headers, body, 1_531_420_618_000)).toEqual({
    name: `slack ${headers['x-slack-signature']}`,
    at: 1_531_420_618_000,
  });
  expect(slackSigned(secret, headers, body, 1_531_420_618_000 + 301_000)).toBeNull();
});

describe('Slack itself', () => {
  let slackHost: DeliveryWorld;
  let answers: SlackAnswers;
  let board: SlackBoard;

  beforeEach(async () => {
    slackHost = await makeDeliveryWorld();
    const { way } = slackHost;
    const { slack } = settingsOf();
    if (slack === undefined) throw new Error('no Slack');
    const place = slackPlace(slack, way, fileSecrets(home));
    const held = async (): Promise<boolean> => false;
    answers = new SlackAnswers({ way, place, held, log: silentLog });
    doors = doorsOf(answers);
    board = new SlackBoard({
      workspace: slackHost.home.workspace,
      book,
      place,
      store: slackHost.home.store,
      held,
      record: async () => undefined,
      timeoutMs: 30_000,
      clock: world.clock,
      random: systemRandom,
      log: silentLog,
    });
    board.start();
  });
  afterEach(async () => {
    answers.close();
    await board.stop();
    await slackHost.close();
  });

  const arrived = async (count: number): Promise<Record<string, unknown>[]> => {
    await expect.poll(() => slackHost.received.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
    return slackHost.received.map(({ body }) => JSON.parse(body.toString()) as Record<string, unknown>);
  };

  it('is told what waits, with masked arguments; a button runs it once, and Slack hears what came of it', async () => {
    const card = '4111 1111 1111 1111';
    const id = await ask({ argumentsText: JSON.stringify({ to: '<!channel> *x*', card }) });
    const [message] = await arrived(1);
    expect(message).toMatchObject({
      blocks: expect.arrayContaining([
        expect.objectContaining({
          type: 'actions',
          elements: [
            expect.objectContaining({ action_id: 'approve', value: id }),
            expect.objectContaining({ action_id: 'reject', value: id }),
          ],
        }),
      ]) as unknown,
    });
    const text = JSON.stringify(message);
    expect(text).not.toContain(card);
    expect(text).not.toContain('mrkdwn');
    expect(slackHost.received[0]?.url).toBe(`/services/${ADDRESS}`);

    const body = pressed(id);
    expect(await doors.take(SLACK_PATH, slackHeaders(body), body)).toEqual({ status: 200, body: null });
    expect((await book.find(id)).approval).toMatchObject({
      state: 'approved',
      agreed: [{ by: 'user:maria' }],
    });
    await arrived(2);
    expect(slackHost.received[1]?.url).toBe('/actions/T0/1/ANSWERSECRET123');
    expect((await arrived(2))[1]).toMatchObject({ replace_original: true });
    // Neither address is on record.
    expect(await slackHost.logged()).not.toMatch(new RegExp(`${ADDRESS}|ANSWERSECRET123`));
  });

  it('a member whom nobody named is told so, and decides nothing', async () => {
    const id = await ask();
    for (const other of [
      { user: 'U0MALLORY' },
      { user: 'constructor' },
      { user: '__proto__' },
      { team: 'T0OTHER' },
    ]) {
      const body = pressed(id, other);
      expect(await doors.take(SLACK_PATH, slackHeaders(body), body)).toMatchObject({ status: 200 });
    }
    expect(await stateOf(id)).toBe('pending');
    expect(world.events.filter(({ type }) => type === 'approval.refused').map(({ data }) => data)).toEqual(
      ['U0MALLORY', 'constructor', '__proto__', MARIA].map((user) => ({
        code: 'approval_not_entitled',
        door: SLACK_PATH,
        account: `slack:${user}`,
      })),
    );
    expect(JSON.stringify(await arrived(5))).toContain('not among those who may');
  });

  it('nothing is sent to where an answer wants to be heard, unless that is Slack', async () => {
    const id = await ask();
    await arrived(1);
    for (const address of [
      `${slackHost.plainUrl}/actions/ANSWERSECRET123`,
      'https://evil.example/actions/ANSWERSECRET123',
      `https://${HOST}@evil.example/actions/ANSWERSECRET123`,
      `https://${HOST}:444/actions/ANSWERSECRET123`,
      'file:///etc/passwd12',
    ]) {
      const body = pressed(id, { address, action: 'reject' });
      await doors.take(SLACK_PATH, slackHeaders(body), body);
    }
    // Control: the next one that is Slack's arrives, and is all that did.
    const other = await ask({ argumentsText: '{"n":2}' });
    await arrived(2);
    const body = pressed(other);
    await doors.take(SLACK_PATH, slackHeaders(body), body);
    await arrived(3);
    expect(slackHost.received.map(({ url }) => url).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      '/actions/T0/1/ANSWERSECRET123',
      `/services/${ADDRESS}`,
      `/services/${ADDRESS}`,
    ]);
  });
});

describe('a button of Slack', () => {
  it.each<[string, (body: Buffer) => Record<string, string>]>([
    ['no signature', () => ({})],
    ['another secret', (body) => slackHeaders(body, nowSeconds(), 'guess')],
    ['another body', () => slackHeaders(Buffer.from('payload=%7B%7D'))],
    [
      'another time than was signed',
      (body) => ({ ...slackHeaders(body), 'x-slack-request-timestamp': String(nowSeconds() - 1) }),
    ],
    ['a time too long ago', (body) => slackHeaders(body, nowSeconds() - 301)],
    ['a time too far ahead', (body) => slackHeaders(body, nowSeconds() + 302)],
    ['a time that is none', (body) => ({ ...slackHeaders(body), 'x-slack-request-timestamp': '1e12' })],
    ['half a signature', (body) => ({ ...slackHeaders(body), 'x-slack-signature': 'v0=' })],
  ])('%s is nobody', async (_, headers) => {
    const id = await ask();
    const body = pressed(id);
    expect(await doors.take(SLACK_PATH, headers(body), body)).toMatchObject({
      status: 401,
      body: { error: { code: 'approval_signature_invalid' } },
    });
    expect(await stateOf(id)).toBe('pending');
    expect(refusals()).toEqual(['approval_signature_invalid']);
    // Control.
    expect(await doors.take(SLACK_PATH, slackHeaders(body), body)).toMatchObject({ status: 200 });
    expect(await stateOf(id)).toBe('approved');
  });

  it('the same press counts once', async () => {
    const id = await ask({ ask: { people: 2, expireMinutes: 60, justification: false } });
    const body = pressed(id);
    const headers = slackHeaders(body);
    expect(await doors.take(SLACK_PATH, headers, body)).toMatchObject({ status: 200 });
    expect(await doors.take(SLACK_PATH, headers, body)).toMatchObject({
      status: 409,
      body: { error: { code: 'approval_answer_repeated' } },
    });
    expect((await book.find(id)).approval.agreed).toHaveLength(1);
  });
});

describe('a signed webhook', () => {
  it('answers for those who are named, each once, from wherever they do', async () => {
    const id = await ask({ ask: { people: 2, expireMinutes: 60, justification: true } });
    const body = said(id, { reason: 'release' });
    expect(await doors.take(WEBHOOK_PATH, hookHeaders(body), body)).toEqual({
      status: 200,
      body: { approval: id, state: 'pending' },
    });
    const again = said(id, { reason: 'once more' });
    expect(await doors.take(WEBHOOK_PATH, hookHeaders(again, 'msg_2'), again)).toMatchObject({
      status: 409,
      body: { error: { code: 'approval_already_agreed' } },
    });
    const tom = said(id, { by: 'tom', reason: 'yes', scope: { kind: 'minutes', minutes: 30 } });
    expect(await doors.take(WEBHOOK_PATH, hookHeaders(tom, 'msg_3'), tom)).toMatchObject({
      body: { state: 'approved' },
    });
  });

  it.each<[string, (body: Buffer) => Record<string, string>]>([
    ['no signature', () => ({})],
    ['another key', (body) => hookHeaders(body, 'msg_1', nowSeconds(), Buffer.alloc(32, 6))],
    ['another id than was signed', (body) => ({ ...hookHeaders(body), 'webhook-id': 'msg_2' })],
    ['another body', () => hookHeaders(Buffer.from('{}'))],
    ['a time too long ago', (body) => hookHeaders(body, 'msg_1', nowSeconds() - 301)],
    [
      'a signature of another kind',
      (body) => ({
        ...hookHeaders(body),
        'webhook-signature': (hookHeaders(body)['webhook-signature'] ?? '').replace('v1,', 'v1a,'),
      }),
    ],
  ])('%s is nobody', async (_, headers) => {
    const id = await ask();
    const body = said(id);
    expect(await doors.take(WEBHOOK_PATH, headers(body), body)).toMatchObject({ status: 401 });
    expect(await stateOf(id)).toBe('pending');
    expect(await doors.take(WEBHOOK_PATH, hookHeaders(body), body)).toMatchObject({ status: 200 });
    expect(await stateOf(id)).toBe('approved');
  });

  it('the same message counts once, and strangers and malformed answers do not', async () => {
    const id = await ask({ ask: { people: 3, expireMinutes: 60, justification: false } });
    const body = said(id);
    await doors.take(WEBHOOK_PATH, hookHeaders(body), body);
    expect(await doors.take(WEBHOOK_PATH, hookHeaders(body), body)).toMatchObject({ status: 409 });
    for (const [n, [wrong, status]] of (
      [
        [said(id, { by: 'mallory' }), 403],
        [said(id, { more: 1 }), 400],
        [said(id, { decision: 'grant' }), 400],
        [Buffer.from('{"approval":"a","approval":"b","decision":"approve","by":"maria"}'), 400],
        [said('apr_none'), 404],
      ] as const
    ).entries())
      expect(await doors.take(WEBHOOK_PATH, hookHeaders(wrong, `msg_w${n}`), wrong)).toMatchObject({
        status,
      });
    expect((await book.find(id)).approval.agreed).toHaveLength(1);
  });

  it('that could not be taken counts when it comes again, and then no more', async () => {
    const id = await ask();
    const body = said(id);
    world.audit.fails = true;
    expect(await doors.take(WEBHOOK_PATH, hookHeaders(body), body)).toMatchObject({ status: 500 });
    expect(await stateOf(id)).toBe('pending');
    world.audit.fails = false;
    expect(await doors.take(WEBHOOK_PATH, hookHeaders(body), body)).toMatchObject({
      status: 200,
      body: { state: 'approved' },
    });
    for (const [name, again, status, code] of [
      ['msg_1', body, 409, 'approval_answer_repeated'],
      // What was refused stays so, for as long as it could come again.
      ['msg_2', said('apr_none'), 404, 'approval_not_found'],
      ['msg_2', said('apr_none'), 409, 'approval_answer_repeated'],
    ] as const)
      expect(await doors.take(WEBHOOK_PATH, hookHeaders(again, name), again)).toMatchObject({
        status,
        body: { error: { code } },
      });
  });

  it('that comes once more to another gateway, or after a restart, is as old as it was', async () => {
    const id = await ask({ ask: { people: 2, expireMinutes: 60, justification: false } });
    const body = said(id, { scope: { kind: 'minutes', minutes: 2 } });
    const headers = hookHeaders(body);
    expect(await doors.take(WEBHOOK_PATH, headers, body)).toMatchObject({ status: 200 });
    const settings = settingsOf();
    const another = (): AnswerDoors => openDoors(world, home, { settings, book, slack: null });
    const other = another();
    expect(await other.take(WEBHOOK_PATH, headers, body)).toMatchObject({
      status: 409,
      body: { error: { code: 'approval_already_agreed' } },
    });
    world.clock.advance(2 * 60_000);
    const late = another();
    expect(await late.take(WEBHOOK_PATH, headers, body)).toMatchObject({
      status: 409,
      body: { error: { code: 'approval_answer_late' } },
    });
    const tom = said(id, { by: 'tom' });
    await late.take(WEBHOOK_PATH, hookHeaders(tom, 'msg_2'), tom);
    expect(await stateOf(id)).toBe('pending');
    // Control: said anew, it counts.
    const anew = said(id, { scope: { kind: 'minutes', minutes: 2 } });
    await late.take(WEBHOOK_PATH, hookHeaders(anew, 'msg_3'), anew);
    expect(await stateOf(id)).toBe('approved');
  });

  it('what anybody can send is put on record no oftener than it is worth', async () => {
    for (let n = 0; n < 50; n += 1) await doors.take(WEBHOOK_PATH, {}, Buffer.from('x'));
    expect(refusals()).toHaveLength(10);
  });

  it('a door that nobody opened is none', () => {
    const { workspace, audit, clock } = world;
    const none = {
      workspace,
      settings: {},
      secrets: fileSecrets('/'),
      book,
      slack: null,
      audit,
      clock,
      log: silentLog,
    };
    const isOpen = (path: string): boolean => new AnswerDoors(none).isOpen(path);
    expect([WEBHOOK_PATH, SLACK_PATH].map(isOpen)).toEqual([false, false]);
    expect([WEBHOOK_PATH, SLACK_PATH, '/hooks/other'].map((path) => doors.isOpen(path))).toEqual([
      true,
      true,
      false,
    ]);
  });
});
