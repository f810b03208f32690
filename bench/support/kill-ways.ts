/** Every way in which something is under way at a gateway: each begins it, and tells when it is over. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { createInterface } from 'node:readline';
import { duplexPair, type Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { INITIALIZE, statelessConnection, stdioBridge, ENVELOPE } from './callers.ts';
import { KeptConnection } from './kept-connection.ts';
import { HOST, type KillWorld } from './kill-world.ts';

export type Scope = 'all' | 'server' | 'token' | 'credential';
export const scopes: readonly Scope[] = ['all', 'server', 'token', 'credential'];

export interface Token {
  readonly id: string;
  readonly token: string;
}

interface UnderWay {
  /** Settles when it is over at both ends. */
  readonly over: Promise<unknown>;
  /** Where a cell is others' as well, which go on: when whoever asked is told. */
  readonly told?: Promise<unknown>;
}

export interface Way {
  readonly name: string;
  /** Which switches are about it: of the server `cell`, of its credential, of the token. */
  readonly covers: readonly Scope[];
  /** Resolves when it is under way. */
  begin(world: KillWorld, token: Token, name: string): Promise<UnderWay>;
}

type Call = (tool: string, given: object) => Promise<string>;

const texts = (tool: string, given: object, id = 1, meta = ''): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${tool}","arguments":${JSON.stringify(given)}${meta}}}`;

/** A client that speaks lines. What it waits for is over when its connection is. */
export async function lineCall(duplex: Duplex): Promise<Call> {
  const waiting: ((line: string) => void)[] = [];
  const over = (): void => waiting.splice(0).forEach((tell) => tell('gone'));
  createInterface({ input: duplex })
    .on('line', (line) => {
      if ('id' in (JSON.parse(line) as object)) waiting.shift()?.(line);
    })
    .on('close', over);
  duplex.on('error', over);
  const exchange = (text: string): Promise<string> =>
    new Promise((done) => {
      waiting.push(done);
      duplex.write(`${text}\n`);
    });
  await exchange(INITIALIZE);
  duplex.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  return (tool, given) => exchange(texts(tool, given));
}

const COMMON = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const endpoint = (world: KillWorld, server: string): string => `${world.url}/mcp/default/${server}`;
const ended = (error: unknown): string => `gone: ${String(error)}`;

