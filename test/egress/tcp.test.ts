/** Connections that are passed on unread: what goes through, what is recorded, and how they end. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { DATABASE, databaseRule, tcpUpstream } from './tcp-world.ts';
import { apiRule, call, cellCalls, inWorld, type Upstream, type World, type WorldOptions } from './world.ts';

/** Everything until the other side ends. Unlike `readAll`, it leaves what is still to be sent alone. */
async function drained(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  socket.resume();
  await once(socket, 'end');
  return text;
}

const endWithClient = (socket: Socket): Socket => socket.on('end', () => socket.end());

async function withDatabase(
  onSocket: (socket: Socket) => void,
  body: (world: World, upstream: Upstream) => Promise<void>,
  more: WorldOptions = {},
): Promise<void> {
  const upstream = await tcpUpstream(onSocket);
  const upstreams = { [`${DATABASE}:5432`]: upstream };
  await inWorld({ rules: [apiRule(), databaseRule], upstreams, ...more }, (world) => body(world, upstream));
}

describe('a connection of the protocol tcp', () => {
  it('carries any bytes both ways, each end for itself, and is on record before and after', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const received: Buffer[] = [];
    await withDatabase(
      (socket) => {
        socket.write('ready');
        socket.on('data', (data: Buffer) => received.push(data));
        /* Answers only after the client has said all that it wanted to say. */
        socket.on('end', () => socket.end(all));
      },
      async (world) => {
        const client = await world.connectTcp(DATABASE, 5432);
        client.allowHalfOpen = true;
        client.end(Buffer.concat([all, Buffer.alloc(100_000, 7)]));
        expect(await drained(client)).toBe(`ready${all.toString('latin1')}`);
        expect(Buffer.concat(received).equals(Buffer.concat([all, Buffer.alloc(100_000, 7)]))).toBe(true);
        const [intent] = await world.eventsOf('egress.request');
        const [outcome] = await world.eventsOf('egress.finished');
        const facts = { scheme: 'tcp', host: DATABASE, port: 5432, method: 'CONNECT', calls: [] };
        expect(intent?.data).toMatchObject(facts);
        expect(outcome?.data).toMatchObject({
          ...facts,
          request: intent?.data['request'],
          status: null,
          requestBytes: 100_256,
          responseBytes: 261,
          credentials: [],
        });
        expect(outcome?.data).not.toHaveProperty('code');
        expect(outcome?.data['ms']).toBeTypeOf('number');
        expect(world.events.map(({ type }) => type)).toEqual(['egress.request', 'egress.finished']);
      },
    );
  });

  it('waits for a reader that takes its time, on either side', async () => {
    const bytes = 8 * 1024 * 1024;
    let held: Socket | null = null;
    await withDatabase(
      (socket) => {
        held = socket.pause();
        socket.end(Buffer.alloc(bytes, 'x'));
      },
      async (world) => {
        const client = await world.connectTcp(DATABASE, 5432);
        client.allowHalfOpen = true;
        client.pause();
        client.end(Buffer.alloc(bytes, 'y'));
        await world.eventsOf('egress.request');
        while (held === null) await new Promise((resolve) => setTimeout(resolve, 5));
        const upstream: Socket = held;
        /* Both are full now, and neither loses a byte. */
        const [down, up] = await Promise.all([drained(client), drained(upstream)]);
        expect([down.length, up.length]).toEqual([bytes, bytes]);
        const [outcome] = await world.eventsOf('egress.finished');
        expect(outcome?.data).toMatchObject({ requestBytes: bytes, responseBytes: bytes });
      },
    );
  });

  it.each([
    [
      'the upstream cuts it',
      (upstream: Upstream) => upstream.connections[0]?.resetAndDestroy(),
      'egress_upstream_closed',
    ],
    ['the cell cuts it', (_: Upstream, client: Socket) => client.resetAndDestroy(), 'client_closed'],
    ['the cell is closed', (_: Upstream, __: Socket, world: World) => world.cell.close(), 'cell_closed'],
  ])('ends on both sides when %s', async (_name, cut, code) => {
    await withDatabase(
      (socket) => endWithClient(socket).on('data', () => socket.write('pong')),
      async (world, upstream) => {
        const client = await world.connectTcp(DATABASE, 5432);
        client.on('error', () => undefined);
        client.write('ping');
        await once(client, 'data');
        const [there] = upstream.connections;
        if (there === undefined) throw new Error('not connected');
        const closed = Promise.all([once(client, 'close'), once(there, 'close')]);
        cut(upstream, client, world);
        await closed;
        const [outcome] = await world.eventsOf('egress.finished');
        expect(outcome?.data).toMatchObject({ code, requestBytes: 4, responseBytes: 4 });
      },
    );
  });

  it('ends when nothing has moved for too long', async () => {
    const clock = fixedClock(1_000_000);
    await withDatabase(
      (socket) => endWithClient(socket).on('data', () => socket.write('pong')),
      async (world) => {
        const client = await world.connectTcp(DATABASE, 5432);
        client.on('error', () => undefined);
        client.write('ping');
        await once(client, 'data');
        clock.advance(limits.tunnelIdleTimeoutMs - 1);
        await new Promise((resolve) => setTimeout(resolve, 2 * limits.egressSweepIntervalMs));
        expect(client.destroyed).toBe(false);
        const closed = once(client, 'close');
        clock.advance(1);
        await closed;
        const [outcome] = await world.eventsOf('egress.finished');
        expect(outcome?.data).toMatchObject({ code: 'egress_timeout' });
      },
      { clock },
    );
  });

  it('is held to the tools that run while it is open', async () => {
    let calls = cellCalls([call()]);
    const received: string[] = [];
    await withDatabase(
      (socket) =>
        endWithClient(socket).on('data', (data: Buffer) => {
          received.push(data.toString());
          socket.write('pong');
        }),
      async (world) => {
        const client = await world.connectTcp(DATABASE, 5432);
        client.on('error', () => undefined);
        for (const text of ['in its call', 'when nobody asks']) {
          client.write(text);
          await once(client, 'data');
          calls = cellCalls([], { begun: true });
        }
        calls = cellCalls([call({ id: 'call_2', tool: 'get', readOnly: true })]);
        const closed = once(client, 'close');
        client.write('while another tool reads');
        await closed;
        expect(received).toEqual(['in its call', 'when nobody asks']);
        const [refused] = await world.eventsOf('egress.refused');
        const [outcome] = await world.eventsOf('egress.finished');
        const of = { code: 'egress_read_only', scheme: 'tcp', calls: [{ id: 'call_2', tool: 'get' }] };
        expect(refused?.data).toMatchObject(of);
        expect(outcome?.data).toMatchObject({ ...of, requestBytes: 27, responseBytes: 8 });
      },
      { calls: { callsIn: () => calls }, tools: { rules: [], readOnly: 'enforce' } },
    );
  });

  it('is for a tool that reads where a rule names its host', async () => {
    await withDatabase(
      (socket) => endWithClient(socket).on('data', () => socket.write('pong')),
      async (world) => {
        const client = await world.connectTcp(DATABASE, 5432);
        client.write('ping');
        expect(String((await once(client, 'data'))[0])).toBe('pong');
        client.destroy();
        const [outcome] = await world.eventsOf('egress.finished');
        expect(outcome?.data).not.toHaveProperty('unexpected');
      },
      {
        calls: [call({ tool: 'get', readOnly: true })],
        tools: { rules: [{ tools: ['get'], hosts: [DATABASE], enforce: true }], readOnly: 'enforce' },
      },
    );
  });

  it('is forgotten when it is over, and the cell never reads the rest', async () => {
    const clock = fixedClock(1_000_000);
    await withDatabase(
      (socket) => socket.on('end', () => socket.end('the rest')).resume(),
      async (world) => {
        const [address] = await world.resolver.resolve4(DATABASE);
        const server = createServer({ pauseOnConnect: true }).listen(0, address);
        await once(server, 'listening');
        let inside: Socket | null = null;
        server.on('connection', (socket) => {
          inside = socket;
          socket._write = () => undefined; // as if the other side had no room, ever
        });
        world.cell.acceptTcp(5432, server);
        const { port } = server.address() as AddressInfo;
        const client = connect(port, address).on('error', () => undefined);
        client.end('query');
        const [outcome] = await world.eventsOf('egress.finished');
        expect(outcome?.data).toMatchObject({ requestBytes: 5, responseBytes: 8 });
        expect(outcome?.data).not.toHaveProperty('code');
        const open: Socket | null = inside;
        if (open === null) throw new Error('not there');
        const closed = once(open, 'close');
        expect((open as Socket).destroyed).toBe(false);
        clock.advance(limits.tunnelIdleTimeoutMs);
        await closed;
        client.destroy();
        server.close();
      },
      { clock },
    );
  });

  it('is not made when it cannot be put on record', async () => {
    await withDatabase(
      () => undefined,
      async (world, upstream) => {
        const { AppError } = await import('../../src/kernel/index.ts');
        world.auditFailure = new AppError('audit_unavailable', 'no', { kind: 'failed' });
        const client = await world.connectTcp(DATABASE, 5432);
        client.on('error', () => undefined);
        client.write('x');
        await once(client, 'close');
        expect(upstream.connections).toEqual([]);
      },
    );
  });

  it('is refused beyond so many at a time', async () => {
    await withDatabase(
      (socket) => endWithClient(socket).write('hello'),
      async (world, upstream) => {
        const clients: Socket[] = [];
        for (let index = 0; index < limits.cellTunnelsMax; index += 1) {
          const client = await world.connectTcp(DATABASE, 5432);
          clients.push(client);
          await once(client, 'data');
        }
        const late = await world.connectTcp(DATABASE, 5432);
        late.on('error', () => undefined);
        await once(late, 'close');
        const [refused] = await world.eventsOf('egress.refused');
        expect(refused?.data).toMatchObject({ code: 'egress_tunnels_limit', host: DATABASE, port: 5432 });
        expect(upstream.connections).toHaveLength(limits.cellTunnelsMax);
        /* One that ends makes room. */
        clients[0]?.destroy();
        await world.eventsOf('egress.finished');
        const next = await world.connectTcp(DATABASE, 5432);
        expect(String((await once(next, 'data'))[0])).toBe('hello');
        for (const client of [...clients, next]) client.destroy();
      },
    );
  });
});
