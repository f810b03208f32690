/** Alerts from a real log to real receivers: on record once, told once, whatever is killed in between. */
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { alertSettings } from '../../src/main/config-alerts.ts';
import { type AlertDeskDeps, createAlertDesk, type RunningAlerts } from '../../src/main/alerts/alert-desk.ts';
import { auditExports } from '../../src/main/config-exports.ts';
import { createExports } from '../../src/main/delivery/exports.ts';
import { createKillState } from '../../src/vault/index.ts';
import { type DeliveryWorld, fileSecrets, HOST, makeDeliveryWorld } from './delivery-world.ts';

const ADDRESS_SECRET = 'XXXXsecretXXXXpart0123';
const KEY = Buffer.alloc(32, 9);

let world: DeliveryWorld;
const desks: RunningAlerts[] = [];

beforeEach(async () => {
  world = await makeDeliveryWorld();
});
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.stop();
  await world.close();
});

function makeDesk(settings: object | null, over: Partial<AlertDeskDeps> = {}): RunningAlerts {
  const { home, way } = world;
  const desk = createAlertDesk({
    ...home,
    secrets: fileSecrets(home.directory),
    config: settings === null ? null : alertSettings.parse(settings),
    way,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...over,
  });
  desks.push(desk);
  return desk;
}

const record = (type: AuditEvent['type'], data: AuditEvent['data'] = {}) =>
  world.home.audit.append({
    workspace: world.home.workspace,
    type,
    actor: { kind: 'cell', id: 'cel_1' },
    server: 'github',
    data,
  });
const raised = async (): Promise<number> =>
  (await world.logged()).split('\n').filter((line) => line.includes('"type":"alert.raised"')).length;
/** Has begun, and seen what there is. */
const isReady = async (): Promise<void> => {
  const { store, workspace } = world.home;
  await expect
    .poll(async () => (await store.streams.find(workspace, 'alerts')) !== null, { timeout: 10_000 })
    .toBe(true);
};

/** What a server may call a host. */
const NAMED = '<!channel> @here *api* https://a.example';

