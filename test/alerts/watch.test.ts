/** Each detector with what raises it and what does not, and what holds for all: once, for a while, across restarts. */
import { describe, expect, it } from 'vitest';
import type { RecordedEvent } from '../../src/audit/index.ts';
import { type Alert, type AlertRule, createWatch } from '../../src/alerts/index.ts';
import { type Json, limits } from '../../src/kernel/index.ts';
import { event } from '../delivery/events.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const QUIET = HOUR;

/** Monday, 2 March 2026, midnight UTC. */
const MONDAY = Date.UTC(2026, 2, 2);

/** Events at times after Monday midnight, and what a rule makes of them. */
function world(rule: AlertRule, quietMs = QUIET) {
  let watch = createWatch([rule], quietMs, null);
  let sequence = 0;
  return {
    see(after: number, over: Partial<RecordedEvent> = {}): readonly Alert[] {
      sequence += 1;
      return watch.observe(event(sequence, { at: MONDAY + after, ...over }));
    },
    /** As a process does that starts with what was stored. */
    restart(stored: Json = JSON.parse(JSON.stringify(watch.state())) as Json) {
      watch = createWatch([rule], quietMs, stored);
    },
  };
}

describe('volume', () => {
  const rule = { id: 'v', kind: 'volume', per: 'token', windowMinutes: 60, minimum: 10, factor: 3 } as const;

  /** @returns the alerts of an hour with so many calls */
  const hour = (log: ReturnType<typeof world>, at: number, calls: number, over = {}): readonly Alert[] =>
    Array.from({ length: calls }, (_, n) => log.see(at * HOUR + n, over)).flat();

  it('is told when it passes the minimum, where nothing is known yet', () => {
    const log = world(rule);
    expect(hour(log, 0, 10)).toEqual([]);
    const [alert, ...more] = hour(log, 1, 12);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      rule: 'v',
      kind: 'volume',
      key: 'token:tok_1',
      sequence: 21,
      data: { calls: 11, usual: 10, windowMinutes: 60 },
    });
  });

  it('is no news where it is usual, and is where it is several times as much', () => {
    const log = world(rule);
    for (let at = 0; at < 6; at += 1) hour(log, at, 40 + at);
    expect(hour(log, 6, 100)).toEqual([]);
    expect(hour(log, 7, 140)).toHaveLength(1);
  });

  it('is not made usual by one wild hour', () => {
    const log = world(rule, 1);
    for (let at = 0; at < 6; at += 1) hour(log, at, 8);
    expect(hour(log, 6, 500).length).toBeGreaterThan(0);
    expect(hour(log, 7, 40).length).toBeGreaterThan(0);
  });

  it('is counted for each token by itself, or for each server', () => {
    const log = world(rule);
    for (const id of ['a', 'b', 'c']) expect(hour(log, 0, 9, { actor: { kind: 'token', id } })).toEqual([]);
    const servers = world({ ...rule, per: 'server' });
    for (const id of ['a', 'b']) hour(servers, 0, 5, { actor: { kind: 'token', id } });
    expect(hour(servers, 0, 1)).toMatchObject([{ key: 'server:github' }]);
  });

  it('of one night is one alert, however often gateways start', () => {
    const log = world(rule);
    const alerts = Array.from({ length: 8 }, (_, at) => {
      const found = hour(log, at, 1_250);
      log.restart();
      return found;
    });
    expect(alerts.flat()).toHaveLength(1);
  });
});

