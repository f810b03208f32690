/** WebSockets through a cell with libraries on both sides: the handshake, messages both ways, and how they end. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WebSocket as WsClient } from 'ws';
import { describe, expect, it } from 'vitest';
import { AppError, fixedClock, limits, systemClock } from '../../src/kernel/index.ts';
import type { CredentialBinding } from '../../src/egress/index.ts';
import { OPCODE } from '../../src/wire/index.ts';
import {
  bytesOf,
  fromProgram,
  handshakingUpstream,
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
  cellCalls,
  inWorld,
  PLACEHOLDER,
  readAll,
  rawUpstream,
  TOKEN,
} from './world.ts';

const PLACE = `${API}:443`;
const echo = (socket: WsClient): void => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
};
const headers = { Authorization: `Bearer ${PLACEHOLDER}` };

/** An upstream that keeps what it gets. */
async function keeper() {
  const got: string[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const sockets: WsClient[] = [];
  let onGot = (): void => {};
  const upstream = await wsUpstream((socket) => {
    sockets.push(socket);
    socket.on('message', (data) => {
      got.push(bytesOf(data).toString());
      onGot();
    });
    socket.on('ping', (data: Buffer) => got.push(`ping ${data.toString()}`));
    socket.on('pong', (data: Buffer) => got.push(`pong ${data.toString()}`));
    socket.on('close', (code, reason) => closed.resolve({ code, reason: reason.toString() }));
  });
  const count = async (wanted: number): Promise<readonly string[]> => {
    while (got.length < wanted)
      await new Promise<void>((resolve) => {
        onGot = resolve;
      });
    return got;
  };
  return { upstream, got, closed: closed.promise, count, sockets };
}

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

describe('messages of a program', () => {
  const message = (over: Partial<CredentialBinding> = {}): CredentialBinding[] => [
    bearer({ inject: [{ websocket: 'text', format: 'AUTH {token}' }, { websocket: '/d/token' }], ...over }),
  ];

  it('get the key where it is declared, once its use is on record, and stay in their order', async () => {
    const { upstream, count } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      world.auditDelayMs = 20;
      const program = await wsProgram(world);
      const used: number[] = [];
      upstream.server.clients.forEach((socket) =>
        socket.on('message', () =>
          used.push(world.events.filter(({ type }) => type === 'credential.used').length),
        ),
      );
      program.socket.send('first');
      program.socket.send(`AUTH ${PLACEHOLDER}`);
      program.socket.send(Buffer.from('binary'));
      program.socket.send(`{"op":2,"d":{"token":"${PLACEHOLDER}"}}`);
      program.socket.send('last');
      expect(await count(5)).toEqual([
        'first',
        `AUTH ${TOKEN}`,
        'binary',
        `{"op":2,"d":{"token":"${TOKEN}"}}`,
        'last',
      ]);
      expect(used).toEqual([0, 1, 1, 2, 2]);
      program.socket.close();
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({ credentials: ['TOKEN'], webSocket: { sent: 5 } });
    });
  });

  it('get the key when they come in fragments', async () => {
    const { upstream, count } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      const [one, two, three] = [
        `AUTH ${PLACEHOLDER.slice(0, 9)}`,
        PLACEHOLDER.slice(9, 12),
        PLACEHOLDER.slice(12),
      ];
      program.socket.send(one, { fin: false });
      program.socket.ping('still there');
      program.socket.send(two, { fin: false });
      program.socket.send(three, { fin: true });
      expect(await count(2)).toEqual(['ping still there', `AUTH ${TOKEN}`]);
      program.socket.terminate();
    });
  });

  it('are not sent when the use cannot be recorded, or the key not be given', async () => {
    const { upstream, got, closed } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      world.useFailure = new AppError('audit_unavailable', 'The audit log cannot be written.', {
        kind: 'unavailable',
      });
      program.socket.send(`AUTH ${PLACEHOLDER}`);
      program.socket.send('behind');
      expect(await program.closed).toEqual({
        code: 1011,
        reason: 'audit_unavailable: The audit log cannot be written.',
      });
      expect(await closed).toEqual({ code: 1011, reason: '' });
      expect(got).toEqual([]);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({
        code: 'audit_unavailable',
        webSocket: { closeCode: 1011, closedBy: 'gateway' },
      });
    });
  });

  it('get a key that is for calls during calls only', async () => {
    const { upstream, count, closed } = await keeper();
    let calls = cellCalls([call()]);
    const options = { credentials: message({ use: 'during-calls' }), calls: { callsIn: () => calls } };
    const clock = fixedClock(limits.cellStartUpMs + 1);
    await inWorld(
      {
        ...options,
        clock: { ...systemClock, monotonic: () => clock.monotonic() },
        upstreams: { [PLACE]: upstream },
      },
      async (world) => {
        const program = await wsProgram(world);
        program.socket.send(`AUTH ${PLACEHOLDER}`);
        expect(await count(1)).toEqual([`AUTH ${TOKEN}`]);
        calls = cellCalls([], { begun: true });
        program.socket.send(`AUTH ${PLACEHOLDER}`);
        expect((await program.closed).code).toBe(1008);
        expect((await closed).code).toBe(1008);
        expect(await count(1)).toHaveLength(1);
        const [refused] = await world.eventsOf('credential.refused');
        expect(refused?.data).toMatchObject({ code: 'egress_credential_outside_call', credential: 'TOKEN' });
      },
    );
  });

  it('end when a tool runs that they are not for', async () => {
    const { upstream, count, closed } = await keeper();
    let calls = cellCalls([]);
    const tools = { rules: [], readOnly: 'enforce' } as const;
    const options = { tools, calls: { callsIn: () => calls }, upstreams: { [PLACE]: upstream } };
    await inWorld(options, async (world) => {
      const program = await wsProgram(world);
      program.socket.send('before');
      expect(await count(1)).toEqual(['before']);
      calls = cellCalls([call({ tool: 'get_issue', readOnly: true })]);
      program.socket.send('during');
      expect((await program.closed).code).toBe(1008);
      await closed;
      expect(await count(1)).toEqual(['before']);
      const [refused] = await world.eventsOf('egress.refused');
      expect(refused?.data).toMatchObject({ code: 'egress_read_only' });
    });
  });

  it('in which a place is declared have a limit', async () => {
    const { upstream, closed } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.send('x'.repeat(limits.requestBodyBufferBytesMax + 1));
      expect((await program.closed).code).toBe(1009);
      expect((await closed).code).toBe(1009);
      const [refused] = await world.eventsOf('egress.refused');
      expect(refused?.data).toMatchObject({ code: 'egress_body_too_large' });
    });
  });

  it.each([1, limits.webSocketPieceBytes - 1, limits.webSocketPieceBytes, 3_000_000])(
    'of %i bytes come through as they are',
    async (bytes) => {
      const upstream = await wsUpstream(echo);
      await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
        const program = await wsProgram(world);
        const text = 'caf\u00e9 '.repeat(bytes).slice(0, bytes);
        program.socket.send(text);
        program.socket.send(Buffer.alloc(bytes, 7));
        await program.received(2);
        expect(program.messages[0]?.data.toString() === text).toBe(true);
        expect(program.messages[1]?.data.equals(Buffer.alloc(bytes, 7))).toBe(true);
        program.socket.terminate();
      });
    },
  );
});

