/** A token that is not good any more takes its sessions, streams and calls with it, and nobody else's. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
});
afterEach(() => harness.endToken('good', Infinity));
afterAll(() => harness.close());

const PATH = '/mcp/default/echo';
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'new', version: '2' },
};
const headersOf = (token: string, more: Record<string, string> = {}): Record<string, string> => ({
  authorization: `Bearer ${token}.default`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  ...more,
});
const post = (body: object, headers: Record<string, string>): Promise<Response> =>
  fetch(harness.url + PATH, {
    method: 'POST',
    headers,
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
  });

async function session(token: string): Promise<Record<string, string>> {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  };
  const response = await post({ method: 'initialize', params }, headersOf(token));
  await response.text();
  return headersOf(token, { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' });
}
const own = (headers: Record<string, string>): Promise<Response> => fetch(harness.url + PATH, { headers });
const wait = (label: string, _meta?: object) => ({
  method: 'tools/call',
  params: { name: 'wait', arguments: { label }, ...(_meta === undefined ? {} : { _meta }) },
});
const stateless = (token: string, method: string, name?: string): Record<string, string> =>
  headersOf(token, {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': name }),
  });
const started = (count: number): Promise<void> =>
  expect
    .poll(() => harness.audit.filter((line) => line === 'started echo wait').length, { timeout: 10_000 })
    .toBe(count);

describe('the end of a token', () => {
  it('ends its sessions, streams and calls at once, with the reason, and the server is told', async () => {
    const mine = await session('good');
    const theirs = await session('other');
    const stream = await own(mine);
    const theirStream = await own(theirs);
    const call = await post(wait('mine'), mine);
    const modern = await post(wait('modern', META), stateless('good', 'tools/call', 'wait'));
    await started(2);
    harness.endToken('good');
    expect(await call.text()).toContain('"code":"token_ended"');
    expect(await modern.text()).toContain('"code":"token_ended"');
    await stream.text();
    expect(harness.audit.filter((line) => line.startsWith('finished echo wait'))).toEqual([
      'finished echo wait failed token_ended',
      'finished echo wait failed token_ended',
    ]);
    harness.endToken('good', Infinity);
    expect((await post({ method: 'ping' }, mine)).status).toBe(404);
    expect((await post({ method: 'ping' }, theirs)).status).toBe(200);
    const seen = (await (
      await post({ method: 'tools/call', params: { name: 'seen' } }, theirs)
    ).json()) as object;
    expect(JSON.stringify(seen)).toContain('cancelled mine');
    expect(JSON.stringify(seen)).toContain('cancelled modern');
    await theirStream.body?.cancel();
  });

  it('ends a subscription of a stateless client', async () => {
    const params = { notifications: { toolsListChanged: true }, _meta: META };
    const listening = await post(
      { method: 'subscriptions/listen', params },
      stateless('good', 'subscriptions/listen'),
    );
    expect(listening.status).toBe(200);
    harness.endToken('good');
    await listening.text();
  });

  it('comes with its time, without anybody saying so', async () => {
    const mine = await session('good');
    const stream = await own(mine);
    harness.endToken('good', Date.now() + 300);
    await stream.text();
    harness.endToken('good', Infinity);
    expect((await post({ method: 'ping' }, mine)).status).toBe(404);
  });

  it('also ends what was let in just before it', async () => {
    // The door's question is answered, and the session is made after the token's end was told.
    harness.endToken('good');
    const mine = await session('good');
    harness.endToken('good', Infinity);
    await expect
      .poll(async () => (await post({ method: 'ping' }, mine)).status, { timeout: 10_000 })
      .toBe(404);
  });

  it('does not concern the operator at the local socket', async () => {
    const client = harness.stdio(principal('good', null), { profile: 'default', server: 'echo' });
    await client.initialize();
    harness.endToken('good');
    expect(await client.request(1, 'ping')).toMatchObject({ result: {} });
    client.end();
    await client.closed;
  });

  it('ends a client over lines that came with a token', async () => {
    const client = harness.stdio(principal('good', 'default'), { profile: 'default', server: 'echo' });
    await client.initialize();
    harness.endToken('good');
    await client.closed;
  });
});
