/** A token in the address, for clients that can send no header: where the profile allows it, and nowhere else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, startHarness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  const servers = { echo: { command: fixture('echo') } };
  harness = await startHarness(
    { default: servers, open: servers, soon: servers },
    { urlProfiles: ['open', 'soon'] },
  );
});
afterAll(() => harness.close());

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
});
const PING = JSON.stringify({ jsonrpc: '2.0', id: 3, method: 'ping' });
const post = (address: string, headers: Record<string, string> = {}, body = INITIALIZE): Promise<Response> =>
  fetch(harness.url + address, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body,
  });

describe('where the profile allows it', () => {
  it('lets a client in, and tells it to keep the address to itself', async () => {
    const begun = await post('/mcp/open/echo?token=good.open');
    expect(begun.status).toBe(200);
    expect(begun.headers.get('referrer-policy')).toBe('no-referrer');
    const session = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
    const params = { name: 'echo', arguments: {} };
    const call = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params });
    const called = await post('/mcp/open/echo?a=b&token=good.open', session, call);
    expect(await called.text()).toContain('"from":"echo"');
    expect(harness.calls.at(-1)?.principal).toMatchObject({ actor: { id: 'good' }, tokenInUrl: true });
  });

  it('has each call on record as it was let in itself, not its session', async () => {
    const params = { name: 'echo', arguments: {} };
    const call = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params });
    const header = { authorization: 'Bearer good.open' };
    const calls = [
      ['', header],
      ['?token=good.open', {}],
    ] as const;
    for (const [query, headers] of calls) {
      const begun = await post(`/mcp/open/echo${query}`, headers);
      await begun.text();
      const session = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
      const marks: unknown[] = [];
      for (const [at, more] of calls) {
        await (await post(`/mcp/open/echo${at}`, { ...session, ...more }, call)).text();
        marks.push(harness.calls.at(-1)?.principal.tokenInUrl);
      }
      expect(marks).toEqual([undefined, true]);
    }
  });

  it('serves a client of 2024-11-05 that knows no headers at all', async () => {
    const stream = await fetch(`${harness.url}/mcp/open/echo?token=good.open`, {
      headers: { accept: 'text/event-stream' },
    });
    const reader = stream.body?.getReader();
    const first = Buffer.from((await reader?.read())?.value ?? []).toString();
    const endpoint = /^event: endpoint\ndata: (.*)\n\n$/.exec(first)?.[1] ?? '';
    expect(endpoint).toMatch(/^\/mcp\/open\/echo\?session=[A-Za-z0-9_-]{32}&token=good\.open$/);
    expect((await post(endpoint)).status).toBe(202);
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('"serverInfo"');
    await reader?.cancel();
  });

  it.each([
    ['a wrong one', '?token=bad.open'],
    ['none', '?token='],
    ['two', '?token=good.open&token=good.open'],
    ['one under another name', '?access_token=good.open'],
    ['one that is too much', `?token=${'x'.repeat(513)}`],
    ['one with more behind it', '?token=good.open%20x'],
  ])('401 for %s', async (_what, query) => {
    expect((await post(`/mcp/open/echo${query}`)).status).toBe(401);
  });

  it('a header comes first', async () => {
    const header = { authorization: 'Bearer good.open' };
    const both = await post('/mcp/open/echo?token=bad.open', header);
    expect(both.status).toBe(200);
    expect(both.headers.get('referrer-policy')).toBeNull();
    expect((await post('/mcp/open/echo?token=good.open', { authorization: 'Bearer bad.open' })).status).toBe(
      401,
    );
    expect((await post('/mcp/open/echo?token=good.open', { authorization: 'Basic x' })).status).toBe(401);
  });
});

describe('where the profile does not', () => {
  it('a good token is as good as none, and its exposure is on record', async () => {
    const none = await post('/mcp/default/echo');
    const good = await post('/mcp/default/echo?token=good.default');
    expect([none.status, good.status]).toEqual([401, 401]);
    expect(await good.text()).toBe(await none.text());
    expect(harness.audit.at(-1)).toBe('refused null null mcp_token_in_url');
  });

  it('nor does one of a profile that allows it open another', async () => {
    expect((await post('/mcp/default/echo?token=good.open')).status).toBe(401);
    expect((await post('/mcp/open/echo?token=good.default')).status).toBe(401);
    expect((await post('/mcp/open/echo?token=good.open')).status).toBe(200);
  });
});

describe('where the profile does not allow it any more', () => {
  const STREAM = { accept: 'text/event-stream' };
  const BEARER = { authorization: 'Bearer other.soon' };
  const begun = async (
    query: string,
    headers: Record<string, string> = {},
  ): Promise<Record<string, string>> => {
    const response = await post(`/mcp/soon/echo${query}`, headers);
    await response.text();
    return { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' };
  };
  const streamOf = (query: string, headers: Record<string, string>): Promise<Response> =>
    fetch(`${harness.url}/mcp/soon/echo${query}`, { headers: { ...STREAM, ...headers } });

  it('ends what was opened with one, and nothing else of the same token', async () => {
    const query = '?token=other.soon';
    const byUrl = await begun(query);
    const mixed = await begun('', BEARER);
    const byHeader = await begun('', BEARER);
    const ended = [
      await streamOf(query, {}),
      await streamOf(query, byUrl),
      // Its session was begun without.
      await streamOf(query, mixed),
    ];
    const stays = await streamOf('', { ...BEARER, ...byHeader });
    harness.refuseUrlTokens('soon');
    // To their ends.
    await Promise.all(ended.map((response) => response.text()));
    expect((await post('/mcp/soon/echo', { ...BEARER, ...mixed }, PING)).status).toBe(404);
    expect((await post('/mcp/soon/echo', { ...BEARER, ...byHeader }, PING)).status).toBe(200);
    await stays.body?.cancel();
  });

  it('ends a stream of 2024-11-05 that was begun without and posted to with one, and no other', async () => {
    await harness.close();
    harness = await startHarness({ soon: { echo: { command: fixture('echo') } } }, { urlProfiles: ['soon'] });
    const opened = async () => {
      const stream = await streamOf('', BEARER);
      const reader = stream.body?.getReader();
      const read = async (): Promise<string> => Buffer.from((await reader?.read())?.value ?? []).toString();
      const endpoint = /^event: endpoint\ndata: (.*)\n\n$/.exec(await read())?.[1] ?? '';
      return { endpoint, read, cancel: () => reader?.cancel() };
    };
    const [mixed, byHeader] = [await opened(), await opened()];
    const call = (id: number): string =>
      JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'echo', arguments: {} } });
    const marks: unknown[] = [];
    const posts = [
      [mixed, '', BEARER],
      [mixed, '&token=other.soon', {}],
      [byHeader, '', BEARER],
    ] as const;
    for (const [id, [{ endpoint, read }, query, headers]] of posts.entries()) {
      expect((await post(endpoint + query, headers, call(id))).status).toBe(202);
      expect(await read()).toContain('"from":"echo"');
      marks.push(harness.calls.at(-1)?.principal.tokenInUrl);
    }
    expect(marks).toEqual([undefined, true, undefined]);
    harness.refuseUrlTokens('soon');
    expect(await mixed.read()).toBe('');
    expect((await post(byHeader.endpoint, BEARER, PING)).status).toBe(202);
    expect(await byHeader.read()).toContain('"id":3');
    await byHeader.cancel();
  });
});
