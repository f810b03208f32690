/**
 * What Slack shows of approvals, by the real data plane to a stand-in on this machine that answers as Slack's methods do, or
 * as an outage does. Each look is taken by hand; one test lets the board run by itself.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, systemRandom } from '../../../src/kernel/index.ts';
import type { ApprovalBook } from '../../../src/main/approvals/approval-book.ts';
import { peopleOf } from '../../../src/main/approvals/people.ts';
import { SlackBoard } from '../../../src/main/approvals/slack-board.ts';
import { SLACK_STREAM, slackPlace } from '../../../src/main/approvals/slack-place.ts';
import { approvalSettings } from '../../../src/main/config-approvals.ts';
import { type DeliveryWorld, fileSecrets, HOST, makeDeliveryWorld } from '../delivery-world.ts';
import { type BookWorld, bookWorld, request } from './book-world.ts';
import { memoryApprovals } from './memory-approvals.ts';

const TOKEN = 'xoxb-1234-secretsecret';
const BOT = { tokenFile: 'token', channel: 'C0OPS', apiUrl: `https://${HOST}/api` };
const HOOK = { urlFile: 'url' };
const TWO = { ask: { people: 2, expireMinutes: 60, justification: false } };

let slack: DeliveryWorld;
let world: BookWorld;
let book: ApprovalBook;
let board: SlackBoard;
let told: { readonly type: string; readonly data: unknown }[];
let isHeld: boolean;

beforeAll(async () => {
  slack = await makeDeliveryWorld();
  slack.secretFile('token', TOKEN);
  slack.secretFile('url', `https://${HOST}/services/T0/B0/hooksecret123`);
});
afterAll(() => slack.close());
beforeEach(async () => {
  // As if nothing had been told yet.
  const { store, workspace } = slack.home;
  await store.streams.save(workspace, { name: SLACK_STREAM, sequence: 0, state: null, updatedAt: 0 });
  slack.received.splice(0);
  slack.answer = (_, response) => response.end(JSON.stringify({ ok: true, channel: 'C0OPS', ts: '17.1' }));
  world = bookWorld();
  told = [];
  isHeld = false;
  world.people = peopleOf(settingsOf(BOT));
  book = world.open(memoryApprovals());
  board = boardOf(BOT);
});
afterEach(async () => {
  await board.stop();
  world.close();
});

const settingsOf = (where: object) =>
  approvalSettings.parse({
    people: { maria: {}, tom: { local: [1] }, asker: { tokens: ['tok_1'] } },
    slack: { signingSecretFile: 'signing', people: { U0MARIA: 'maria' }, ...where },
  });

/** What a process that serves has of it. */
function boardOf(where: object, timeoutMs = 30_000): SlackBoard {
  const settings = settingsOf(where);
  if (settings.slack === undefined) throw new Error('no Slack');
  const { workspace, store, directory } = slack.home;
  return new SlackBoard({
    workspace,
    book,
    place: slackPlace(settings.slack, slack.way, fileSecrets(directory)),
    store,
    held: async () => isHeld,
    async record(type, data) {
      told.push({ type, data });
    },
    timeoutMs,
    clock: world.clock,
    random: systemRandom,
    log: silentLog,
  });
}

const ask = async (more: object = {}): Promise<string> => (await book.pass(request(world, more))).id;
const yes = { decision: 'approve', scope: { kind: 'once' }, reason: null } as const;
const terminal = { actor: { kind: 'local', id: '1' } } as const;
const bySlack = { actor: { kind: 'user', id: 'maria' }, account: 'slack:U0MARIA' } as const;
const sent = (): readonly { url: string; text: string }[] =>
  slack.received.map(({ url, body }) => ({ url, text: body.toString() }));
const last = () => sent().at(-1) ?? { url: '', text: '' };
const hasButton = (text: string, action: string): boolean => text.includes(`"action_id":"${action}"`);

