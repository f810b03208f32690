import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { Correlation } from '../../src/egress/correlation.ts';
import type { CellCalls } from '../../src/egress/index.ts';
import { type CellId, fixedClock, limits, systemClock } from '../../src/kernel/index.ts';
import {
  API,
  apiRule,
  call,
  cellCalls,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  bearer,
  readAll,
  turns,
} from './world.ts';

const CELL = 'cel_a' as CellId;
const told = {
  id: 'call_1',
  tool: 'update_issue',
  actor: 'tok_1',
  token: 'tok_1',
  user: null,
  agent: 'cursor',
};

/** Reads each body to its end before it answers; those that were cut before do not arrive. */
async function reader() {
  const arrived: string[] = [];
  const upstream = await httpsUpstream(async (request, response) => {
    let text = '';
    try {
      for await (const piece of request) text += String(piece);
    } catch {
      return;
    }
    arrived.push(text);
    response.end('ok');
  });
  return { arrived, upstream };
}

describe('what the log is told of the calls of a request', () => {
  const clock = fixedClock(50_000);
  let calls: CellCalls = cellCalls([]);
  const correlation = new Correlation(
    { callsIn: (cell) => (cell === CELL ? calls : cellCalls([])) },
    CELL,
    clock,
  );

  it.each([
    ['nobody asked for anything', cellCalls([]), { attribution: 'none', calls: [] }],
    ['one', cellCalls([call()]), { attribution: 'only', calls: [told] }],
    [
      'two',
      cellCalls([call(), call({ id: 'call_2', token: null, user: 'usr_2', actor: 'usr_2' })]),
      {
        attribution: 'one-of',
        calls: [told, { ...told, id: 'call_2', token: null, user: 'usr_2', actor: 'usr_2' }],
      },
    ],
    [
      'one of many',
      cellCalls([call()], { count: 2_000 }),
      { attribution: 'one-of', calls: [told], callsInFlight: 2_000 },
    ],
    [
      'one that ended a moment ago',
      cellCalls([], { last: { call: call(), endedMs: 48_000 } }),
      { attribution: 'late', calls: [told] },
    ],
    [
      'one that ended a while ago',
      cellCalls([], { last: { call: call(), endedMs: 47_999 } }),
      { attribution: 'none', calls: [] },
    ],
  ])('%s', (_, now, data) => {
    calls = now;
    expect(correlation.now().data).toEqual(data);
  });

  it('is made once for all requests between two changes', () => {
    calls = cellCalls([call()]);
    const first = correlation.now();
    expect(correlation.now()).toBe(first);
    calls = cellCalls([], { last: { call: call(), endedMs: clock.monotonic() } });
    const late = correlation.now();
    expect(correlation.now()).toBe(late);
    clock.advance(limits.callGraceMs + 1);
    expect(correlation.now()).not.toBe(late);
    expect(correlation.now()).toBe(correlation.now());
  });
});

