/** Sessions with servers elsewhere that speak Streamable HTTP, through the whole front. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/kernel/index.ts';
import { call, done, far } from './far.ts';
import { isCall, json, resultOf, usual } from './stand-in.ts';

describe('a session elsewhere', () => {
  it('is begun, used with what it was given, and ended when it is not needed any more', async () => {
    const { client, server, transports } = await far(usual);
    const hello = await client.initialize();
    expect(hello).toMatchObject({ result: { serverInfo: { name: 'far' } } });
    expect(await call(client)).toMatchObject({ result: done });
    await transports[0]?.close('idle');
    expect(server.seen.filter((line) => line !== 'GET')).toEqual([
      'POST initialize',
      'POST notifications/initialized',
      'POST tools/list',
      'POST tools/call',
      'DELETE',
    ]);
    const [first, ...others] = server.got;
    expect(first?.headers).toMatchObject({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'user-agent': 'sallyport/9.9.9',
    });
    expect([first?.headers['mcp-session-id'], first?.headers['mcp-protocol-version']]).toEqual([
      undefined,
      undefined,
    ]);
    for (const { headers } of others)
      expect(headers).toMatchObject({ 'mcp-session-id': 's-1', 'mcp-protocol-version': '2025-06-18' });
  });

  it('asks for nothing before the server has heard that it has begun', async () => {
    let hasBegun = false;
    const { client } = await far((got, res) => {
      const { message } = got;
      if (message['method'] === 'notifications/initialized')
        setTimeout(() => {
          hasBegun = true;
          res.writeHead(202).end();
        }, 100);
      else if (hasBegun || message['method'] === 'initialize') usual(got, res);
      else res.writeHead(400).end('not yet');
    });
    await client.initialize();
    expect(await call(client)).toMatchObject({ result: done });
  });

  it('does without a session where the server gives none', async () => {
    const { client, server, transports } = await far((got, res) => usual(got, res, []));
    await client.initialize();
    expect(await call(client)).toMatchObject({ result: done });
    await transports[0]?.close('idle');
    expect(server.seen).not.toContain('DELETE');
    expect(server.got.some(({ headers }) => 'mcp-session-id' in headers)).toBe(false);
  });

  it('is begun again, once for all, when the server has ended it', async () => {
    const sessions = ['s-1'];
    const { client, server, transports } = await far((got, res) => {
      const { headers, message } = got;
      const isStale = headers['mcp-session-id'] !== undefined && headers['mcp-session-id'] !== sessions[0];
      if (isStale) res.writeHead(404).end();
      else if (message['method'] === 'initialize') usual(got, res, sessions);
      else usual(got, res);
    });
    await client.initialize();
    expect(await call(client, 'before')).toMatchObject({ result: done });
    sessions[0] = 's-2';
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((id) => call(client, id)));
    expect(answers).toMatchObject(answers.map(() => ({ result: done })));
    expect(server.seen.filter((line) => line === 'POST initialize')).toHaveLength(2);
    expect(transports[0]?.notes).toEqual(['its session had ended; another was begun']);
    await client.line(({ method }) => method === 'notifications/tools/list_changed');
    expect(server.got.at(-1)?.headers['mcp-session-id']).toBe('s-2');
  });

  it('is begun again, once for all, where the server says 400 for a session that it does not know', async () => {
    const sessions = ['s-1'];
    const { client, server } = await far((got, res) => {
      const { headers, message } = got;
      const isStale = headers['mcp-session-id'] !== undefined && headers['mcp-session-id'] !== sessions[0];
      const error = { code: -32_000, message: 'Bad Request: No valid session ID provided' };
      if (isStale) json(res, { jsonrpc: '2.0', error, id: null }, {}, 400);
      else if (message['method'] === 'initialize') usual(got, res, sessions);
      else usual(got, res);
    });
    await client.initialize();
    expect(await call(client, 'before')).toMatchObject({ result: done });
    sessions[0] = 's-2';
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((id) => call(client, id)));
    expect(answers).toMatchObject(answers.map(() => ({ result: done })));
    expect(server.seen.filter((line) => line === 'POST initialize')).toHaveLength(2);
    expect(server.got.at(-1)?.headers['mcp-session-id']).toBe('s-2');
  });

  it('is kept where 400 is about the request', async () => {
    const { client, server } = await far((got, res) => {
      const error = { code: -32_602, message: 'no' };
      if (isCall(got)) json(res, { jsonrpc: '2.0', error, id: null }, {}, 400);
      else usual(got, res);
    });
    await client.initialize();
    const answer = await call(client, 'refused');
    expect(answer).toMatchObject({ error: { code: -32_602, message: 'no' } });
    expect(server.seen.filter((line) => line === 'POST initialize')).toHaveLength(1);
    expect(server.seen.filter((line) => line === 'POST ping')).toHaveLength(1);
  });

  it('has in its place what clients asked of it: the resources that they watch, and the log level', async () => {
    let session = 's-1';
    const asked: string[] = [];
    const { client } = await far((got, res) => {
      const { headers, message, method } = got;
      const { method: name } = message;
      if (headers['mcp-session-id'] !== undefined && headers['mcp-session-id'] !== session)
        return res.writeHead(404).end();
      if (name === 'initialize') {
        const { result } = resultOf(got, {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
          serverInfo: { name: 'far', version: '1' },
        });
        return json(res, resultOf(got, result), { 'Mcp-Session-Id': session });
      }
      if (method === 'POST' && typeof name === 'string' && /subscribe|setLevel/.test(name)) {
        const params = message['params'] as { uri?: string; level?: string };
        asked.push(`${session} ${name} ${params.uri ?? params.level}`);
        return json(res, resultOf(got, {}));
      }
      return usual(got, res);
    });
    await client.initialize();
    await client.request(1, 'resources/subscribe', { uri: 'x://kept' });
    await client.request(2, 'resources/subscribe', { uri: 'x://left' });
    await client.request(3, 'resources/unsubscribe', { uri: 'x://left' });
    await client.request(4, 'logging/setLevel', { level: 'error' });
    session = 's-2';
    expect(await call(client)).toMatchObject({ result: done });
    expect(asked.filter((line) => line.startsWith('s-2'))).toEqual([
      's-2 resources/subscribe x://kept',
      's-2 logging/setLevel error',
    ]);
    // Of what a client may ask for there is no end; what is kept of it has one.
    await client.request(5, 'resources/subscribe', {
      uri: `x://${'l'.repeat(limits.remoteStandingCharsMax)}`,
    });
    const many = Array.from({ length: limits.remoteStandingMax + 5 }, (_, at) => `x://many/${at}`);
    await Promise.all(many.map((uri, at) => client.request(10 + at, 'resources/subscribe', { uri })));
    session = 's-3';
    expect(await call(client, 'again')).toMatchObject({ result: done });
    const again = asked.filter((line) => line.startsWith('s-3'));
    expect(again).toHaveLength(limits.remoteStandingMax);
    expect(again[0]).toBe('s-3 logging/setLevel error');
    expect(again.at(-1)).toBe(`s-3 resources/subscribe ${many.at(-1)}`);
  });

  it('is lost where the server begins no other', async () => {
    let isOver = false;
    const { client } = await far((got, res) => {
      if (isOver) res.writeHead(404).end();
      else usual(got, res);
    });
    await client.initialize();
    await call(client, 'before');
    isOver = true;
    expect(await call(client)).toMatchObject({
      error: { data: { code: 'upstream_http_status' }, message: 'The server "far" answered with HTTP 404.' },
    });
  });

  it('has no id that a header could not carry', async () => {
    const { client } = await far((got, res) => usual(got, res, ['a b']));
    expect(await client.initialize()).toMatchObject({
      error: { data: { code: 'upstream_answer_malformed' } },
    });
  });
});
