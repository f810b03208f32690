/**
 * ATTACKS 8 with everything real: connections that a server keeps open, a WebSocket with a key in its handshake and an
 * opaque one, when the operator takes back what they live on. What ends them ends them on both sides, soon, and on
 * record; what does not is what the documents say goes on.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FrameReader, OPCODE } from '../../src/wire/index.ts';
import { acceptOf } from '../egress/websocket-world.ts';
import { API, type CellRequire, KEY, openWorld, waitFor, type World } from './whole-world.ts';

const DATABASE = 'db.test.example';
const NEXT = 'key_Nx4Tq8Vb2Lm6Rc0Wd5Ys9Kf3Hj7Pg1Za';

let world: World;
/** What the upstream has of WebSockets: the socket, the target that it was opened with, and its messages. */
const webSockets: { socket: Socket; target: string; messages: string[] }[] = [];
const tunnels: { socket: Socket; text: string }[] = [];
const database = createServer((socket) => {
  const tunnel = { socket, text: '' };
  tunnels.push(tunnel);
  socket.on('error', () => socket.destroy());
  socket.on('data', (data: Buffer) => (tunnel.text += data.toString()));
});

function serve(socket: Socket, messages: string[]): void {
  const reader = new FrameReader({ from: 'client', payloadBytesMax: 1_000_000 });
  let opcode: number = OPCODE.text;
  const sink = {
    onFrame: (head: { opcode: number }) => void (opcode = head.opcode),
    onPayload(data: Buffer): void {
      if (opcode === OPCODE.text) messages.push(data.toString());
    },
  };
  socket.on('data', (bytes: Buffer) => reader.read(bytes, 0, sink));
}

