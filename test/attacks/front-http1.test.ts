/**
 * ATTACKS 7 and 11, at the front: requests with two readings, and heads that never end. A hidden request must not be
 * answered, and whoever sends half of one must not keep the others waiting. The control is the hidden request in the open.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, type Served } from '../e2e/harness.ts';

const home = makeHome();
let gateway: Served;
let port: number;
let authorization: string;
beforeAll(async () => {
  await home.run('init');
  gateway = await home.serve();
  port = Number(new URL(gateway.url).port);
  const { stdout } = await home.run('token', 'create', '--profile', 'default', '--agent', 'a', '--json');
  authorization = `Authorization: Bearer ${(JSON.parse(stdout) as { token: string }).token}`;
});
afterAll(async () => {
  await gateway.stop();
  home.remove();
});

/** What comes until the gateway closes the connection, which the last request asks for. */
function sent(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(answer));
    socket.write(text, 'latin1');
  });
}

const statuses = (answer: string): readonly string[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1] ?? '');

/** Answered 200 by anybody who takes it for a request. */
const HIDDEN = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
/** Ends the connection where nothing else did. */
const LAST = 'GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

const post = (fields: readonly string[], body: string): string =>
  [
    'POST /mcp/default HTTP/1.1',
    'Host: localhost',
    authorization,
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    ...fields,
    '',
    body,
  ].join('\r\n');
const chunks = `0\r\n\r\n${HIDDEN}`;

describe('ATTACKS 11: a request with two readings at the front', () => {
  it('has no second one hidden in it, which in the open is answered', async () => {
    expect(statuses(await sent(HIDDEN))).toEqual(['200']);
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'a', version: '1' },
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const open = await sent(post([`Content-Length: ${body.length}`], body + HIDDEN));
    expect(statuses(open)).toEqual(['200', '200']);
  });

  it.each<readonly [string, readonly string[], string]>([
    ['a length and chunks', [`Content-Length: ${chunks.length}`, 'Transfer-Encoding: chunked'], chunks],
    ['chunks and a length', ['Transfer-Encoding: chunked', `Content-Length: ${chunks.length}`], chunks],
    ['two lengths', ['Content-Length: 2', `Content-Length: ${HIDDEN.length + 2}`], `{}${HIDDEN}`],
    ['a list of lengths', [`Content-Length: 2, ${HIDDEN.length + 2}`], `{}${HIDDEN}`],
    ['a signed length', ['Content-Length: +2'], `{}${HIDDEN}`],
    ['a length in another base', ['Content-Length: 0x2'], `{}${HIDDEN}`],
    ['a length with a space before its colon', ['Content-Length : 2'], `{}${HIDDEN}`],
    ['a length on a second line', ['X-A: b', ' Content-Length: 2'], `{}${HIDDEN}`],
    ['an unknown coding', ['Transfer-Encoding: chunked, identity'], chunks],
    ['a coding behind a control character', ['Transfer-Encoding: \x0bchunked'], chunks],
    ['a bare line feed', ['X-A: b\nContent-Length: 2'], `{}${HIDDEN}`],
    ['a NUL', ['X-A: b\0', 'Content-Length: 2'], `{}${HIDDEN}`],
    ['a chunk size that overflows', ['Transfer-Encoding: chunked'], `fffffffffffffffff\r\n${HIDDEN}`],
  ])('%s', async (_name, fields, body) => {
    const answer = await sent(post(fields, body) + LAST);
    expect(statuses(answer).length).toBeLessThanOrEqual(1);
    expect(answer).not.toContain('"status":"ok"');
    expect(statuses(answer)).not.toContain('200');
  });
});

describe('ATTACKS 7: heads without end at the front', () => {
  it('of five hundred who send half of one, none keeps anybody waiting', async () => {
    const half = post(['Content-Length: 2'], '').slice(0, -2);
    const sockets = Array.from({ length: 500 }, () => connect(port, '127.0.0.1', () => undefined));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write(half);
    }
    expect(statuses(await sent(HIDDEN))).toEqual(['200']);
    for (const socket of sockets) socket.destroy();
  });

  it('one that is larger than a head may be is refused', async () => {
    const answer = await sent(post([`X-A: ${'a'.repeat(1_000_000)}`, 'Content-Length: 2'], '{}') + LAST);
    expect(statuses(answer)).not.toContain('200');
    expect(statuses(answer).length).toBeLessThanOrEqual(1);
  });
});
