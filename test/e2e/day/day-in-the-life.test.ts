/**
 * A day in the life of one gateway, told in order: each part begins where the one before it ended. The servers are what
 * their authors publish, in cells; GitHub, Slack and whoever is on call are stand-ins. Configuration and rules are those
 * of docs/day-in-the-life.md.
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import type { Client } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RejudgeReport } from '../../../src/api/index.ts';
import { filesWithTraces, needlesOf } from '../../catalog/secret-traces.ts';
import { type History, historyOf } from './history.ts';
import { type NightAgent, startNightAgent } from './night-agent.ts';
import { KEY_NAME, type Office, openOffice, told } from './office.ts';
import { CARD, GITHUB, LOST_ISSUE, ON_CALL, pressed, SLACK, type SlackMessage } from './outside.ts';
import { fileOfThePage } from './page.ts';
import { type AuditLine, tale } from './tale.ts';

/** Generous: it only ends what would never end. Two servers are installed in it. */
const STEP_MS = 5 * 60_000;
const NIGHT_CALLS = 10_000;
const MARIA = 'U0MARIA';
const SHOP = { owner: 'acme', repo: 'shop' };
const REFUND = { ...SHOP, title: 'Refund order 1042', body: 'Paid twice, see #7' };

let office: Office;
let history: History;
let ada: Client;
let night: NightAgent;
/** The database as it was at noon. */
let noon: string;

const askedOfGitHub = (): readonly string[] =>
  office.outside.arrivedAt(GITHUB).map(({ method, path }) => `${method} ${path}`);
const slackMessages = (): readonly SlackMessage[] =>
  office.outside.arrivedAt(SLACK).map(({ body }) => JSON.parse(body) as SlackMessage);

beforeAll(async () => {
  office = await openOffice();
  history = historyOf(office.gateway.home);
  ada = await office.connect('ada');
}, STEP_MS);

afterAll(async () => {
  await ada?.close().catch(() => undefined);
  night?.close();
  await office?.close();
}, STEP_MS);