beforeAll(async () => {
  database.listen(0, '127.0.0.1');
  await once(database, 'listening');
  const { port } = database.address() as AddressInfo; // a listening TCP server has an AddressInfo
  world = await openWorld({
    settings: ({ resolve, ca }) =>
      `egress: { resolve: ${resolve.replace('{', `{ "${DATABASE}:5432": "127.0.0.1:${port}",`)}, extraCa: [ ${ca} ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
    manifest: () => ({ egress: [{ host: API }, { host: DATABASE, port: 5432, protocol: 'tcp' }] }),
  });
  world.answer = ({ head }, socket) => {
    const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? '';
    const messages: string[] = [];
    webSockets.push({ socket, target: head.split(' ', 2)[1] ?? '', messages });
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
    );
    serve(socket, messages);
  };
});
afterAll(async () => {
  await world.close();
  for (const { socket } of tunnels) socket.destroy();
  database.close();
});
afterEach(() => {
  for (const { socket } of [...webSockets.splice(0), ...tunnels.splice(0)]) socket.destroy();
});

/** Runs in the cell: opens both and goes on saying something on each, as long as it can. */
async function keep({ api, db }: { api: string; db: string }, require: CellRequire): Promise<string> {
  const net = require('node:net');
  const socket = new WebSocket(`wss://${api}/socket?api_key=${process.env['API_KEY']}`);
  await new Promise((done) => socket.addEventListener('open', done));
  setInterval(() => socket.send('still there'), 20);
  const tunnel = net.connect(5432, db);
  await new Promise((done) => tunnel.once('connect', () => done(null)));
  tunnel.on('error', () => tunnel.destroy());
  setInterval(() => tunnel.write('still there\n'), 20);
  return 'kept';
}

/** Calls a tool in a profile, so that the cell is the profile's. */
async function keptIn(profile: string | undefined): Promise<void> {
  const given = { api: API, db: DATABASE };
  const text = await world.client.call(
    'attacker',
    'run',
    JSON.stringify({ code: keep.toString(), given }),
    profile,
  );
  expect(text).toContain('kept');
  await waitFor(() => webSockets.at(-1)?.messages.length && tunnels.at(-1)?.text);
}
const isOver = ({ socket }: { socket: Socket }): boolean => socket.destroyed || socket.readableEnded;

/** How many requests the cut of a cell has ended, of WebSockets and of tunnels. */
async function cutSoFar(): Promise<readonly [number, number]> {
  const counts = new Map<unknown, number>();
  for await (const line of world.client.audit({ last: 200 })) {
    const { type, data } = line as unknown as { type: string; data: Record<string, unknown> }; // as the API describes it
    if (type !== 'egress.finished' || data['code'] !== 'cell_closed') continue;
    counts.set(data['path'], (counts.get(data['path']) ?? 0) + 1);
  }
  return [counts.get('/socket') ?? 0, counts.get('/') ?? 0];
}

describe('an open WebSocket and an open tunnel', () => {
  it('control: go on after the call', async () => {
    await keptIn(undefined);
    const before = [webSockets.at(-1)?.messages.length ?? 0, tunnels.at(-1)?.text.length ?? 0];
    await waitFor(() => (webSockets.at(-1)?.messages.length ?? 0) > (before[0] ?? 0) + 20);
    await waitFor(() => (tunnels.at(-1)?.text.length ?? 0) > (before[1] ?? 0) + 200);
    expect(webSockets.at(-1)?.target).toBe(`/socket?api_key=${KEY}`);
  });

  it.each<[string, string | undefined, () => Promise<unknown>, () => Promise<unknown>]>([
    [
      'a kill of everything',
      undefined,
      () => world.client.kill('all', '', 'test'),
      () => world.client.resume('all', ''),
    ],
    [
      'a kill of the server',
      undefined,
      () => world.client.kill('server', 'attacker', 'test'),
      () => world.client.resume('server', 'attacker'),
    ],
    [
      'disabling the server',
      undefined,
      () => world.client.enableServer('attacker', false),
      () => world.client.enableServer('attacker', true),
    ],
    [
      'taking the server out of the profile',
      'default',
      () => world.client.setProfile('default', []),
      () => world.client.setProfile('default', [{ server: 'attacker', tools: '*' }]),
    ],
    ['deleting the profile', 'other', () => world.client.deleteProfile('other'), () => Promise.resolve()],
  ])('are cut by %s', async (_name, profile, cut, mend) => {
    if (profile !== undefined) await world.client.setProfile(profile, [{ server: 'attacker', tools: '*' }]);
    await keptIn(profile);
    const [sockets, others] = await cutSoFar();
    await cut();
    await waitFor(() => [...webSockets, ...tunnels].every(isOver));
    await mend();
    await waitFor(async () => {
      const [nowSockets, nowOthers] = await cutSoFar();
      return nowSockets > sockets && nowOthers > others;
    });
  });

  it('go on when the key is rotated; without the key, the WebSocket that was given it ends', async () => {
    await keptIn(undefined);
    const [webSocket, tunnel] = [webSockets.at(-1), tunnels.at(-1)];
    if (webSocket === undefined || tunnel === undefined) throw new Error('not there');
    await world.client.setSecret('attacker', 'API_KEY', NEXT);
    const before = webSocket.messages.length;
    await waitFor(() => webSocket.messages.length > before + 20);
    await world.client.deleteSecret('attacker', 'API_KEY');
    await waitFor(() => isOver(webSocket));
    const refused = await world.event(({ data }) => data['code'] === 'egress_credential_withdrawn');
    expect(refused.data).toMatchObject({ credential: 'API_KEY', path: '/socket' });
    const sent = tunnel.text.length;
    await waitFor(() => tunnel.text.length > sent + 200); // no key was ever in it
    await world.client.setSecret('attacker', 'API_KEY', KEY);
  });

  it('that were given a key end with a kill of that credential, and may begin anew when it is lifted', async () => {
    await keptIn(undefined);
    const [webSocket, tunnel] = [webSockets.at(-1), tunnels.at(-1)];
    if (webSocket === undefined || tunnel === undefined) throw new Error('not there');
    await world.client.kill('credential', 'attacker/API_KEY', 'test');
    await waitFor(() => isOver(webSocket));
    const refused = await world.event(({ data }) => data['code'] === 'egress_credential_killed');
    expect(refused.data).toMatchObject({ credential: 'API_KEY', path: '/socket' });
    const sent = tunnel.text.length;
    await waitFor(() => tunnel.text.length > sent + 200); // no key was ever in it
    await world.client.resume('credential', 'attacker/API_KEY');
    const before = webSockets.length;
    await keptIn(undefined);
    expect(webSockets).toHaveLength(before + 1);
  });

  it('leave no key in the record', async () => {
    const text = await world.exported();
    for (const key of [KEY, NEXT]) expect(text).not.toContain(key);
  });
});