describe('pings and pongs', () => {
  it('go both ways', async () => {
    const { upstream, count, sockets } = await keeper();
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.ping('there?');
      expect(await once(program.socket, 'pong')).toEqual([Buffer.from('there?')]);
      for (const socket of sockets) {
        socket.ping('and there?');
        await once(socket, 'pong');
      }
      expect(program.pings).toEqual([Buffer.from('and there?')]);
      expect(await count(2)).toEqual(['ping there?', 'pong and there?']);
      program.socket.terminate();
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
        await new Promise((resolve) => setTimeout(resolve, 50)); // lets the Close arrive
        clock.advance(limits.webSocketCloseTimeoutMs);
        expect(await readAll(program)).toBe('');
        const [finished] = await world.eventsOf('egress.finished');
        expect(finished?.data['webSocket']).toMatchObject({ closeCode: 1000, closedBy: 'client' });
      },
    );
  });
});

describe('a side that does not read', () => {
  const PIECE = 64 * 1024;
  const PIECES = 400;
  /** What sockets, TLS and the gateway hold of it at most, generously. */
  const HELD = 16 * 1024 * 1024;

  it('slows the upstream down, and gets everything in the end', async () => {
    let sent = 0;
    const upstream = await wsUpstream((socket) => {
      const next = (): void => {
        if (sent >= PIECES) return;
        sent += 1;
        socket.send(Buffer.alloc(PIECE, sent), next);
      };
      next();
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.pause();
      for (let before = -1; before !== sent; ) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(sent * PIECE).toBeLessThan(HELD);
      program.socket.resume();
      await program.received(PIECES);
      expect(program.messages.map(({ data }) => data[PIECE - 1])).toEqual(
        Array.from({ length: PIECES }, (_, index) => (index + 1) & 255),
      );
      program.socket.terminate();
    });
  });

  it('slows the program down', async () => {
    const { upstream, sockets, got, count } = await keeper();
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      sockets[0]?.pause();
      let sent = 0;
      const next = (): void => {
        if (sent >= PIECES) return;
        sent += 1;
        program.socket.send('x'.repeat(PIECE), next);
      };
      next();
      for (let before = -1; before !== sent; ) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(sent * PIECE).toBeLessThan(HELD);
      expect(got).toHaveLength(0);
      sockets[0]?.resume();
      await count(PIECES);
      program.socket.terminate();
    });
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
