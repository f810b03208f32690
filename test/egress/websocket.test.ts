/** WebSockets through a cell with libraries on both sides: the handshake, messages both ways, and how they end. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WebSocket as WsClient } from 'ws';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { encodeFrame, OPCODE } from '../../src/wire/index.ts';
import {
  echo,
  fromProgram,
  handshakingUpstream,
  keeper,
  opening,
  Program,
  rawProgram,
  refusedClient,
  wsClient,
  wsProgram,
  wsUpstream,
} from './websocket-world.ts';
import {
  API,
  apiRule,
  bearer,
  call,
  inWorld,
  PLACEHOLDER,
  readAll,
  rawUpstream,
  TOKEN,
  turns,
} from './world.ts';

const PLACE = `${API}:443`;
const headers = { Authorization: `Bearer ${PLACEHOLDER}` };

describe('the handshake', () => {
  it('carries the key, and messages go both ways after it', async () => {
    const upstream = await wsUpstream(echo);
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world, { headers });
      program.socket.send('hello');
      program.socket.send(Buffer.from([0, 255, 2]));
      program.socket.send('');
      await program.received(3);
      expect(program.messages).toEqual([
        { data: Buffer.from('hello'), isBinary: false },
        { data: Buffer.from([0, 255, 2]), isBinary: true },
        { data: Buffer.from(''), isBinary: false },
      ]);
      expect(upstream.handshakes[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
      program.socket.close(1000, 'done');
      expect(await program.closed).toEqual({ code: 1000, reason: 'done' });
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({
        status: 101,
        method: 'GET',
        credentials: ['TOKEN'],
        requestBytes: 6 + 5 + 6 + 3 + 6 + (6 + 6),
        responseBytes: 2 + 5 + 2 + 3 + 2 + (4 + 4),
        webSocket: { sent: 3, received: 3, closeCode: 1000, closedBy: 'client' },
      });
      expect(finished?.data['code']).toBe(undefined);
      expect(world.events.map(({ type }) => type)).toEqual(['credential.used', 'egress.finished']);
    });
  });

  it('may declare a length of zero on the upstream side, which is not passed on', async () => {
    const upstream = await handshakingUpstream(
      (socket) => socket.write(encodeFrame(OPCODE.text, Buffer.from('hello'), null)),
      'Content-Length: 0\r\nX-Server: a\r\n',
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const client = await wsClient(world);
      const received: unknown[] = [];
      client.on('upgrade', (answer) => received.push(answer.headers));
      const program = new Program(client);
      await program.received(1);
      expect(program.messages).toEqual([{ data: Buffer.from('hello'), isBinary: false }]);
      expect(received).toMatchObject([{ 'x-server': 'a' }]);
      expect(received).not.toMatchObject([{ 'content-length': '0' }]);
      program.socket.terminate();
    });
  });

  it('is recorded as a request before it leaves, where no key goes with it', async () => {
    const upstream = await wsUpstream(echo);
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      expect(world.events.map(({ type }) => type)).toEqual(['egress.request']);
      program.socket.terminate();
    });
  });

  it('puts keys into the query, the path, a cookie and a subprotocol', async () => {
    const upstream = await wsUpstream(() => undefined, { handleProtocols: () => 'mcp' });
    const credentials = [
      bearer({
        inject: [
          { query: 'key' },
          { cookie: 'session' },
          { path: '/bot{token}/ws' },
          { header: 'Sec-WebSocket-Protocol', format: 'mcp,key.{token}' },
        ],
      }),
    ];
    await inWorld({ credentials, upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world, {
        path: `/bot${PLACEHOLDER}/ws?key=${PLACEHOLDER}`,
        headers: { Cookie: `session=${PLACEHOLDER}` },
        protocols: ['mcp', `key.${PLACEHOLDER}`],
      });
      const [handshake] = upstream.handshakes;
      expect(handshake?.url).toBe(`/bot${TOKEN}/ws?key=${TOKEN}`);
      expect(handshake?.headers.cookie).toBe(`session=${TOKEN}`);
      expect(handshake?.headers['sec-websocket-protocol']).toBe(`mcp,key.${TOKEN}`);
      expect(program.socket.protocol).toBe('mcp');
      program.socket.terminate();
    });
  });

  it('hides a key that the upstream chooses as the subprotocol', async () => {
    const upstream = await wsUpstream(() => undefined, { handleProtocols: ([first]) => first ?? false });
    const credentials = [bearer({ inject: [{ header: 'Sec-WebSocket-Protocol', format: '{token}' }] })];
    await inWorld({ credentials, upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world, { protocols: [PLACEHOLDER] });
      expect(upstream.handshakes[0]?.headers['sec-websocket-protocol']).toBe(TOKEN);
      expect(program.socket.protocol).toBe(PLACEHOLDER);
      program.socket.terminate();
      const [masked] = await world.eventsOf('egress.masked');
      expect(masked?.data).toMatchObject({ credentials: ['TOKEN'], hits: 1 });
    });
  });

  it('is one of our own with the upstream: another key each time, and no extension', async () => {
    const upstream = await wsUpstream(() => undefined, { perMessageDeflate: true });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const programs = [await wsProgram(world), await wsProgram(world)];
      for (const { socket } of programs) {
        expect(socket.extensions).toBe('');
        socket.terminate();
      }
      const sent = upstream.handshakes.map(({ headers: { 'sec-websocket-key': key } }) => key);
      expect(new Set(sent).size).toBe(2);
      for (const { headers: seen } of upstream.handshakes)
        expect(seen['sec-websocket-extensions']).toBe(undefined);
      const raw = await rawProgram(world); // always with the same key
      raw.destroy();
      expect(upstream.handshakes[2]?.headers['sec-websocket-key']).not.toBe('dGhlIHNhbXBsZSBub25jZQ==');
    });
  });

  it('speaks with the client inside Node', async () => {
    const upstream = await wsUpstream(echo, { handleProtocols: () => 'chat' });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const place = await world.placeOf(API, 443);
      await fetch('data:,'); // loads what the client inside Node is a part of
      const loaded: unknown = Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1'));
      const { constructor: Agent } = loaded as { constructor: new (options: object) => object };
      const dispatcher = new Agent({
        connect: (_options: object, done: (error: Error | null, socket: unknown) => void) => {
          const socket = connectTls({ ...place, servername: API, ca: world.cell.caPem }, () =>
            done(null, socket),
          );
        },
      });
      const options = { protocols: ['mcp', 'chat'], dispatcher };
      const client = new globalThis.WebSocket(`wss://${API}/`, options as unknown as string[]);
      await once(client, 'open');
      client.send('caf\u00e9');
      const [{ data }] = (await once(client, 'message')) as [MessageEvent];
      expect([data, client.protocol, client.extensions]).toEqual(['caf\u00e9', 'chat', '']);
      client.close(4001, 'enough');
      const [{ code, reason }] = (await once(client, 'close')) as [CloseEvent];
      expect([code, reason]).toEqual([4001, 'enough']);
    });
  });

  it('is judged as any request is', async () => {
    const { upstream } = await keeper();
    const rules = [apiRule({ paths: ['/allowed'] })];
    await inWorld({ rules, upstreams: { [PLACE]: upstream } }, async (world) => {
      const denied = await refusedClient(world, { path: '/other', headers });
      expect([denied.status, JSON.parse(denied.body).error.code]).toEqual([403, 'egress_path_denied']);
      const misplaced = await refusedClient(world, { path: `/allowed?k=${PLACEHOLDER}` });
      expect(JSON.parse(misplaced.body).error.code).toBe('egress_placeholder_misplaced');
      expect(upstream.connections).toHaveLength(0);
      (await wsProgram(world, { path: '/allowed' })).socket.terminate();
    });
  });

  it('is no mere reading where tools that only read run', async () => {
    const { upstream } = await keeper();
    const calls = [call({ tool: 'get_issue', readOnly: true })];
    const tools = { rules: [], readOnly: 'enforce' } as const;
    await inWorld({ calls, tools, upstreams: { [PLACE]: upstream } }, async (world) => {
      const { status, body } = await refusedClient(world);
      expect([status, JSON.parse(body).error.code]).toEqual([403, 'egress_read_only']);
    });
  });

  it('may be answered otherwise, and the next request follows on the same connection', async () => {
    const upstream = await rawUpstream((socket) => {
      socket.on('data', (data) => {
        const isUpgrade = data.includes('Upgrade: websocket');
        const status = isUpgrade ? '426 Upgrade Required' : '200 OK';
        socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\nX: ${TOKEN}\r\n\r\nno`);
      });
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const next = `GET /next HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`;
      const text = await world.exchange(opening(`Authorization: Bearer ${PLACEHOLDER}\r\n`) + next);
      expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 426', 'HTTP/1.1 200']);
      expect(text).not.toContain(TOKEN);
      expect(upstream.connections).toHaveLength(2); // what was asked to change its protocol is not used again
      const [first] = await world.eventsOf('egress.finished', 2);
      expect(first?.data).toMatchObject({ status: 426 });
      expect(first?.data['webSocket']).toBe(undefined);
    });
  });
});

describe('the end', () => {
  it.each([
    ['with a code and a reason', 4000, 'because'],
    ['with a code', 1000, ''],
    ['without a word', undefined, ''],
  ])('%s, by the program', async (_name, code, reason) => {
    const { upstream, closed } = await keeper();
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.close(code, reason);
      expect(await closed).toEqual({ code: code ?? 1005, reason });
      expect(await program.closed).toEqual({ code: code ?? 1005, reason });
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data['webSocket']).toMatchObject({ closeCode: code ?? null, closedBy: 'client' });
      expect(finished?.data['code']).toBe(undefined);
    });
  });

  it('by the upstream', async () => {
    const upstream = await wsUpstream((socket) => socket.close(1012, 'restarting'));
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = new Program(await wsClient(world));
      expect(await program.closed).toEqual({ code: 1012, reason: 'restarting' });
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data['webSocket']).toMatchObject({ closeCode: 1012, closedBy: 'upstream' });
    });
  });

  it('by an upstream that vanishes', async () => {
    const upstream = await wsUpstream((socket) => socket.on('message', () => socket.terminate()));
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.send('go');
      expect((await program.closed).code).toBe(1006);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({
        code: 'egress_upstream_closed',
        webSocket: { closeCode: null, closedBy: null },
      });
    });
  });

  it('by a program that vanishes', async () => {
    const { upstream, closed, count } = await keeper();
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.send('bye');
      await count(1);
      program.socket.terminate();
      expect((await closed).code).toBe(1006);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data['code']).toBe('client_closed');
    });
  });

  it('by a program that says all it has to say, and goes while its key is fetched', async () => {
    const { upstream, closed, got } = await keeper();
    const credentials = [bearer({ inject: [{ websocket: 'text' }] })];
    await inWorld({ credentials, upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await rawProgram(world);
      world.auditDelayMs = 50;
      program.end(
        Buffer.concat([
          fromProgram(OPCODE.text, PLACEHOLDER),
          fromProgram(OPCODE.text, 'behind'),
          fromProgram(OPCODE.close, Buffer.of(3, 232)),
        ]),
      );
      expect(await closed).toEqual({ code: 1000, reason: '' });
      expect(got).toEqual([TOKEN, 'behind']);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data['webSocket']).toMatchObject({ sent: 2, closeCode: 1000, closedBy: 'client' });
      program.destroy();
    });
  });

  it('at once for both when the cell is closed', async () => {
    const { upstream, closed } = await keeper();
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      world.cell.close();
      expect((await program.closed).code).toBe(1006);
      expect((await closed).code).toBe(1006);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({ status: 101, code: 'cell_closed' });
    });
  });

  it('when nothing comes or goes for too long', async () => {
    const { upstream, closed } = await keeper();
    const clock = fixedClock(0);
    await inWorld(
      { clock: { ...clock, now: () => Date.now() }, upstreams: { [PLACE]: upstream } },
      async (world) => {
        const program = await wsProgram(world);
        clock.advance(limits.webSocketIdleTimeoutMs - 1);
        program.socket.ping();
        await once(program.socket, 'pong');
        clock.advance(limits.webSocketIdleTimeoutMs - 1);
        program.socket.ping();
        await once(program.socket, 'pong');
        clock.advance(limits.webSocketIdleTimeoutMs);
        expect((await program.closed).code).toBe(1001);
        expect((await closed).code).toBe(1001);
        const [finished] = await world.eventsOf('egress.finished');
        expect(finished?.data['code']).toBe('egress_timeout');
      },
    );
  });

  it('when a Close is not answered', async () => {
    const clock = fixedClock(0);
    const upstream = await handshakingUpstream((socket) => socket.resume());
    await inWorld(
      { clock: { ...clock, now: () => Date.now() }, upstreams: { [PLACE]: upstream } },
      async (world) => {
        const program = await rawProgram(world);
        program.write(fromProgram(OPCODE.close, Buffer.of(3, 232)));
        while (world.events.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
        await turns(); // lets the Close arrive
        clock.advance(limits.webSocketCloseTimeoutMs);
        expect(await readAll(program)).toBe('');
        const [finished] = await world.eventsOf('egress.finished');
        expect(finished?.data['webSocket']).toMatchObject({ closeCode: 1000, closedBy: 'client' });
      },
    );
  });
});

it('plain WebSockets go by http rules', async () => {
  const upstream = await wsUpstream(echo, {}, createHttpServer());
  const rules = [apiRule({ port: 80, protocol: 'http' })];
  await inWorld({ rules, upstreams: { [`${API}:80`]: upstream } }, async (world) => {
    const place = await world.placeOf(API, 80);
    const socket = new WsClient(`ws://${API}/`, { createConnection: () => connectTcp(place) });
    const program = new Program(socket);
    await once(socket, 'open');
    socket.send('hello');
    expect(await program.received(1)).toEqual(['hello']);
    socket.close();
    const [finished] = await world.eventsOf('egress.finished');
    expect(finished?.data).toMatchObject({ scheme: 'http', port: 80, status: 101 });
  });
});