describe('first seen', () => {
  const hosts = { id: 'h', kind: 'first-host', learnHours: 24 } as const;
  const to = (host: string) =>
    ({
      type: 'egress.finished',
      actor: { kind: 'cell', id: 'cel_1' },
      data: { host },
    }) as const;

  it('is a host that a server connects to after a day without it', () => {
    const log = world(hosts);
    expect(log.see(0, to('a.example'))).toEqual([]);
    expect(log.see(23 * HOUR, to('b.example'))).toEqual([]);
    log.restart();
    expect(log.see(25 * HOUR, to('b.example'))).toEqual([]);
    expect(log.see(25 * HOUR, to('c.example'))).toMatchObject([
      { key: 'github c.example', data: { server: 'github', host: 'c.example' } },
    ]);
    expect(log.see(50 * HOUR, to('c.example'))).toEqual([]);
    expect(log.see(50 * HOUR, { ...to('x.example'), server: 'new' })).toEqual([]);
    log.see(50 * HOUR, { ...to('x.example'), server: 'delivery:siem' });
    expect(log.see(90 * HOUR, { ...to('y.example'), server: 'delivery:siem' })).toEqual([]);
  });

  it('is a tool that is called after a day without it', () => {
    const log = world({ id: 't', kind: 'first-tool', learnHours: 24 });
    expect(log.see(0)).toEqual([]);
    expect(log.see(25 * HOUR)).toEqual([]);
    expect(log.see(25 * HOUR, { data: { tool: 'delete_repo' } })).toMatchObject([
      { key: 'github delete_repo' },
    ]);
    expect(log.see(26 * HOUR, { data: {} })).toEqual([]);
  });

  it('remembers no more than it may', () => {
    const log = world({ ...hosts, learnHours: 0 });
    for (let n = 0; n <= limits.alertSeenMax; n += 1) log.see(0, to(`h${n}.example`));
    expect(log.see(2 * HOUR, to('h0.example'))).toHaveLength(1);
    expect(log.see(4 * HOUR, to(`h${limits.alertSeenMax}.example`))).toEqual([]);
  });
});

describe('bursts', () => {
  const denials = { id: 'd', kind: 'denials', count: 3, windowMinutes: 5 } as const;

  it.each(['call.refused', 'egress.refused', 'credential.refused', 'token.refused', 'dns.refused'] as const)(
    'of %s of one asker are told, those further apart are not',
    (type) => {
      const log = world(denials);
      for (const at of [0, 4, 8, 12]) expect(log.see(at * MINUTE, { type })).toEqual([]);
      log.restart();
      expect(log.see(12.5 * MINUTE, { type })).toMatchObject([{ key: 'token:tok_1', data: { count: 3 } }]);
    },
  );

  it('of several askers, or of what was allowed, are none', () => {
    const log = world(denials);
    for (const id of ['a', 'b', 'c'])
      expect(log.see(0, { type: 'call.refused', actor: { kind: 'token', id } })).toEqual([]);
    for (let n = 0; n < 5; n += 1) expect(log.see(n)).toEqual([]);
  });

  it('of one server’s cells count together', () => {
    const log = world(denials);
    const refused = (id: string) => ({ type: 'egress.refused', actor: { kind: 'cell', id } }) as const;
    expect([log.see(0, refused('c1')), log.see(1, refused('c2'))].flat()).toEqual([]);
    expect(log.see(2, refused('c3'))).toMatchObject([{ key: 'server:github' }]);
  });

  it('of ends that nobody asked for are a crash loop, those that somebody asked for are not', () => {
    const rule = { id: 'c', kind: 'crash-loop', count: 3, windowMinutes: 10 } as const;
    const ended = (byItself: boolean) => ({ type: 'cell.exited', data: { byItself } }) as const;
    const log = world(rule);
    for (let n = 0; n < 5; n += 1) expect(log.see(n * MINUTE, ended(false))).toEqual([]);
    expect([log.see(5 * MINUTE, ended(true)), log.see(6 * MINUTE, ended(true))].flat()).toEqual([]);
    expect(log.see(7 * MINUTE, ended(true))).toMatchObject([{ key: 'server:github' }]);
  });
});

