/**
 * ATTACKS 22, from a client's side: JSON with two readings, without end or without measure, at both doors of the program
 * itself. What a server does of the kind is in test/mcp/bad-servers.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { makeHome, type Served } from '../e2e/harness.ts';

const home = makeHome();
let gateway: Served;
let client: ApiClient;
let headers: Record<string, string>;
beforeAll(async () => {
  await home.run('init');
  gateway = await home.serve();
  client = createClient(socketTransport(join(home.path, 'sallyport.sock')));
  const { token } = await client.createToken({ profile: 'default', agent: 'attacker' });
  headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const begun = await post(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
  headers['mcp-session-id'] = begun.session;
});
afterAll(async () => {
  await gateway.stop();
  home.remove();
});

async function post(body: string | Buffer): Promise<{ status: number; text: string; session: string }> {
  const response = await fetch(`${gateway.url}/mcp/default`, { method: 'POST', headers, body });
  const session = response.headers.get('mcp-session-id') ?? '';
  return { status: response.status, text: await response.text(), session };
}

/** A client over lines, at the local socket. */
async function lines(): Promise<{ readonly socket: Socket; readonly next: () => Promise<string> }> {
  const socket = connect(join(home.path, 'sallyport.sock'));
  socket.write(
    'GET /stdio?profile=default HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: mcp-stdio\r\n\r\n',
  );
  let text = '';
  let wake = (): void => undefined;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    wake();
  });
  const until = async (end: string): Promise<string> => {
    while (!text.includes(end)) await new Promise<void>((resolve) => (wake = resolve));
    const found = text.slice(0, text.indexOf(end));
    text = text.slice(found.length + end.length);
    return found;
  };
  expect(await until('\r\n\r\n')).toContain('101');
  return { socket, next: () => until('\n') };
}

const DEPTH = 1_000_000;
/** What is wrong with it, and the text around `ping`, which alone would be answered. */
const broken: readonly [string, string | Buffer][] = [
  ['a member twice', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}'],
  [
    'a member twice, once with an escape',
    '{"jsonrpc":"2.0","id":1,"method":"ping","\\u006dethod":"tools/list"}',
  ],
  ['a member twice, below', '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"b":{"c":1,"c":2}}}'],
  ['a prototype twice', '{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{},"__proto__":{}}'],
  ['half a character', '{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}'],
  ['half a character, in a name', '{"jsonrpc":"2.0","id":1,"method":"ping","\\udc00":1}'],
  ['bytes that are no character', Buffer.from('{"jsonrpc":"2.0","id":"\u00ff","method":"ping"}', 'latin1')],
  [
    'objects without end',
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}}`,
  ],
  ['lists without end', `${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`],
  [
    'values without number',
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[${'1,'.repeat(DEPTH)}1]}}`,
  ],
  ['a comment', '{"jsonrpc":"2.0","id":1,"method":"ping"/**/}'],
  ['more behind it', '{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}'],
  ['a number that is none', '{"jsonrpc":"2.0","id":01,"method":"ping"}'],
  ['a number without measure', '{"jsonrpc":"2.0","id":1e999,"method":"ping"}'],
  ['not a number', '{"jsonrpc":"2.0","id":NaN,"method":"ping"}'],
];
/** What looks as odd, and has one reading. */
const odd: readonly [string, string, string][] = [
  ['nothing odd', '{"jsonrpc":"2.0","id":1,"method":"ping"}', '1'],
  [
    'a prototype',
    '{"jsonrpc":"2.0","id":2,"method":"ping","__proto__":{"method":"x"},"params":{"__proto__":{"a":1}}}',
    '2',
  ],
  ['a constructor', '{"jsonrpc":"2.0","id":3,"method":"ping","constructor":{"prototype":{"a":1}}}', '3'],
  [
    'a number that no double holds',
    '{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}',
    '123456789012345678901234567890',
  ],
  ['a number that is written long', '{"jsonrpc":"2.0","id":1.50,"method":"ping"}', '1.50'],
  [
    'a whole character in two halves',
    '{"jsonrpc":"2.0","id":"\\ud83d\\ude00","method":"ping"}',
    '"\\ud83d\\ude00"',
  ],
];

describe('ATTACKS 22: what a client sends', () => {
  it.each(odd)('control: %s is answered, under the id as it was written', async (_what, body, id) => {
    const answer = `{"jsonrpc":"2.0","id":${id},"result":{}}`;
    expect(await post(body)).toMatchObject({ status: 200, text: answer });
    const { socket, next } = await lines();
    socket.write(`${body}\n`);
    expect(await next()).toBe(answer);
    socket.destroy();
  });

  it.each(broken)('%s is refused, at both doors, and the next is answered', async (_what, body) => {
    const refused = await post(body);
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.text)).toMatchObject({ id: null, error: { code: -32700 } });
    const { socket, next } = await lines();
    socket.write(body);
    socket.write('\n{"jsonrpc":"2.0","id":7,"method":"ping"}\n');
    expect(JSON.parse(await next())).toMatchObject({ id: null, error: { code: -32700 } });
    expect(await next()).toBe('{"jsonrpc":"2.0","id":7,"result":{}}');
    socket.destroy();
  });

  it('a line of 100 MB is skipped to its end, and the next is answered', async () => {
    const { socket, next } = await lines();
    const piece = Buffer.alloc(1024 * 1024, 'x');
    socket.write('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"');
    for (let n = 0; n < 100; n += 1) if (!socket.write(piece)) await once(socket, 'drain');
    socket.write('"}}\n{"jsonrpc":"2.0","id":2,"method":"ping"}\n');
    expect(await next()).toContain('"mcp_message_too_large"');
    expect(await next()).toBe('{"jsonrpc":"2.0","id":2,"result":{}}');
    socket.destroy();
  });

  it('half a line and silence keep nobody else waiting, and lose nothing', async () => {
    const halves = await Promise.all(Array.from({ length: 20 }, lines));
    for (const { socket } of halves) socket.write('{"jsonrpc":"2.0","id":1,"met');
    const other = await lines();
    other.socket.write('{"jsonrpc":"2.0","id":2,"method":"ping"}\n');
    expect(await other.next()).toBe('{"jsonrpc":"2.0","id":2,"result":{}}');
    expect((await post('{"jsonrpc":"2.0","id":3,"method":"ping"}')).status).toBe(200);
    for (const { socket } of halves) socket.write('hod":"ping"}\n');
    for (const { next } of halves) expect(await next()).toBe('{"jsonrpc":"2.0","id":1,"result":{}}');
    for (const { socket } of [...halves, other]) socket.destroy();
  });

  it('none of it was a call', async () => {
    const { stdout } = await home.run('audit', 'export');
    expect(stdout).toContain('"token.created"');
    expect(stdout).not.toContain('"call.started"');
    expect((await home.run('audit', 'verify')).code).toBe(0);
    const described = await fetch(`${gateway.url}/.well-known/oauth-protected-resource/mcp/default`);
    expect(await described.json()).toMatchObject({ resource: `${gateway.url}/mcp/default` });
  });
});