describe('a bot', () => {
  it('tells what waits, changes it as people answer, and takes the buttons away', async () => {
    const id = await ask(TWO);
    expect(await board.step()).toBe('sent');
    expect(last()).toMatchObject({ url: '/api/chat.postMessage' });
    expect(JSON.parse(last().text)).toMatchObject({ channel: 'C0OPS' });
    expect(slack.received[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect([hasButton(last().text, 'approve'), hasButton(last().text, 'reject')]).toEqual([true, true]);
    expect(await board.step()).toBe('idle');

    await book.answer(id, { ...terminal, ...yes });
    expect(await board.step()).toBe('sent');
    expect(last().url).toBe('/api/chat.update');
    expect(JSON.parse(last().text)).toMatchObject({ channel: 'C0OPS', ts: '17.1' });
    expect(last().text).toContain('tom at the terminal');
    expect(hasButton(last().text, 'approve')).toBe(true);

    await book.answer(id, { ...bySlack, ...yes });
    expect(await board.step()).toBe('sent');
    expect(last().text).toContain('approved (tom at the terminal agreed, maria in Slack agreed)');
    expect(last().text).not.toContain('button');

    await book.pass(request(world, TWO));
    expect(await board.step()).toBe('sent');
    expect(last().text).toContain('executed');
    expect(await board.step()).toBe('idle');
    expect(sent()).toHaveLength(4);
    expect(await slack.logged()).not.toContain(TOKEN);
  });

  it.each<[string, (id: string) => Promise<unknown>, string]>([
    [
      'rejected',
      (id) => book.answer(id, { ...terminal, ...yes, decision: 'reject' }),
      'tom at the terminal rejected it',
    ],
    [
      'revoked',
      (id) => book.answer(id, { ...terminal, ...yes, decision: 'revoke' }),
      'tom at the terminal revoked it',
    ],
    [
      'expired',
      async () => {
        world.clock.advance(60 * 60_000);
        await book.sweep();
      },
      'expired',
    ],
  ])('takes the buttons of what is %s elsewhere away, once', async (_, end, text) => {
    const id = await ask();
    await board.step();
    await end(id);
    expect(await board.step()).toBe('sent');
    expect(last().url).toBe('/api/chat.update');
    expect(last().text).toContain(text);
    expect(last().text).not.toContain('button');
    expect(await board.step()).toBe('idle');
  });

  it('goes on after a restart where it was, and tells nobody of what is over by then', async () => {
    const [asked, over] = [await ask(), await ask({ argumentsText: '{"n":2}' })];
    isHeld = true;
    expect(await board.step()).toBe('held');
    isHeld = false;
    await book.answer(over, { ...terminal, ...yes, decision: 'reject' });
    board = boardOf(BOT);
    expect(await board.step()).toBe('sent');
    expect(sent().map(({ text }) => text.includes(asked))).toEqual([true]);
    await book.answer(asked, { ...terminal, ...yes });
    board = boardOf(BOT);
    expect(await board.step()).toBe('sent');
    expect(last().url).toBe('/api/chat.update');
    board = boardOf(BOT);
    expect(await board.step()).toBe('idle');
    expect(sent()).toHaveLength(2);
  });

  it.each<[string, Parameters<typeof failing>[0], string]>([
    ['too many', (response) => response.writeHead(429, { 'retry-after': '30' }).end(), 'delivery_refused'],
    ['an outage', (response) => response.writeHead(503).end(), 'delivery_refused'],
    ['a refusal', (response) => response.end('{"ok":false,"error":"not_in_channel"}'), 'slack_refused'],
    ['no JSON', (response) => response.end('<html>'), 'slack_refused'],
    ['a connection that ends', (response) => response.destroy(), 'egress_upstream_closed'],
  ])('tries again after %s, with one word of it on record each way', async (_, how, code) => {
    const id = await ask();
    failing(how);
    expect(await board.step()).toBe('failed');
    expect(await board.step()).toBe('failed');
    expect(await board.backlog()).toEqual({ untold: 1, failures: 2 });
    expect(told).toEqual([{ type: 'delivery.failed', data: { export: 'slack-approvals', code } }]);
    failing(null);
    expect(await board.step()).toBe('sent');
    expect(told.at(-1)).toEqual({
      type: 'delivery.resumed',
      data: { export: 'slack-approvals', failures: 2 },
    });
    expect(last().text).toContain(id);
    expect(await board.backlog()).toEqual({ untold: 0, failures: 0 });
    // As whoever begins then sees it.
    expect(await boardOf(BOT).backlog()).toEqual({ untold: 0, failures: 0 });
  });

  it('gives up an attempt that takes too long', async () => {
    await ask();
    board = boardOf(BOT, 200);
    slack.answer = () => undefined;
    expect(await board.step()).toBe('failed');
    failing(null);
    board = boardOf(BOT);
    expect(await board.step()).toBe('sent');
  });

  it('goes by what Slack says of when to come back, by itself', async () => {
    const id = await ask();
    let tries = 0;
    slack.answer = (_, response) => {
      tries += 1;
      if (tries === 1) response.writeHead(429, { 'retry-after': '1' }).end();
      else response.end(JSON.stringify({ ok: true, channel: 'C0OPS', ts: '17.1' }));
    };
    board.start();
    await expect.poll(() => tries, { timeout: 10_000 }).toBe(2);
    await book.answer(id, { ...terminal, ...yes });
    await expect.poll(() => last().url, { timeout: 10_000 }).toBe('/api/chat.update');
  });

  it('leaves a message alone that will never do, and goes on with the others', async () => {
    const [bad, good] = [await ask(), await ask({ argumentsText: '{"n":2}' })];
    slack.answer = ({ body }, response) =>
      response.end(
        body.includes(bad)
          ? '{"ok":false,"error":"invalid_blocks"}'
          : '{"ok":true,"channel":"C0OPS","ts":"1"}',
      );
    expect(await board.step()).toBe('sent');
    expect(sent().some(({ text }) => text.includes(good))).toBe(true);
    expect(told).toEqual([
      { type: 'delivery.rejected', data: { export: 'slack-approvals', records: 1, approval: bad } },
    ]);
    const count = sent().length;
    expect([await board.step(), sent().length]).toEqual(['idle', count]);
  });
});

function failing(how: ((response: Parameters<DeliveryWorld['answer']>[1]) => unknown) | null): void {
  slack.answer = (_, response) =>
    void (how === null ? response.end('{"ok":true,"channel":"C0OPS","ts":"17.1"}') : how(response));
}

describe('an incoming webhook', () => {
  beforeEach(() => {
    board = boardOf(HOOK);
  });

  it('gets a further message once somebody answered elsewhere, and none where its button was pressed', async () => {
    const [one, other] = [await ask(), await ask({ argumentsText: '{"n":2}' })];
    await board.step();
    expect(sent().map(({ url }) => url)).toEqual(Array(2).fill('/services/T0/B0/hooksecret123'));
    await book.answer(one, { ...terminal, ...yes });
    await book.answer(other, { ...bySlack, ...yes });
    expect(await board.step()).toBe('sent');
    expect(sent()).toHaveLength(3);
    expect(last().text).toContain(`approved (tom at the terminal agreed). ${one}`);
    expect(await board.step()).toBe('idle');
  });

  it.each([400, 413])('leaves a message alone that is answered with %i, and goes on', async (status) => {
    const [bad, good] = [await ask(), await ask({ argumentsText: '{"n":2}' })];
    slack.answer = ({ body }, response) =>
      void response.writeHead(body.includes(bad) ? status : 200).end(body.includes(bad) ? 'no_text' : 'ok');
    expect(await board.step()).toBe('sent');
    expect(sent().some(({ text }) => text.includes(good))).toBe(true);
    expect(told).toEqual([
      { type: 'delivery.rejected', data: { export: 'slack-approvals', records: 1, approval: bad } },
    ]);
    const count = sent().length;
    expect([await board.step(), sent().length]).toEqual(['idle', count]);
  });

  it('that is gone is tried again', async () => {
    await ask();
    failing((response) => response.writeHead(404).end('no_service'));
    expect(await board.step()).toBe('failed');
    failing(null);
    expect(await board.step()).toBe('sent');
  });
});

describe('what is shown', () => {
  it('is all of it, or there is no button to agree', async () => {
    const parts = (chars: number): string => JSON.stringify({ text: 'x'.repeat(chars), more: 'rm -rf' });
    await ask({ argumentsText: parts(9_000) });
    await board.step();
    expect([last().text.includes('rm -rf'), hasButton(last().text, 'approve')]).toEqual([true, true]);
    for (const more of [
      { argumentsText: parts(10_000) },
      { argumentsText: '{"n":3}', besideText: parts(10_000) },
      { argumentsText: '{"n":3}', rules: ['x'.repeat(400)] },
    ]) {
      await ask(more);
      await board.step();
      expect([hasButton(last().text, 'approve'), hasButton(last().text, 'reject')]).toEqual([false, true]);
      expect(last().text).toContain('more characters');
    }
  });

  it('has no character that turns others around or that nobody sees', async () => {
    const hidden = '\u202etxt.exe\u200b\u2066\u{e0041}\u00ad\u3164\u034f\ufe0f\u2800\u{e0000}\u{e0100}';
    await ask({
      name: `merge${hidden}`,
      argumentsText: `{"to":"${hidden}"}`,
      besideText: `{"more":"${hidden}"}`,
    });
    await board.step();
    expect(last().text).toContain('txt.exe');
    for (const char of hidden.replace('txt.exe', '')) expect(last().text).not.toContain(char);
    expect(last().text.split('\\\\u{202e}txt.exe\\\\u{200b}')).toHaveLength(4);
  });

  it('is asked for a reason where one has to be given, which a button cannot', async () => {
    await ask({ ask: { people: 1, expireMinutes: 60, justification: true } });
    await board.step();
    expect([hasButton(last().text, 'approve'), last().text.includes('--reason')]).toEqual([false, true]);
  });
});

it.each([
  ['no place', {}],
  ['two places', { ...HOOK, ...BOT }],
  ['a token and no channel', { tokenFile: 'token' }],
  ['a channel by its name', { tokenFile: 'token', channel: '#ops' }],
])('settings with %s are refused', (_, where) => {
  const settings = (of: object) =>
    approvalSettings.safeParse({ slack: { signingSecretFile: 's', people: {}, ...of } }).success;
  expect([settings(where), settings(BOT), settings(HOOK)]).toEqual([false, true, true]);
});