describe('the day', () => {
  it("09:00. Ada's agent reads an issue: GitHub gets the real key, of which the server knows a stand-in", async () => {
    const issue = await told(ada, 'github__get_issue', { ...SHOP, issue_number: 7 });
    expect(issue).toContain('A customer wrote: my card is');
    const [request] = office.outside.arrivedAt(GITHUB);
    expect(request?.headers.authorization).toBe(`Bearer ${office.key}`);
    const [server] = office.servers();
    expect(server?.name).toBe('github');
    expect(server?.environment.get(KEY_NAME)).toMatch(/^ghp_[A-Za-z0-9]{36}$/);
    expect(server?.environment.get(KEY_NAME)).not.toBe(office.key);
  });

  it('09:01. The issue has a card number in it, which the agent does not get to see', async () => {
    const issue = await told(ada, 'github__get_issue', { ...SHOP, issue_number: 7 });
    expect(issue).toContain('my card is [masked:payment-card], you took 40 twice');
    expect(issue).not.toContain(CARD.slice(5));
  });

  it('10:00. A write waits until Maria presses a button in Slack, and then runs once', async () => {
    const opened = told(ada, 'github__create_issue', REFUND);
    await expect.poll(() => slackMessages().length).toBe(1);
    const [question] = slackMessages();
    expect(JSON.stringify(question)).toContain('Refund order 1042');
    expect(askedOfGitHub()).not.toContain('POST /repos/acme/shop/issues');

    const press = async (member: string, secret: string, at?: number): Promise<number> => {
      const message = pressed(question, 'approve', { member, secret, ...(at === undefined ? {} : { at }) });
      return (await fetch(`${office.gateway.url}/hooks/slack`, { method: 'POST', ...message })).status;
    };
    expect(await press(MARIA, 'not what Slack signs with')).toBe(401);
    expect(await press('U0MALLORY', office.slackSecret)).toBe(200);
    await expect.poll(() => JSON.stringify(slackMessages())).toContain('not among those who may');
    expect(askedOfGitHub()).not.toContain('POST /repos/acme/shop/issues');

    const now = Date.now();
    expect(await press(MARIA, office.slackSecret, now)).toBe(200);
    expect(await opened).toContain('https://github.com/acme/shop/issues/8');
    // Slack delivers the same message again, and Maria presses once more.
    expect(await press(MARIA, office.slackSecret, now)).toBe(409);
    expect(await press(MARIA, office.slackSecret, now + 1_000)).toBe(200);
    expect(askedOfGitHub().filter((asked) => asked === 'POST /repos/acme/shop/issues')).toHaveLength(1);
    const [post] = office.outside.arrivedAt(GITHUB).filter(({ method }) => method === 'POST');
    expect(JSON.parse(post?.body ?? '')).toEqual({ title: REFUND.title, body: REFUND.body });
  });

  it('11:00. A delete is refused, with the rule and what is allowed instead', async () => {
    const note = { name: 'refunds', entityType: 'practice', observations: ['are issues'] };
    await told(ada, 'notes__create_entities', { entities: [note] });
    const refusal = await told(ada, 'notes__delete_entities', { entityNames: ['refunds'] });
    expect(refusal).toBe(
      'Agents delete nothing here. Rule: nothing-is-deleted. Add an observation that says that it is over, or ask a person to delete it.',
    );
    expect(await told(ada, 'notes__open_nodes', { names: ['refunds'] })).toContain('are issues');
    // What it says is allowed is.
    const observations = [{ entityName: 'refunds', contents: ['over since 2026'] }];
    expect(await told(ada, 'notes__add_observations', { observations })).toContain('over since 2026');
  });

  it('12:00. Searching is for three times an hour, and somebody makes a backup', async () => {
    for (const word of ['refund', 'card', 'twice'])
      expect(await told(ada, 'github__search_code', { q: word })).toContain('"total_count": 0');
    expect(await told(ada, 'github__search_code', { q: 'order' })).toMatch(
      /^There may be 3 calls per hour\. Rule: searches\. Call again in /,
    );
    noon = history.backUp('noon.db');
  });

  it(
    '22:00. An agent that nobody stops makes 10,000 calls, and whoever is on call is woken once',
    async () => {
      // A night is short here; that one of eight hours is one alert, too: alerts/watch.
      night = await startNightAgent(`${office.gateway.url}/mcp/default`, await office.token('night'), 8);
      const answers = await night.calls(NIGHT_CALLS, 'notes__search_nodes', { query: 'refunds' });
      expect(answers).toEqual({ results: NIGHT_CALLS, others: [] });
      await expect.poll(() => office.outside.arrivedAt(ON_CALL).length, { timeout: 120_000 }).toBe(1);
      const [page] = office.outside.arrivedAt(ON_CALL);
      expect(JSON.parse(page?.body ?? '')).toMatchObject({
        type: 'alert.raised',
        data: { kind: 'volume', about: { calls: 1_001 } },
      });
      const named = (name: string): string => String(page?.headers[`webhook-${name}`]);
      const digest = createHmac('sha256', office.onCallSecret)
        .update(`${named('id')}.${named('timestamp')}.${page?.body ?? ''}`)
        .digest('base64');
      expect(named('signature')).toBe(`v1,${digest}`);
      // It was all looked at, and nothing else is told of it.
      await expect.poll(() => history.watchedCalls(), { timeout: 120_000 }).toBeGreaterThan(NIGHT_CALLS);
    },
    STEP_MS,
  );

  it('23:00. The kill switch ends it: calls are refused, cells are gone, connections are cut', async () => {
    const lost = told(ada, 'github__get_issue', { ...SHOP, issue_number: LOST_ISSUE });
    await expect.poll(() => askedOfGitHub().at(-1)).toBe(`GET /repos/acme/shop/issues/${LOST_ISSUE}`);
    const open = office.outside.arrivedAt(GITHUB).at(-1)?.socket;
    expect([open?.closed, office.servers().length]).toEqual([false, 2]);

    await office.command(['kill', '--all', '--reason', 'a runaway agent']);
    const stopped = expect.stringContaining('Everything has been stopped with the kill switch.') as string;
    expect(await lost).toEqual(stopped);
    expect(office.servers()).toEqual([]);
    await expect.poll(() => open?.closed).toBe(true);
    expect(await told(ada, 'notes__open_nodes', { names: ['refunds'] })).toEqual(stopped);
    expect(await night.calls(3, 'notes__search_nodes', {})).toEqual({ results: 0, others: [stopped] });
    expect(office.servers()).toEqual([]);
    // Whoever is on call hears of the switch, too: an alarm is not among what it stops.
    await expect.poll(() => office.outside.arrivedAt(ON_CALL).length, { timeout: 120_000 }).toBe(2);
    expect(JSON.parse(office.outside.arrivedAt(ON_CALL)[1]?.body ?? '')).toMatchObject({
      data: { kind: 'kill-switch', about: { scope: 'all', state: 'set' } },
    });
  });
});