describe('a request', () => {
  const headers = { Authorization: `Bearer ${PLACEHOLDER}` };

  it('says in each of its events which calls it may belong to, refused or not', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    const options = {
      calls: [call()],
      rules: [apiRule({ methods: ['GET'] })],
      upstreams: { 'api.test:443': upstream },
    };
    await inWorld(options, async (world) => {
      await world.request({ path: '/a', headers });
      await world.request({ path: '/a' });
      await world.request({ method: 'POST', path: '/a' });
      await world.exchange(`GET /x HTTP/1.1\r\nHost: other.test\r\n\r\n`);
      const [used] = await world.eventsOf('credential.used');
      const [request] = await world.eventsOf('egress.request');
      const finished = await world.eventsOf('egress.finished', 2);
      const refused = await world.eventsOf('egress.refused', 2);
      const of = { attribution: 'only', calls: [told], profile: 'default', owner: null };
      expect(used?.data['for']).toMatchObject(of);
      for (const event of [request, ...finished, ...refused]) expect(event?.data).toMatchObject(of);
      expect(refused.map(({ data }) => data['code'])).toEqual([
        'egress_method_denied',
        'egress_name_mismatch',
      ]);
      expect(refused[0]?.data).toMatchObject({ path: '/a', method: 'POST' });
    });
  });

  it('says in each of its events when no tool that runs is for it', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    const calls = [call({ tool: 'get_issue', readOnly: true })];
    await inWorld({ calls, upstreams: { 'api.test:443': upstream } }, async (world) => {
      for (const method of ['POST', 'GET']) await world.request({ method, path: `/${method}`, headers });
      const used = await world.eventsOf('credential.used', 2);
      const finished = await world.eventsOf('egress.finished', 2);
      const of = (data: AuditEvent['data'] | undefined) => [data?.['path'], data?.['unexpected']];
      const expected = [
        ['/POST', 'egress_read_only'],
        ['/GET', undefined],
      ];
      expect(used.map(({ data }) => of(data['for'] as AuditEvent['data']))).toEqual(expected);
      expect(finished.map(({ data }) => of(data))).toEqual(expected);
    });
  });

  it('may use a key that is for calls at the start of its cell, until a call begins or the start is over', async () => {
    const clock = fixedClock(0);
    let calls = cellCalls([]);
    const options = {
      calls: { callsIn: () => calls },
      clock: { ...systemClock, monotonic: () => clock.monotonic() },
      credentials: [bearer({ use: 'during-calls' })],
    };
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ ...options, upstreams: { 'api.test:443': upstream } }, async (world) => {
      const status = async () => (await world.request({ headers })).status;
      clock.advance(limits.cellStartUpMs);
      expect(await status()).toBe(200);
      clock.advance(1);
      expect(await status()).toBe(403);
      calls = cellCalls([call()]);
      expect(await status()).toBe(200);
    });
    const again = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ ...options, upstreams: { 'api.test:443': again } }, async (world) => {
      calls = cellCalls([], { begun: true, last: { call: call(), endedMs: clock.monotonic() } });
      clock.advance(limits.callGraceMs);
      expect((await world.request({ headers })).status).toBe(200);
      clock.advance(1);
      const refused = await world.request({ headers });
      expect([refused.status, errorOf(refused).code]).toEqual([403, 'egress_credential_outside_call']);
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_credential_outside_call',
        credential: 'TOKEN',
        attribution: 'none',
      });
    });
  });

  it('is judged again by the calls that are in flight when its body is there', async () => {
    const clock = { ...systemClock, monotonic: () => 60_000 };
    let calls = cellCalls([call()]);
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    const options = {
      calls: { callsIn: () => calls },
      clock,
      credentials: [bearer({ use: 'during-calls' })],
      tools: { rules: [], readOnly: 'enforce' as const },
      upstreams: { 'api.test:443': upstream },
    };
    await inWorld(options, async (world) => {
      const begin = async () => {
        const socket = await world.connectTls();
        socket.write(
          `POST /a HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
        );
        const [first] = await new Promise<Buffer[]>((resolve) =>
          socket.once('data', (data: Buffer) => resolve([data])),
        );
        expect(String(first)).toContain('100 Continue');
        return async (): Promise<string> => {
          const answer = new Promise<string>((resolve) =>
            socket.once('data', (data: Buffer) => resolve(String(data))),
          );
          socket.write('{}');
          const text = await answer;
          socket.destroy();
          return text;
        };
      };
      /* control: nothing has changed */
      expect(await (await begin())()).toContain('200 OK');
      const afterItEnded = await begin();
      calls = cellCalls([], { begun: true });
      expect(errorOf(await afterItEnded()).code).toBe('egress_credential_outside_call');
      calls = cellCalls([call()]);
      const underAnother = await begin();
      calls = cellCalls([call({ id: 'call_2', tool: 'get', readOnly: true })]);
      expect(errorOf(await underAnother()).code).toBe('egress_read_only');
      const [refused] = await world.eventsOf('egress.refused');
      expect(refused?.data).toMatchObject({ attribution: 'only', calls: [{ id: 'call_2', tool: 'get' }] });
      expect(world.uses).toHaveLength(1);
    });
  });

  it('is judged again when its connection was long in the making', async () => {
    const clock = fixedClock(60_000);
    const writes = cellCalls([call()]);
    let calls = writes;
    let meanwhile = (): void => {};
    const asked: string[] = [];
    const upstream = await httpsUpstream((request, response) => {
      asked.push(request.url ?? '');
      response.end('ok');
    });
    const port = Number(upstream.address.split(':')[1]);
    const options = {
      calls: { callsIn: () => calls },
      clock: { ...systemClock, monotonic: () => clock.monotonic() },
      credentials: [bearer({ use: 'during-calls' })],
      tools: { rules: [], readOnly: 'enforce' as const },
      rules: [apiRule({ port })],
      resolver: {
        resolve: async () => {
          meanwhile(); // whoever dials has to wait for this
          return ['127.0.0.1'];
        },
      },
    };
    await inWorld(options, async (world) => {
      const send = async (path: string, method = 'GET'): Promise<string> => {
        const socket = await world.connectTls(API, port);
        socket.write(
          `${method} ${path} HTTP/1.1\r\nHost: ${API}:${port}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\nConnection: close\r\n\r\n`,
        );
        const text = await readAll(socket);
        for (const one of upstream.connections.splice(0)) one.destroy(); // the next one has to dial, too
        return text;
      };
      expect(await send('/control')).toContain('200 OK');
      meanwhile = () => (calls = cellCalls([], { begun: true, last: { call: call(), endedMs: 60_000 } }));
      expect(await send('/late')).toContain('200 OK'); // a moment later it may still finish
      calls = writes;
      meanwhile = () => (calls = cellCalls([], { begun: true }));
      expect(errorOf(await send('/over')).code).toBe('egress_credential_outside_call');
      calls = writes;
      meanwhile = () => (calls = cellCalls([call({ id: 'call_2', tool: 'get', readOnly: true })]));
      expect(errorOf(await send('/other', 'POST')).code).toBe('egress_read_only');
      expect(asked).toEqual(['/control', '/late']);
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_credential_outside_call',
        attribution: 'none',
      });
    });
    await upstream.close();
  });

  it('is held to the calls that run while its body goes on, and to none once nobody asks for anything', async () => {
    const writes = cellCalls([call()]);
    const reads = cellCalls([call({ id: 'call_2', tool: 'get', readOnly: true })]);
    let calls = writes;
    const { arrived, upstream } = await reader();
    const options = {
      calls: { callsIn: () => calls },
      tools: { rules: [], readOnly: 'enforce' as const },
      upstreams: { 'api.test:443': upstream },
    };
    await inWorld(options, async (world) => {
      const intents = async (atLeast: number): Promise<unknown> => world.eventsOf('egress.request', atLeast);
      const post = async (then: () => void, index: number): Promise<string> => {
        calls = writes;
        const socket = await world.connectTls();
        socket.write(
          `POST / HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n`,
        );
        await intents(index);
        then();
        socket.write('1\r\nb\r\n0\r\n\r\n');
        return readAll(socket);
      };
      expect(await post(() => {}, 1)).toContain('200 OK'); // control
      expect(await post(() => (calls = cellCalls([], { begun: true })), 2)).toContain('200 OK');
      expect(errorOf(await post(() => (calls = reads), 3)).code).toBe('egress_read_only');
      expect(arrived).toEqual(['ab', 'ab']);
      const finished = await world.eventsOf('egress.finished', 3);
      expect(finished.map(({ data }) => data['attribution'])).toEqual(['only', 'only', 'only']);
      expect(finished.map(({ data }) => data['calls'])).toMatchObject([[told], [told], [{ id: 'call_2' }]]);
    });
  });

  it('sends no more under a key for calls, once none is in flight', async () => {
    const clock = fixedClock(60_000);
    const during = cellCalls([call()]);
    let calls = during;
    const { arrived, upstream } = await reader();
    const options = {
      calls: { callsIn: () => calls },
      clock: { ...systemClock, monotonic: () => clock.monotonic() },
      credentials: [bearer({ use: 'during-calls' })],
      upstreams: { 'api.test:443': upstream },
    };
    await inWorld(options, async (world) => {
      const post = async (then: () => void, index: number): Promise<string> => {
        calls = during;
        const socket = await world.connectTls();
        socket.write(
          `POST / HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n`,
        );
        await world.eventsOf('credential.used', index);
        then();
        socket.write('1\r\nb\r\n0\r\n\r\n');
        return readAll(socket);
      };
      const last = { call: call(), endedMs: 60_000 };
      expect(await post(() => (calls = cellCalls([], { begun: true, last })), 1)).toContain('200 OK'); // a moment later
      const over = await post(() => (calls = cellCalls([], { begun: true })), 2);
      expect(errorOf(over).code).toBe('egress_credential_outside_call');
      expect(arrived).toEqual(['ab']);
      const [refused] = await world.eventsOf('credential.refused');
      expect(refused?.data).toMatchObject({ credential: 'TOKEN', attribution: 'none' });
    });
  });

  it('is held to a tool that ended lately only as long as that is lately', async () => {
    const clock = fixedClock(60_000);
    const calls = cellCalls([call({ tool: 'get', readOnly: true })], {
      ended: [{ tool: 'update_issue', readOnly: false, endedMs: 60_000 }],
    });
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    const options = {
      calls: { callsIn: () => calls },
      clock: { ...systemClock, monotonic: () => clock.monotonic() },
      tools: { rules: [], readOnly: 'enforce' as const },
      upstreams: { 'api.test:443': upstream },
    };
    await inWorld(options, async (world) => {
      const post = async (waitMs: number): Promise<string> => {
        const socket = await world.connectTls();
        const answer = readAll(socket);
        socket.write(`POST / HTTP/1.1\r\nHost: ${API}\r\nContent-Length: 2\r\nConnection: close\r\n\r\na`);
        await turns();
        clock.advance(waitMs);
        socket.write('b');
        return answer;
      };
      expect(await post(limits.callGraceMs)).toContain('200 OK'); // control
      expect(errorOf(await post(1)).code).toBe('egress_read_only');
    });
  });
});