describe('what is told each time', () => {
  const masked = {
    type: 'egress.masked',
    actor: { kind: 'cell', id: 'c' },
    data: { host: 'a.example' },
  } as const;

  it('is a key in an answer', () => {
    const log = world({ id: 'r', kind: 'reflected-secret' });
    expect(log.see(0, { ...masked, type: 'egress.finished' })).toEqual([]);
    expect(log.see(0, { ...masked, data: { ...masked.data, credentials: ['TOKEN'] } })).toMatchObject([
      { key: 'server:github a.example', data: { host: 'a.example', credentials: ['TOKEN'] } },
    ]);
  });

  it('is a placeholder of somebody else', () => {
    const log = world({ id: 'f', kind: 'foreign-placeholder' });
    expect(log.see(0, masked)).toEqual([]);
    expect(log.see(0, { ...masked, type: 'placeholder.foreign' })).toHaveLength(1);
  });
});

describe('a kill switch', () => {
  const actor = { kind: 'local', id: '7' } as const;
  it('is told each time it is set and lifted', () => {
    const log = world({ id: 'k', kind: 'kill-switch' });
    const data = { scope: 'server', target: 'github', reason: 'leak' };
    for (const [type, said] of [
      ['kill.set', 'set by local:7 for server github (leak).'],
      ['kill.lifted', 'lifted by local:7 for server github.'],
      ['kill.set', 'set by local:7 for server github (leak).'],
    ] as const)
      expect(
        log.see(0, { type, actor, data: type === 'kill.set' ? data : { ...data, reason: null } }),
      ).toMatchObject([{ message: `The kill switch was ${said}`, suppressed: 0 }]);
    expect(log.see(0, { type: 'call.refused', actor, data: { code: 'kill_active' } })).toEqual([]);
  });
});

describe('rules of the owner', () => {
  const log = () => world({ id: 'p', kind: 'policy-rule' });
  const alerts = [
    { rule: 'odd-host', severity: 'critical' },
    { rule: 'late', severity: 'info' },
  ];

  it('that want somebody to be told of a call are, one by one', () => {
    const data = { rule: 'deletes', severity: 'warning', tool: 'delete_repo', outcome: 'deny' };
    expect(log().see(0, { type: 'policy.alerted', data })).toMatchObject([
      {
        key: 'deletes token:tok_1 delete_repo',
        message: 'Rule deletes (warning): token:tok_1 asked github for delete_repo.',
      },
    ]);
    expect(log().see(0, { type: 'policy.changed', data })).toEqual([]);
  });

  it('that want somebody to be told of a request are, however it ended', () => {
    const actor = { kind: 'cell', id: 'c' } as const;
    for (const type of ['egress.finished', 'egress.refused'] as const) {
      const found = log().see(0, { type, actor, data: { host: 'a.example', alerts } });
      expect(found.map(({ id, data }) => [id, data['rule'], data['severity']])).toEqual([
        ['alr_1_p', 'odd-host', 'critical'],
        ['alr_1_p_1', 'late', 'info'],
      ]);
    }
    expect(log().see(0, { type: 'egress.request', actor, data: { host: 'a.example', alerts } })).toEqual([]);
    expect(
      log().see(0, { type: 'egress.finished', actor, data: { host: 'a.example', alerts: [7] } }),
    ).toEqual([]);
  });
});

describe('off hours', () => {
  const rule = {
    id: 'o',
    kind: 'off-hours',
    days: [1, 2, 3, 4, 5],
    fromMinute: 8 * 60,
    untilMinute: 18 * 60,
    timeZone: 'Europe/Berlin',
  } as const;

  it.each<[string, number, number]>([
    ['Monday 07:59', 6 * HOUR + 59 * MINUTE, 1],
    ['Monday 08:00', 7 * HOUR, 0],
    ['Monday 17:59', 16 * HOUR + 59 * MINUTE, 0],
    ['Monday 18:00', 17 * HOUR, 1],
    ['Saturday noon', 5 * 24 * HOUR + 11 * HOUR, 1],
    ['Monday 08:30 in summer', 28 * 24 * HOUR + 6 * HOUR + 30 * MINUTE, 0],
  ])('by the clock of the place: %s', (_what, after, alerts) => {
    expect(world(rule).see(after)).toHaveLength(alerts);
    expect(world(rule).see(after, { type: 'secret.set' })).toEqual([]);
  });
});