describe('the morning after', () => {
  let log: readonly AuditLine[];

  it(
    'the audit log tells all of it in order, and verifies',
    async () => {
      await ada.close();
      await office.gateway.end();
      expect(await office.command(['audit', 'verify'])).toContain('every one in its place');
      const exported = (await office.command(['audit', 'export'])).trim().split('\n');
      log = exported.map((line) => JSON.parse(line) as AuditLine);
      const lines = tale(log);
      const [begins, killed] = [
        lines.indexOf('4 rules hold'),
        lines.indexOf('kill switch: all, a runaway agent'),
      ];
      const ofTheNight = ['night calls notes search_nodes', 'search_nodes of night: ok'];
      expect(lines.slice(begins, killed).filter((line) => !ofTheNight.includes(line))).toEqual([
        '4 rules hold',
        ...calls('github get_issue', 'masked for ada: payment-card'),
        ...calls('github get_issue', 'masked for ada: payment-card'),
        'create_issue waits for 1 person',
        'maria agrees to create_issue',
        'what user:maria agreed to is run',
        ...calls('github create_issue'),
        ...calls('notes create_entities'),
        'ada is refused notes delete_entities: nothing-is-deleted',
        ...calls('notes open_nodes'),
        ...calls('notes add_observations'),
        ...calls('github search_code'),
        ...calls('github search_code'),
        ...calls('github search_code'),
        'ada is refused github search_code: searches',
        'alert: volume',
        ...calls('github get_issue').slice(0, -1),
      ]);
      for (const line of ofTheNight) expect(lines.filter((one) => one === line)).toHaveLength(NIGHT_CALLS);
      expect(lines.slice(killed + 1).toSorted()).toEqual([
        'ada is refused notes open_nodes: kill_active',
        'alert: kill-switch',
        'cell of github ends: kill switch',
        'cell of notes ends: kill switch',
        'get_issue of ada: failed',
        ...Array<string>(3).fill('night is refused notes search_nodes: kill_active'),
      ]);
    },
    STEP_MS,
  );

  it('the key is in no byte of the home, in no encoding, and the card number neither', () => {
    const { home } = office.gateway;
    expect(office.gateway.output()).not.toContain(office.key);
    expect(filesWithTraces(home, needlesOf(office.key, 'ghp_'))).toEqual([]);
    expect(filesWithTraces(home, needlesOf(CARD, CARD))).toEqual([]);
    // Control: whatever is there is found.
    office.file('planted', Buffer.from(`a note: ${office.key}`).toString('base64'));
    expect(filesWithTraces(home, needlesOf(office.key, 'ghp_'))).toEqual(['planted']);
  });

  it('what was recorded is decided as it was by the same rules, and otherwise where they were changed', async () => {
    const sessions = await office.json<{ id: string; agent: string }[]>('session', 'list');
    const { id = '' } = sessions.find(({ agent }) => agent === 'ada') ?? {};
    const replay = (file: string): Promise<RejudgeReport> =>
      office.json('session', 'replay', id, '--against', file);

    const rules = fileOfThePage('policy.yaml');
    const same = await replay(office.file('same.yaml', rules));
    expect(same.requests.map(({ name, before }) => `${name}: ${before}`)).toEqual([
      'get_issue: allow',
      'get_issue: allow',
      'create_issue: approve',
      'create_entities: allow',
      'delete_entities: deny',
      'open_nodes: allow',
      'add_observations: allow',
      'search_code: allow',
      'search_code: allow',
      'search_code: allow',
      'search_code: limited',
      'get_issue: allow',
    ]);
    for (const { before, after, ruleBefore, rule } of same.requests)
      expect([after, rule]).toEqual([before, before === 'limited' ? 'searches' : ruleBefore]);
    expect(same).toMatchObject({ changed: 0, unsure: 0, refused: 0, faults: [] });

    const changed = rules
      .replace(/template: block-deletes[^]*?\n\n/, 'do: allow\n\n')
      .replace(/template: calls-per-hour[^]*/, 'do: deny\n');
    const other = await replay(office.file('changed.yaml', changed));
    expect(
      other.requests
        .filter(({ before, after }) => before !== after)
        .map(({ name, before, after, rule }) => `${name}: ${before}, now ${after} by ${rule}`),
    ).toEqual([
      'delete_entities: deny, now allow by nothing-is-deleted',
      ...Array<string>(3).fill('search_code: allow, now deny by searches'),
      'search_code: limited, now deny by searches',
    ]);
    expect(other).toMatchObject({ changed: 5, unsure: 0, refused: 3 });
  });

  describe('somebody who may write to the database would rather have had another day', () => {
    const problems = async (...more: string[]): Promise<readonly string[]> => {
      const report = await office.json<{ problems: { code: string; sequence: number }[] }>(
        'audit',
        'verify',
        ...more,
      );
      return report.problems.map(({ code, sequence }) => `${code} ${sequence}`);
    };
    const codes = (found: readonly string[]): readonly string[] =>
      found.map((one) => one.split(' ')[0] ?? '');
    let whole: string;
    /** Where they are in the log. */
    let events: Readonly<Record<'asked' | 'agreed' | 'refused' | 'killed', number>>;

    beforeAll(() => {
      whole = history.backUp('whole.db');
      const at = (type: string): number => log.find((line) => line.type === type)?.sequence ?? 0;
      events = {
        asked: at('approval.requested'),
        agreed: at('approval.agreed'),
        refused: at('call.refused'),
        killed: at('kill.set'),
      };
    });

    it('a refusal that is somebody else’s is an event that was edited', async () => {
      history.edit(
        `update audit_events set data = replace(data, 'ada', 'bob') where sequence = ${events.refused}`,
      );
      expect(await problems()).toEqual([`event_edited ${events.refused}`]);
      history.restore(whole);
    });

    it('a kill that never was is an end that is cut off', async () => {
      history.edit(`delete from audit_events where sequence >= ${events.killed}`);
      expect(await problems()).toEqual([`chain_truncated ${events.killed}`]);
      history.restore(whole);
    });

    it('an agreement before its question is two events that were moved', async () => {
      const { asked, agreed } = events;
      history.edit(
        `update audit_events set sequence = 1000000 where sequence = ${asked};
        update audit_events set sequence = ${asked} where sequence = ${agreed};
        update audit_events set sequence = ${agreed} where sequence = 1000000`,
      );
      const moved = (await problems()).filter((one) => one.startsWith('event_moved'));
      expect(moved).toEqual([`event_moved ${asked}`, `event_moved ${agreed}`]);
      history.restore(whole);
    });

    it('noon all over again is found out by what was exported meanwhile', async () => {
      const kept = join(office.gateway.home, 'audit.jsonl');
      history.restore(noon);
      expect(codes(await problems('--checkpoint', kept))).toContain('checkpoint_ahead');
      history.restore(whole);
      expect(await problems('--checkpoint', kept), 'the control').toEqual([]);
    });
  });
});

/** A call of Ada's agent, as the log tells of it. @param meanwhile what happens beside it */
function calls(what: string, ...meanwhile: readonly string[]): readonly string[] {
  const [server, tool = ''] = what.split(' ');
  const method = tool.startsWith('create') ? 'POST' : 'GET';
  const key = server === 'github' ? [`${KEY_NAME} goes into ${method} ${GITHUB}`] : [];
  return [`ada calls ${what}`, ...key, ...meanwhile, `${tool} of ada: ok`];
}
