/** The owner's rules about what servers send, on real connections. */
import { expect, it } from 'vitest';
import { rulesOf } from '../policy/rules/asking.ts';
import { call, cellCalls, errorOf, httpsUpstream, inWorld } from './world.ts';

async function upstreamOf() {
  const asked: string[] = [];
  const upstream = await httpsUpstream((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.end('ok'));
  });
  return { asked, upstreams: { 'api.test:443': upstream } };
}

it('refuse a request by what it is, say so, and record which rule it was', async () => {
  const { asked, upstreams } = await upstreamOf();
  const ownerRules = rulesOf(`
rules:
  - { id: no-uploads, match: { servers: '*', hosts: api.test, methods: [POST, PUT] }, when: egress.bytes > 3, do: deny, message: No uploads }
  - { id: private, match: { paths: [/private] , hosts: '*' }, do: deny }`);
  await inWorld({ upstreams, ownerRules }, async (world) => {
    await world.request({ path: '/a' });
    await world.request({ method: 'POST', path: '/b', body: 'abc' });
    const refused = await world.request({ method: 'POST', path: '/c', body: 'abcd' });
    expect([refused.status, errorOf(refused)]).toMatchObject([
      403,
      { code: 'policy_denied', message: 'No uploads. Rule: no-uploads.' },
    ]);
    expect(errorOf(await world.request({ path: '/private/x' })).code).toBe('policy_denied');
    const unsaid = await world.request({
      method: 'PUT',
      path: '/d',
      body: 'a',
      headers: { 'Transfer-Encoding': 'chunked' },
    });
    expect(errorOf(unsaid).message).toContain('No such key: bytes');
    expect(asked).toEqual(['GET /a', 'POST /b']);
    const events = await world.eventsOf('egress.refused', 3);
    expect(events.map(({ data }) => [data['code'], data['rule']])).toEqual([
      ['policy_denied', 'no-uploads'],
      ['policy_denied', 'private'],
      ['policy_denied', 'no-uploads'],
    ]);
  });
});

it('hold for every method that the upstream may take it for', async () => {
  const { asked, upstreams } = await upstreamOf();
  const ownerRules = rulesOf('rules: [{ id: one, match: { methods: DELETE }, do: deny }]');
  await inWorld({ upstreams, ownerRules }, async (world) => {
    const headers = { 'X-HTTP-Method-Override': 'DELETE' };
    expect(errorOf(await world.request({ method: 'POST', path: '/a', headers })).code).toBe('policy_denied');
    expect((await world.request({ method: 'POST', path: '/a' })).status).toBe(200);
    expect(asked).toEqual(['POST /a']);
  });
});

it('hold while a call of such a tool or user is in flight, and the moment after it', async () => {
  const { asked, upstreams } = await upstreamOf();
  const ownerRules = rulesOf(`
rules:
  - { id: reads, match: { tools: 'search_*' }, when: egress.method != "GET", do: deny }
  - { id: bob, on: egress, match: { users: usr_bob }, do: deny }`);
  let calls = cellCalls([call({ tool: 'create' })]);
  await inWorld({ upstreams, ownerRules, calls: { callsIn: () => calls } }, async (world) => {
    const code = async (): Promise<unknown> => {
      const answer = await world.request({ method: 'POST', path: '/a' });
      return answer.status === 200 ? 'sent' : errorOf(answer).code;
    };
    expect(await code()).toBe('sent');
    calls = cellCalls([call({ tool: 'create' }), call({ id: 'call_2', tool: 'search_code' })]);
    expect(await code()).toBe('policy_denied');
    const ended = { tool: 'search_code', readOnly: false, endedMs: performance.now() + 1_000_000 };
    calls = cellCalls([], { begun: true, ended: [ended] });
    expect(await code()).toBe('policy_denied');
    calls = cellCalls([call({ tool: 'create', user: 'usr_bob', token: null })]);
    expect(await code()).toBe('policy_denied');
    const gone = { agent: 'ada', user: 'usr_bob', token: null, endedMs: performance.now() + 1_000_000 };
    calls = cellCalls([], { begun: true, endedCallers: [gone] });
    expect(await code()).toBe('policy_denied');
    calls = cellCalls([], { begun: true, endedCallers: [{ ...gone, endedMs: 0 }] });
    expect(await code()).toBe('sent');
    expect(asked).toHaveLength(2);
  });
});

it('hold for whoever has a call in flight, however many others have, and for each profile that called', async () => {
  const { asked, upstreams } = await upstreamOf();
  const bob = rulesOf('rules: [{ id: bob, on: egress, match: { users: usr_bob }, do: deny }]');
  const nothing = rulesOf('rules: [{ id: ops, match: { hosts: "*" }, do: deny }]');
  const ownerRules = (profiles: readonly string[]) => (profiles.includes('ops') ? nothing : bob);
  const first = [call()];
  let calls = cellCalls(first);
  await inWorld({ upstreams, ownerRules, calls: { callsIn: () => calls } }, async (world) => {
    const answer = async () => errorOf(await world.request({ path: '/a' })).message;
    expect((await world.request({ path: '/a' })).status).toBe(200);
    calls = cellCalls(first, { callers: [...first, call({ user: 'usr_bob' })] });
    expect(await answer()).toContain('Rule: bob.');
    calls = cellCalls(first, { profiles: ['dev', 'ops'] });
    expect(await answer()).toContain('Rule: ops.');
    expect(asked).toHaveLength(1);
  });
});

it('change for what is under way', async () => {
  const { asked, upstreams } = await upstreamOf();
  let current = rulesOf('{}');
  await inWorld({ upstreams, ownerRules: () => current }, async (world) => {
    const socket = await world.connectTls();
    const heard: string[] = [];
    socket.on('data', (data: Buffer) => heard.push(String(data)));
    socket.write('POST /a HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
    await expect.poll(() => heard.join(''), { timeout: 10_000 }).toContain('100 Continue');
    current = rulesOf('rules: [{ id: late, match: { hosts: "*" }, do: deny }]');
    socket.write('{}');
    await expect.poll(() => heard.join(''), { timeout: 10_000 }).toContain('policy_denied');
    expect(asked).toEqual([]);
    socket.destroy();
  });
});

it('say of what somebody is to be told, in how the request ended, and change nothing else of it', async () => {
  const { asked, upstreams } = await upstreamOf();
  const ownerRules = rulesOf(`
rules:
  - { id: odd, match: { servers: '*', hosts: api.test, methods: POST }, do: alert, alert: { severity: critical } }
  - { id: none, match: { paths: [/private], hosts: '*' }, do: deny }
  - { id: watched, match: { paths: [/private], hosts: '*' }, do: alert }`);
  await inWorld({ upstreams, ownerRules }, async (world) => {
    await world.request({ path: '/a' });
    await world.request({ method: 'POST', path: '/b', body: 'abc' });
    await world.request({ path: '/private' });
    expect(asked).toEqual(['GET /a', 'POST /b']);
    const finished = await world.eventsOf('egress.finished', 2);
    expect(finished.map(({ data }) => data['alerts'])).toEqual([
      undefined,
      [{ rule: 'odd', severity: 'critical' }],
    ]);
    const [refused] = await world.eventsOf('egress.refused', 1);
    expect(refused?.data).toMatchObject({ rule: 'none', alerts: [{ rule: 'watched', severity: 'warning' }] });
  });
});