describe('every alert', () => {
  const rule = { id: 'r', kind: 'reflected-secret' } as const;
  const masked = { type: 'egress.masked', data: { host: 'a.example' } } as const;

  it('is told once for as long as it goes on, then with how often it was not', () => {
    const log = world(rule);
    expect(log.see(0, masked)).toMatchObject([{ suppressed: 0 }]);
    for (const at of [30, 60, 110]) expect(log.see(at * MINUTE, masked)).toEqual([]);
    log.restart();
    expect(log.see(150 * MINUTE, masked)).toEqual([]);
    expect(log.see(150 * MINUTE, { ...masked, data: { host: 'b.example' } })).toHaveLength(1);
    expect(log.see(211 * MINUTE, masked)).toMatchObject([{ suppressed: 4 }]);
  });

  it('has the same id whoever finds it in the same event', () => {
    const [one] = createWatch([rule], QUIET, null).observe(event(7, masked));
    const [other] = createWatch([rule], QUIET, null).observe(event(7, masked));
    expect(one?.id).toBe('alr_7_r');
    expect(other).toEqual(one);
  });

  it.each([[null], [7], [{ v: 'x', '*quiet': [1, ['k'], ['k', ['x']]] }], [{ v: [['k', [1]]] }], [[]]])(
    'is found with a state of %j as with none',
    (stored: unknown) => {
      const volume = {
        id: 'v',
        kind: 'volume',
        per: 'token',
        windowMinutes: 1,
        minimum: 1,
        factor: 1,
      } as const;
      const watch = createWatch([volume], QUIET, stored);
      expect([1, 2].flatMap((n) => watch.observe(event(n)))).toHaveLength(1);
    },
  );

  it('keeps no more than it may of all who ever asked', () => {
    const watch = createWatch([{ id: 'd', kind: 'denials', count: 2, windowMinutes: 5 }], QUIET, null);
    for (let n = 0; n < limits.alertKeysMax * 2; n += 1)
      watch.observe(event(n + 1, { type: 'call.refused', actor: { kind: 'token', id: `t${n}` } }));
    expect((watch.state()['d'] as readonly unknown[]).length).toBe(limits.alertKeysMax);
  });
});

describe('keys that callers make up', () => {
  const rule = { id: 'told', kind: 'policy-rule' } as const;
  const asking = (resource: string, of = 'reads'): Partial<RecordedEvent> => ({
    type: 'policy.alerted',
    data: { resource, rule: of, severity: 'warning' },
  });

  it('raise a bounded number of alerts, the last of which says so, and do not hide those of another rule', () => {
    const log = world(rule);
    const raised = Array.from({ length: 2_000 }, (_, n) => log.see(n, asking(`x:${n}`))).flat();
    expect(raised).toHaveLength(limits.alertsPerRuleMax + 1);
    expect(raised.at(-1)).toMatchObject({
      key: 'reads *',
      message: expect.stringContaining('more than 50 different alerts within 60 minutes') as string,
    });
    expect(log.see(2_001, asking('x:1', 'writes'))).toMatchObject([{ key: 'writes token:tok_1 x:1' }]);
    log.restart();
    expect(log.see(2_002, asking('x:again'))).toEqual([]);
    expect(log.see(2_002 + QUIET, asking('x:later'))).toMatchObject([{ key: 'reads token:tok_1 x:later' }]);
  });

  it('are not remembered longer than anybody reads them', () => {
    const [alert] = world(rule).see(0, asking('~'.repeat(100_000)));
    expect(alert?.key.length).toBeLessThan(400);
    expect(alert?.message.length).toBeLessThan(1_100);
  });
});