describe('alerts', () => {
  it('are on record, listed, and told by webhook and Slack, each once', async () => {
    world.secretFile('address', `https://${HOST}/services/T1/${ADDRESS_SECRET}`);
    world.secretFile('key', `whsec_${KEY.toString('base64')}`);
    const settings = {
      channels: [
        { name: 'ops', kind: 'webhook', url: `https://${HOST}/hook`, secretFile: 'key' },
        { name: 'chat', kind: 'slack', urlFile: 'address' },
      ],
    };
    const desk = makeDesk(settings);
    await record('egress.masked', { host: 'before.example' });
    desk.start();
    await isReady();
    await expect
      .poll(() => world.home.store.streams.find(world.home.workspace, 'alert:chat'), { timeout: 10_000 })
      .not.toBeNull();
    await record('egress.finished', { host: 'api.example' });
    await record('egress.masked', { host: NAMED });
    await record('egress.masked', { host: NAMED });
    await expect.poll(() => world.received.length, { timeout: 15_000 }).toBe(2);
    const [hook] = world.received.filter(({ url }) => url === '/hook');
    const body = JSON.parse(hook?.body.toString() ?? '{}') as { data: { id: string } };
    expect(body).toMatchObject({
      type: 'alert.raised',
      data: { rule: 'reflected-secret', kind: 'reflected-secret', server: 'github', suppressed: 0 },
    });
    const id = String(hook?.headers['webhook-id']);
    expect(id).toBe(body.data.id);
    const signed = `${id}.${String(hook?.headers['webhook-timestamp'])}.${hook?.body.toString() ?? ''}`;
    expect(hook?.headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', KEY).update(signed).digest('base64')}`,
    );
    const [chat] = world.received.filter(({ url }) => url === `/services/T1/${ADDRESS_SECRET}`);
    const shown = JSON.parse(chat?.body.toString() ?? '{}') as { text: string; blocks: object[] };
    expect(shown.blocks).toHaveLength(3);
    expect(shown.text).toContain('&lt;!channel&gt;');
    expect(shown.text).not.toMatch(/\*api\*|@here|https:/);
    // Where it is shown, it is of the kind in which Slack looks for nothing.
    expect(JSON.stringify(shown.blocks)).toContain(NAMED);
    expect(JSON.stringify(shown.blocks)).not.toContain('mrkdwn');
    expect(await desk.list()).toMatchObject([{ rule: 'reflected-secret', key: `server:github ${NAMED}` }]);
    expect(await raised()).toBe(1);
    expect(await world.logged()).not.toContain(ADDRESS_SECRET);
  });

  it('are neither lost nor raised twice when a gateway is killed after one was put on record', async () => {
    const { store } = world.home;
    let isKilled = false;
    const dying = {
      ...store,
      streams: {
        ...store.streams,
        save: async (...given: Parameters<typeof store.streams.save>) => {
          if (isKilled || (await raised()) > 0) {
            isKilled = true;
            throw new Error('killed');
          }
          await store.streams.save(...given);
        },
      },
    };
    const first = makeDesk({}, { store: dying });
    first.start();
    await isReady();
    await record('placeholder.foreign', { host: 'api.example' });
    await expect.poll(() => isKilled, { timeout: 10_000 }).toBe(true);
    await first.stop();
    const second = makeDesk({});
    second.start();
    await record('placeholder.foreign', { host: 'other.example' });
    await expect.poll(raised, { timeout: 10_000 }).toBe(2);
    await expect.poll(async () => (await second.list()).length, { timeout: 10_000 }).toBe(2);
    expect((await second.list()).map(({ key }) => key)).toEqual([
      'server:github other.example',
      'server:github api.example',
    ]);
  });

  it('leave while everything is stopped, that it is among them; what waits for the switch is lifted goes then', async () => {
    const { home, way } = world;
    const { workspace, store } = home;
    const kills = createKillState(store);
    const url = `https://${HOST}/alarm`;
    const [alarm] = [makeDesk({ channels: [{ name: 'ops', kind: 'webhook', url }] })];
    // Control: an export of the same log, to the same receiver, is silent.
    const exports = createExports({
      ...home,
      home: home.directory,
      secrets: fileSecrets(home.directory),
      exports: auditExports.parse([{ name: 'siem', kind: 'webhook', url: `https://${HOST}/siem` }]),
      way,
      egress: () => world.egress,
      kills,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    alarm.start();
    await isReady();
    await expect.poll(() => store.streams.find(workspace, 'alert:ops'), { timeout: 10_000 }).not.toBeNull();
    const kill = { scope: 'all', target: '', at: 1, by: 'local:0', reason: 'a runaway agent' } as const;
    await store.kills.set(workspace, kill);
    exports.start();
    try {
      await home.audit.append({
        workspace,
        type: 'kill.set',
        actor: { kind: 'local', id: '0' },
        data: { scope: 'all', target: '', reason: kill.reason },
      });
      await expect.poll(() => world.received.length, { timeout: 15_000 }).toBe(1);
      expect(JSON.parse(world.received[0]?.body.toString() ?? '')).toMatchObject({
        data: {
          kind: 'kill-switch',
          message: 'The kill switch was set by local:0 for everything (a runaway agent).',
        },
      });
      await record('placeholder.foreign', { host: 'api.example' });
      await expect.poll(() => world.received.length, { timeout: 15_000 }).toBe(2);
      expect(world.received.map((one) => one.url)).toEqual(['/alarm', '/alarm']);
      await store.kills.lift(workspace, 'all', '');
      await expect
        .poll(() => world.received.some((one) => one.url === '/siem'), { timeout: 15_000 })
        .toBe(true);
    } finally {
      await exports.stop();
    }
  });

  it('can be tried, and are not there where nothing is watched', async () => {
    const desk = makeDesk({ channels: [{ name: 'ops', kind: 'webhook', url: `${world.plainUrl}/` }] });
    desk.start();
    await expect
      .poll(() => world.home.store.streams.find(world.home.workspace, 'alert:ops'), { timeout: 10_000 })
      .not.toBeNull();
    expect(await desk.test()).toMatchObject({ kind: 'test', rule: 'test' });
    await expect.poll(() => world.received.length, { timeout: 10_000 }).toBe(1);
    // One that a receiver does not take is there to be seen, for as long as it does not.
    world.answer = (_, response) => response.writeHead(503).end();
    await desk.test();
    const failing = [{ channel: 'ops', undelivered: 1, failures: expect.any(Number) as number }];
    await expect
      .poll(async () => (await desk.backlog())[0]?.failures ?? 0, { timeout: 15_000 })
      .toBeGreaterThan(0);
    await expect.poll(() => desk.backlog(), { timeout: 10_000 }).toEqual(failing);
    world.answer = (_, response) => response.end();
    await expect
      .poll(() => desk.backlog(), { timeout: 30_000 })
      .toEqual([{ channel: 'ops', undelivered: 0, failures: 0 }]);
    const off = makeDesk(null);
    expect(await off.backlog()).toEqual([]);
    off.start();
    await expect(off.test()).rejects.toMatchObject({ code: 'alerts_off' });
    expect(await raised()).toBe(2);
  });
});

describe('settings of alerts', () => {
  const problem = (given: unknown): string => {
    const parsed = alertSettings.safeParse(given);
    return parsed.success ? '' : parsed.error.issues.map(({ message }) => message).join('; ');
  };
  const hours = { kind: 'off-hours', from: '08:00', until: '18:00', timeZone: 'Europe/Berlin' };

  it('watch for what needs no word of the owner’s, unless rules are named', () => {
    expect(alertSettings.parse({}).rules.map(({ kind }) => kind)).toEqual([
      'volume',
      'first-host',
      'first-tool',
      'denials',
      'crash-loop',
      'reflected-secret',
      'foreign-placeholder',
      'policy-rule',
      'kill-switch',
    ]);
    expect(alertSettings.parse({ rules: [hours] }).rules).toEqual([
      {
        id: 'off-hours',
        kind: 'off-hours',
        days: [1, 2, 3, 4, 5],
        fromMinute: 480,
        untilMinute: 1_080,
        timeZone: 'Europe/Berlin',
      },
    ]);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown kind', { rules: [{ kind: 'mood' }] }, /./],
    ['a time that is none', { rules: [{ ...hours, from: '8' }] }, /08:00/],
    ['a night', { rules: [{ ...hours, from: '18:00', until: '08:00' }] }, /before it ends/],
    ['a zone that is none', { rules: [{ ...hours, timeZone: 'Mars' }] }, /time zone/],
    ['two of one id', { rules: [{ kind: 'volume' }, { kind: 'volume', per: 'server' }] }, /one id/],
    [
      'two channels of one name',
      { channels: [1, 2].map(() => ({ name: 'a', kind: 'slack', urlFile: 'x' })) },
      /one name/,
    ],
    ['a channel without an address', { channels: [{ name: 'a', kind: 'webhook' }] }, /url or urlFile/],
  ])('with %s are refused', (_what, given, message) => {
    expect(problem({})).toBe('');
    expect(problem(given)).toMatch(message);
  });
});
