import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Approval,
  type ApprovalScope,
  approve as approveAs,
  askApproval,
  canonicalRequest,
  claim as claimAs,
  combineAsks,
  type Deciding,
  deciding,
  type People,
  type HeldRequest,
  reject,
  revoke,
  settled,
} from '../../../src/policy/index.ts';

const NOW = 1_000_000;
const MINUTE = 60_000;
const ONCE: ApprovalScope = { kind: 'once' };
const about = { hash: 'sha256-1', requester: 'token:a', session: 's1' };
const asked = (more: object = {}): Approval => ({
  ...askApproval(about, { people: 1, expireMinutes: 10, justification: false }, NOW),
  ...more,
});
/** Everybody is themselves, and who asks is somebody else. */
const OPEN: Deciding = { personOf: (account) => account, requesters: ['user:asker'], isStrict: false };
type Said = Parameters<typeof approveAs>[1];
const approve = (before: Approval, said: Said, now: number, who: Deciding = OPEN) =>
  approveAs(before, said, who, now);
const claim = (before: Approval, used: Parameters<typeof claimAs>[1], now: number, who: Deciding = OPEN) =>
  claimAs(before, used, who, now);
const say = (account: string, scope: ApprovalScope = ONCE, reason: string | null = null) => ({
  account,
  scope,
  reason,
});
const ended = (by: string, reason: string | null = null) => ({ by, account: by, reason });
const use = { hash: 'sha256-1', session: 's1' };

