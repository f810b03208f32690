/** Sessions elsewhere that are lost, in the forms in which servers say so, and what only looks like it. */
import { describe, expect, it, vi } from 'vitest';
import { call, done, far } from './far.ts';
import { event, type Got, isCall, json, resultOf, stream, usual } from './stand-in.ts';

const named = ({ message }: Got): unknown => message['method'];
const idOf = ({ message }: Got): unknown => message['id'];
const refusal = { jsonrpc: '2.0', error: { code: -32_000, message: 'Bad Request: no session' }, id: null };
const wrong = { jsonrpc: '2.0', error: { code: -32_602, message: 'no' }, id: null };

describe('a session elsewhere', () => {
  it('is not begun again for what was said of the one before it', async () => {
    let session = 's-1';
    const held: (() => void)[] = [];
    const calls: string[] = [];
    const { client, server } = await far((got, res) => {
      const id = got.headers['mcp-session-id'];
      if (isCall(got)) calls.push(String(id));
      const isStale = id !== undefined && id !== session;
      if (named(got) === 'ping' && id === 's-1') held.push(() => json(res, refusal, {}, 400));
      else if (isStale && calls.length === 1) json(res, refusal, {}, 400);
      else if (isStale) res.writeHead(404).end();
      else if (named(got) === 'initialize') usual(got, res, [session]);
      else if (isCall(got) && calls.length === 4) json(res, wrong, {}, 400);
      else usual(got, res);
    });
    await client.initialize();
    await call(client, 'before');
    calls.length = 0;
    session = 's-2';
    const first = call(client, 'first');
    await vi.waitFor(() => expect(held).toHaveLength(1), 10_000);
    expect(await call(client, 'second')).toMatchObject({ result: done });
    // Of the new session, and about the request: the other is still asked about.
    const third = call(client, 'third');
    await vi.waitFor(() => expect(calls).toHaveLength(4), 10_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const answer of held) answer();
    expect(await third).toMatchObject({ error: { code: -32_602 } });
    expect(await first).toMatchObject({ result: done });
    expect(server.seen.filter((line) => line === 'POST initialize')).toHaveLength(2);
  });

  it('is kept where its server has no ping, and says so with 400', async () => {
    const { client, server } = await far((got, res) => {
      const error = { code: -32_601, message: 'Method not found' };
      if (named(got) === 'ping') json(res, { jsonrpc: '2.0', error, id: idOf(got) }, {}, 400);
      else if (isCall(got)) json(res, { ...wrong, id: idOf(got) }, {}, 400);
      else usual(got, res);
    });
    await client.initialize();
    expect(await call(client, 'refused')).toMatchObject({ error: { code: -32_602, message: 'no' } });
    expect(server.seen.filter((line) => line === 'POST initialize')).toHaveLength(1);
    expect(server.seen.filter((line) => line === 'POST tools/call')).toHaveLength(1);
  });

  it.each([404, 400])('is begun again where its own stream is refused for it (%i)', async (status) => {
    let session = 's-1';
    let drop = (): void => undefined;
    const { client, server } = await far((got, res) => {
      const id = got.headers['mcp-session-id'];
      if (id !== undefined && id !== session) return json(res, refusal, {}, status);
      if (got.method === 'GET') {
        stream(res);
        res.write('retry: 100\n\n');
        if (id === 's-1') drop = () => void res.end();
        else
          res.write(
            event({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'x://a' } }),
          );
        return;
      }
      if (named(got) === 'initialize') {
        const capabilities = { tools: {}, resources: { subscribe: true } };
        const hello = {
          protocolVersion: '2025-11-25',
          capabilities,
          serverInfo: { name: 'far', version: '1' },
        };
        return json(res, resultOf(got, hello), { 'Mcp-Session-Id': session });
      }
      return usual(got, res);
    });
    await client.initialize();
    await client.request(1, 'resources/subscribe', { uri: 'x://a' });
    await vi.waitFor(() => expect(server.seen).toContain('GET'), 10_000);
    session = 's-2';
    drop();
    await client.line(({ method }) => method === 'notifications/resources/updated');
    expect(server.seen.filter((line) => line === 'POST resources/subscribe')).toHaveLength(2);
  });

  it('has all lists of its server looked at anew: it may be another by now', async () => {
    let session = 's-1';
    const { client } = await far((got, res) => {
      const id = got.headers['mcp-session-id'];
      if (id !== undefined && id !== session) return res.writeHead(404).end();
      if (named(got) !== 'initialize') return usual(got, res);
      const capabilities = { tools: {}, prompts: {} };
      const hello = {
        protocolVersion: '2025-06-18',
        capabilities,
        serverInfo: { name: 'far', version: '1' },
      };
      return json(res, resultOf(got, hello), { 'Mcp-Session-Id': session });
    });
    await client.initialize();
    session = 's-2';
    expect(await call(client)).toMatchObject({ result: done });
    const changed = client.lines.filter((line) => line.includes('list_changed')).toSorted();
    expect(changed.map((line) => (JSON.parse(line) as { method: string }).method)).toEqual([
      'notifications/prompts/list_changed',
      'notifications/tools/list_changed',
    ]);
  });

  it('is none in a revision that nobody here speaks', async () => {
    let session = 's-1';
    const { client } = await far((got, res) => {
      const id = got.headers['mcp-session-id'];
      if (id !== undefined && id !== session) return res.writeHead(404).end();
      if (named(got) !== 'initialize' || session === 's-1') return usual(got, res);
      const hello = {
        protocolVersion: '2099-01-01',
        capabilities: {},
        serverInfo: { name: 'far', version: '2' },
      };
      return json(res, resultOf(got, hello), { 'Mcp-Session-Id': session });
    });
    await client.initialize();
    session = 's-2';
    expect(await call(client)).toMatchObject({ error: { data: { code: 'upstream_session_lost' } } });
  });
});