/** @returns the call, and the session's name */
export async function sessionCall(
  world: KillWorld,
  { token }: Token,
  server = 'cell',
): Promise<{ readonly call: Call; readonly fields: Record<string, string> }> {
  const authorization = `Bearer ${token}`;
  const first = new KeptConnection(endpoint(world, server), { ...COMMON, authorization });
  const answer = await first.post(INITIALIZE);
  first.close();
  const session = answer.fields.get('mcp-session-id') ?? '';
  const fields = { authorization, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
  const connection = new KeptConnection(endpoint(world, server), { ...COMMON, ...fields });
  await connection.post('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  const call: Call = (tool, given) => connection.post(texts(tool, given)).then(({ body }) => body, ended);
  return { call, fields };
}

export function statelessCall(world: KillWorld, { token }: Token, tool: string): Call {
  const connection = statelessConnection(endpoint(world, 'cell'), token, 'tools/call', tool);
  return (name, given) =>
    connection.post(texts(name, given, 1, `,${ENVELOPE}`)).then(({ body }) => body, ended);
}

/** In flight once the API was asked; over when its client was told and the API's connection is gone. */
async function holding(world: KillWorld, name: string, answered: Promise<string>): Promise<UnderWay> {
  const held = await Promise.race([
    world.held(name),
    answered.then((text) => Promise.reject(new Error(`it did not begin: ${text}`))),
  ]);
  return { over: Promise.all([answered, held.gone]), told: answered };
}

const overLines =
  (server: string, tool: string, given: (name: string) => object): Way['begin'] =>
  async (world, _token, name) => {
    const call = await lineCall(await stdioBridge(world.socket, `/stdio?profile=default&server=${server}`));
    return holding(world, name, call(tool, given(name)));
  };
const text = (name: string): object => ({ text: name });

export const ways: readonly Way[] = [
  {
    name: 'call, local socket',
    covers: ['all', 'server', 'credential'],
    begin: overLines('cell', 'hold', text),
  },
  {
    name: 'call, HTTP session',
    covers: ['all', 'server', 'token', 'credential'],
    async begin(world, token, name) {
      const { call } = await sessionCall(world, token);
      return holding(world, name, call('hold', text(name)));
    },
  },
  {
    name: 'call, HTTP stateless',
    covers: ['all', 'server', 'token', 'credential'],
    begin: (world, token, name) =>
      holding(world, name, statelessCall(world, token, 'hold')('hold', text(name))),
  },
  {
    name: "session's event stream",
    covers: ['token'],
    async begin(world, token) {
      const { fields } = await sessionCall(world, token);
      const stream = await fetch(endpoint(world, 'cell'), {
        headers: { ...fields, accept: 'text/event-stream' },
      });
      return { over: stream.text().catch(ended) };
    },
  },
  {
    name: 'call, waits for somebody',
    covers: ['all', 'server'],
    async begin(world, _token, name) {
      const bridge = await stdioBridge(world.socket, '/stdio?profile=default&server=cell');
      const known = await world.client.approvals('pending');
      const answered = (await lineCall(bridge))('asked', text(name));
      while ((await world.client.approvals('pending')).length === known.length) await setImmediate();
      return { over: answered };
    },
  },
  { name: 'call, remote server', covers: ['all'], begin: overLines('far', 'hold', text) },
  {
    name: 'call, HTTP API',
    covers: ['all'],
    begin: overLines('api', 'request', (name) => ({ method: 'GET', path: `/hold/${name}` })),
  },
  {
    name: 'WebSocket of a cell',
    covers: ['all', 'server', 'credential'],
    async begin(world, _token, name) {
      const call = await lineCall(await stdioBridge(world.socket, '/stdio?profile=default&server=cell'));
      await call('socket', text(name));
      return { over: (await world.held(name)).gone };
    },
  },
  {
    name: 'request through the proxy',
    covers: ['all', 'server', 'token', 'credential'],
    begin: throughProxy,
  },
  {
    name: 'request of sallyport run',
    covers: ['all'],
    async begin(world, _token, name) {
      const code = `fetch("https://${HOST}/hold/${name}").catch(() => 0); setInterval(() => 0, 1000)`;
      const program = world.program('run', '--', 'node', '-e', code);
      let said = '';
      program.stderr?.on('data', (data: Buffer) => (said += data.toString()));
      const ended = once(program, 'exit').then(() => null);
      const held = await Promise.race([world.held(name), ended]);
      if (held === null) throw new Error(`it did not start: ${said}`);
      return { over: held.gone };
    },
  },
  {
    name: 'call, another process',
    covers: ['all', 'server', 'credential'],
    async begin(world, _token, name) {
      const [client, side] = duplexPair();
      world.other.front.connectStdio(side, world.other.operator, { profile: 'default', server: 'cell' });
      const call = await lineCall(client);
      return holding(world, name, call('hold', text(name)));
    },
  },
];

/** A program outside of cells, which asks with its placeholder. */
async function throughProxy(world: KillWorld, token: Token, name: string): Promise<UnderWay> {
  const settings = await world.client.proxySettings({ tokenId: token.id, server: 'cell' });
  const socket = connectTcp(world.proxy);
  socket.on('error', () => socket.destroy());
  const login = Buffer.from(`${settings.server}:${token.token}`).toString('base64');
  socket.write(
    `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\nProxy-Authorization: Basic ${login}\r\n\r\n`,
  );
  const [line] = (await once(socket, 'data')) as [Buffer];
  if (!line.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(line.toString('latin1'));
  const secure = connectTls({ socket, servername: HOST, ca: readFileSync(settings.caFile) });
  secure.on('error', () => undefined);
  const key = settings.variables['KEY'] ?? '';
  secure.write(`GET /hold/${name} HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: Bearer ${key}\r\n\r\n`);
  secure.resume();
  // Where only what it carried is stopped it is told so, and may go on.
  const told = Promise.race([once(secure, 'data'), once(secure, 'close')]);
  const held = await world.held(name);
  return { over: Promise.all([told, held.gone]) };
}