function good(result: ReturnType<typeof approve>): Approval {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

describe('an approval', () => {
  it('agreed to once is good for one use of its own request', () => {
    const approved = good(approve(asked(), say('local:1'), NOW));
    expect(approved).toMatchObject({ state: 'approved', grant: { once: true, session: null } });
    expect(claim(approved, { ...use, hash: 'sha256-2' }, NOW)).toEqual({
      ok: false,
      error: 'approval_other_request',
    });
    const used = good(claim(approved, use, NOW));
    expect(used).toMatchObject({ state: 'executed', uses: 1 });
    expect(claim(used, use, NOW)).toEqual({ ok: false, error: 'approval_not_granted' });
    expect(revoke(used, ended('local:1'), NOW)).toEqual({ ok: false, error: 'approval_not_open' });
  });

  it('takes as many as it says, each once, and never who asks', () => {
    const two = asked({ people: 2 });
    const one = good(approve(two, say('local:1'), NOW));
    expect(one.state).toBe('pending');
    expect(claim(one, use, NOW)).toEqual({ ok: false, error: 'approval_not_granted' });
    expect(approve(one, say('local:1'), NOW)).toEqual({ ok: false, error: 'approval_already_agreed' });
    expect(approve(one, say('token:a'), NOW)).toEqual({ ok: false, error: 'approval_own_request' });
    expect(good(approve(one, say('user:x'), NOW)).state).toBe('approved');
  });

  it('asks for a reason where it has to be given', () => {
    const why = asked({ justification: true });
    expect(approve(why, say('local:1'), NOW)).toEqual({ ok: false, error: 'approval_reason_missing' });
    expect(approve(why, say('local:1', ONCE, ' \t'), NOW)).toEqual({
      ok: false,
      error: 'approval_reason_missing',
    });
    expect(good(approve(why, say('local:1', ONCE, 'release'), NOW)).state).toBe('approved');
  });

  it('ends in time, as a question and as an agreement', () => {
    expect(settled(asked(), NOW + 10 * MINUTE - 1).state).toBe('pending');
    expect(settled(asked(), NOW + 10 * MINUTE).state).toBe('expired');
    expect(approve(asked(), say('local:1'), NOW + 10 * MINUTE)).toEqual({
      ok: false,
      error: 'approval_not_pending',
    });
    const hour = good(approve(asked(), say('local:1', { kind: 'minutes', minutes: 60 }), NOW));
    const later = good(claim(hour, use, NOW + 59 * MINUTE));
    expect(later).toMatchObject({ state: 'approved', uses: 1 });
    expect(claim(later, use, NOW + 60 * MINUTE)).toEqual({ ok: false, error: 'approval_not_granted' });
    const once = good(approve(asked(), say('local:1'), NOW));
    expect(claim(once, use, NOW + 60 * MINUTE)).toEqual({ ok: false, error: 'approval_not_granted' });
  });

  it('for a session is for that one', () => {
    const session = good(approve(asked(), say('local:1', { kind: 'session' }), NOW));
    expect(claim(session, { ...use, session: 's2' }, NOW)).toEqual({
      ok: false,
      error: 'approval_other_session',
    });
    expect(claim(session, { ...use, session: null }, NOW)).toEqual({
      ok: false,
      error: 'approval_other_session',
    });
    expect(good(claim(session, use, NOW)).state).toBe('approved');
    expect(approve(asked({ session: null }), say('local:1', { kind: 'session' }), NOW)).toEqual({
      ok: false,
      error: 'approval_no_session',
    });
  });

  it('is as narrow as the narrowest of those who agreed', () => {
    const first = good(approve(asked({ people: 2 }), say('local:1', { kind: 'minutes', minutes: 5 }), NOW));
    expect(good(approve(first, say('user:x'), NOW + MINUTE)).grant).toEqual({
      once: true,
      session: null,
      until: NOW + 5 * MINUTE,
    });
    // What somebody said for five minutes was said for those, however long the next one takes.
    const late = good(approve(first, say('user:x'), NOW + 5 * MINUTE));
    expect(late).toMatchObject({ state: 'pending', agreed: [{ by: 'user:x' }] });
    expect(good(approve(first, say('user:x', { kind: 'session' }), NOW)).grant).toEqual({
      once: false,
      session: 's1',
      until: NOW + 5 * MINUTE,
    });
  });

  it.each([0, 1.5, -1, Number.NaN, Infinity, 10_081])('is for no time such as %d minutes', (minutes) => {
    expect(approve(asked(), say('local:1', { kind: 'minutes', minutes }), NOW)).toEqual({
      ok: false,
      error: 'approval_scope_invalid',
    });
  });

  it('that was rejected or revoked is good for nothing', () => {
    const rejected = good(reject(asked(), ended('local:1', 'no'), NOW));
    expect(rejected).toMatchObject({ state: 'rejected', ended: { by: 'local:1', reason: 'no' } });
    const revoked = good(revoke(good(approve(asked(), say('local:1'), NOW)), ended('local:2'), NOW));
    expect(revoked.state).toBe('revoked');
    for (const over of [rejected, revoked]) {
      expect(claim(over, use, NOW)).toEqual({ ok: false, error: 'approval_not_granted' });
      expect(approve(over, say('user:x'), NOW)).toEqual({ ok: false, error: 'approval_not_pending' });
      expect(reject(over, ended('user:x'), NOW)).toEqual({ ok: false, error: 'approval_not_pending' });
    }
  });

  it('that several rules want is asked as the strictest says', () => {
    expect(
      combineAsks([
        { people: 1, expireMinutes: 5, justification: false },
        { people: 2, expireMinutes: 60, justification: true },
      ]),
    ).toEqual({ people: 2, expireMinutes: 5, justification: true });
  });
});

describe('people', () => {
  /** The token and the terminal are Maria's, and so is one of Slack's names. */
  const OWNERS: Readonly<Record<string, string>> = {
    'local:1': 'user:maria',
    'slack:U1': 'user:maria',
    'slack:U2': 'user:tom',
    'webhook:ann': 'user:ann',
  };
  const people = (areNamed: boolean, owners = OWNERS, asker: readonly string[] = ['user:asker']): People => ({
    areNamed,
    personOf: (account) => owners[account] ?? null,
    behind: () => asker,
  });
  const who = (of: People, count = 2): Deciding => deciding(of, asked({ people: count }), 'agent');
  const two = asked({ people: 2 });

  it('count once, whatever way they come', () => {
    const now = who(people(true));
    const one = good(approve(two, say('local:1'), NOW, now));
    expect(one).toMatchObject({ state: 'pending', agreed: [{ by: 'user:maria', account: 'local:1' }] });
    expect(approve(one, say('slack:U1'), NOW, now)).toEqual({ ok: false, error: 'approval_already_agreed' });
    expect(good(approve(one, say('slack:U2'), NOW, now)).state).toBe('approved');
  });

  it('never agree to what they ask for, under any name', () => {
    const marias = who(people(true, OWNERS, ['user:maria', 'user:ann']), 1);
    for (const account of ['local:1', 'slack:U1', 'webhook:ann', 'token:a'])
      expect(approve(asked(), say(account), NOW, marias)).toEqual({
        ok: false,
        error: 'approval_own_request',
      });
    expect(good(approve(asked(), say('slack:U2'), NOW, marias)).state).toBe('approved');
  });

  it('that nobody knows count once where nobody is known, and never where several are asked or people are named', () => {
    const unnamed = people(false, {}, []);
    expect(good(approve(asked(), say('local:7'), NOW, who(unnamed, 1))).agreed[0]?.by).toBe('local:7');
    expect(approve(two, say('local:7'), NOW, who(unnamed))).toEqual({
      ok: false,
      error: 'approval_person_unknown',
    });
    expect(approve(asked(), say('local:7'), NOW, who(people(true), 1))).toEqual({
      ok: false,
      error: 'approval_person_unknown',
    });
    expect(approve(asked(), say('slack:U2'), NOW, who(people(true, OWNERS, []), 1))).toEqual({
      ok: false,
      error: 'approval_requester_unknown',
    });
  });

  it('count by who they are now, and not by who they were', () => {
    const before = who(people(true));
    const one = good(approve(two, say('local:1'), NOW, before));
    // The terminal is another one's by now: it was Maria who agreed, and she does not use it.
    const moved = who(people(true, { ...OWNERS, 'local:1': 'user:tom' }));
    expect(good(approve(one, say('local:1'), NOW, moved)).agreed.map(({ by }) => by)).toEqual(['user:tom']);
    const both = good(approve(one, say('slack:U2'), NOW, before));
    expect(good(claim(both, use, NOW, before)).uses).toBe(1);
    for (const now of [
      moved,
      who(people(true, { 'slack:U2': 'user:tom' })),
      who(people(true, OWNERS, ['user:maria'])),
      who(people(true, OWNERS, [])),
    ])
      expect(claim(both, use, NOW, now)).toEqual({ ok: false, error: 'approval_not_granted' });
  });
});

describe('the canonical form of a request', () => {
  const ASK = { people: 1, expireMinutes: 60, justification: false };
  const held = (argumentsText: string | null, more: Partial<HeldRequest> = {}): HeldRequest => ({
    workspace: 'ws_1',
    requester: 'token:a',
    profile: 'dev',
    server: 'github',
    serverState: 'sha256-s',
    subject: 'tool',
    name: 'merge',
    definitionHash: 'sha256-d',
    argumentsText,
    besideText: null,
    rules: ['one', 'other'],
    ask: ASK,
    ...more,
  });

  it('is this one', () => {
    expect(canonicalRequest(held(' { "b" : 1.0, "a": "\\u0041" } '))).toEqual({
      ok: true,
      value:
        '["sallyport/approval/2","ws_1","token:a","dev","github","sha256-s","tool","merge","sha256-d",[["one","other"],1,60,false],{"a":"A","b":1.0},null]',
    });
  });

  it.each([
    ['{"a":1,"a":2}', 'json_duplicate_key'],
    ['{"a":1,"\\u0061":2}', 'json_duplicate_key'],
    ['{"a":1e999}', 'json_number'],
    ['{"a":"\\ud800"}', 'json_surrogate'],
    ['{"a":', 'json_syntax'],
    [`"${'x'.repeat(256 * 1024)}"`, 'json_too_long'],
  ])('there is none of %s', (text, error) => {
    expect(canonicalRequest(held(text))).toEqual({ ok: false, error });
    expect(canonicalRequest(held(null, { besideText: text }))).toEqual({ ok: false, error });
  });

  it.each<[string, Partial<HeldRequest>]>([
    ['workspace', { workspace: 'ws_2' }],
    ['requester', { requester: 'token:b' }],
    ['profile', { profile: null }],
    ['server', { server: 'gitlab' }],
    ['state of the server', { serverState: 'sha256-t' }],
    ['parameter beside the arguments', { besideText: '{"task":{}}' }],
    ['rule', { rules: ['one', 'other', 'new'] }],
    ['number of people', { ask: { ...ASK, people: 2 } }],
    ['wish for a reason', { ask: { ...ASK, justification: true } }],
    ['time to answer', { ask: { ...ASK, expireMinutes: 5 } }],
    ['subject', { subject: 'prompt' }],
    ['name', { name: 'close' }],
    ['definition', { definitionHash: null }],
    ['arguments', { argumentsText: '{"n":2}' }],
    ['number in other words', { argumentsText: '{"n":1.0}' }],
    ['type', { argumentsText: '{"n":"1"}' }],
  ])('another %s makes another one', (_, more) => {
    expect(canonicalRequest(held('{"n":1}', more))).not.toEqual(canonicalRequest(held('{"n":1}')));
  });

  it('is the same for the same value, and another for another', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.boolean(), (one, other, spaced) => {
        const form = (value: unknown): unknown =>
          canonicalRequest(held(JSON.stringify(value, null, spaced ? 2 : 0)));
        const plain = (value: unknown): unknown => canonicalRequest(held(JSON.stringify(value)));
        expect(form(one)).toEqual(plain(one));
        const isSame = JSON.stringify(plain(one)) === JSON.stringify(plain(other));
        if (isSame) expect(JSON.parse(JSON.stringify(one))).toEqual(JSON.parse(JSON.stringify(other)));
      }),
    );
  });
});
