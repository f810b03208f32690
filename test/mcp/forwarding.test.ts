/** What passes through stays as it was: bytes, numbers, unknown members, unknown methods, order. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

describe('forwarding at the endpoint of one server', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness({
      default: { echo: { command: fixture('echo') }, old: { command: fixture('old') } },
    });
  });
  afterAll(() => harness.close());

  const connect = async (server = 'echo') => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server });
    const hello = await client.initialize();
    return { client, hello };
  };

  it('shows the server as if there were no gateway', async () => {
    const { client, hello } = await connect();
    expect(hello).toMatchObject({
      result: {
        protocolVersion: '2025-11-25',
        serverInfo: { name: 'echo', 'x-build': 7 },
        capabilities: { 'x-capability': { a: 1 } },
        instructions: 'I am echo',
      },
    });
    client.end();
  });

  it('gives a client the older version that it asked for', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
    expect(await client.initialize({}, '2024-11-05')).toMatchObject({
      result: { protocolVersion: '2024-11-05' },
    });
    client.end();
  });

  it('starts a server of the first published version', async () => {
    const { client, hello } = await connect('old');
    expect(hello).toMatchObject({ result: { protocolVersion: '2025-11-25', serverInfo: { name: 'old' } } });
    expect(await client.request(1, 'tools/call', { name: 'hello' })).toMatchObject({
      result: { content: [{ text: 'hello' }] },
    });
    client.end();
  });

  it('keeps every byte of arguments and results but the id', async () => {
    const { client } = await connect();
    const rest =
      '"method":"tools/call","params":{"name":"echo","arguments":{"big":12345678901234567890,"f":1.0,"e":1e2},"x-p":[ 1 ]},"x-top":{"k":0.10}';
    client.send(`{"jsonrpc":"2.0","id":"a/1",${rest}}`);
    const line = await client.line((message) => message['id'] === 'a/1');
    expect(line).toContain('{"type":"x-new-content","n":12345678901234567890,"d":1.10}');
    expect(line).toContain('"x-envelope":1.0');
    expect(line.endsWith('"id":"a/1"}')).toBe(true);
    const arrived = (JSON.parse(line) as { result: { line: string } }).result.line;
    expect(arrived.replace(/"id":\d+/, '"id":0')).toBe(`{"jsonrpc":"2.0","id":0,${rest}}`);
    client.end();
  });

  it('keeps ids apart that a parser would confuse', async () => {
    const { client } = await connect();
    const ids = ['1', '"1"', '9007199254740993', '9007199254740992', '-1', '1.5', '"\\u0031"'];
    for (const id of ids) client.send(`{"jsonrpc":"2.0","id":${id},"method":"prompts/list"}`);
    const lines = await Promise.all(
      ids.map((id) =>
        client.line(() =>
          client.lines.some((line) => line.includes(`"id":${id}}`) || line.includes(`"id":${id},`)),
        ),
      ),
    );
    expect(lines).toHaveLength(ids.length);
    for (const id of ids) {
      const own = client.lines.filter((line) => line.includes(`"id":${id}}`) || line.includes(`"id":${id},`));
      expect(own, id).toHaveLength(1);
    }
    client.end();
  });

  it('keeps schema keywords and number forms of tool definitions', async () => {
    const { client } = await connect();
    client.send({ jsonrpc: '2.0', id: 2, method: 'tools/list' });
    const line = await client.line((message) => message['id'] === 2);
    expect(line).toContain('"x-unknown-keyword":{"a":[1.0,2.50]}');
    expect(line).toContain('"multipleOf":1e-3');
    expect(line).toContain('"x-list":9007199254740993');
    client.end();
  });

  it('forwards methods and notifications that it does not know', async () => {
    const { client } = await connect();
    expect(await client.request(3, 'x-vendor/method', { a: 1 })).toMatchObject({
      result: { echo: { method: 'x-vendor/method', params: { a: 1 } } },
    });
    client.send({ jsonrpc: '2.0', method: 'notifications/x-vendor', params: {} });
    const seen = await client.request(4, 'tools/call', { name: 'seen' });
    expect(JSON.stringify(seen)).toContain('notifications/x-vendor');
    client.end();
  });

  it("gives the server's own errors back whole", async () => {
    const { client } = await connect();
    client.send({ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'fail' } });
    const line = await client.line((message) => message['id'] === 5);
    expect(line).toBe(
      '{"jsonrpc":"2.0","id":5,"error":{"code":-32042,"message":"no","data":{"n":1.0},"x":1}}',
    );
    client.end();
  });

  it('answers ping itself and takes a message that is spread over white space', async () => {
    const { client } = await connect();
    expect(await client.request(6, 'ping')).toEqual({ jsonrpc: '2.0', id: 6, result: {} });
    client.send('  {"jsonrpc" : "2.0" ,\t"id":\t7, "method":"prompts/list" }  ');
    expect(await client.answer(7)).toMatchObject({ result: { prompts: [{ name: 'greet', 'x-p': 1 }] } });
    client.end();
  });

  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"', 'mcp_not_json', -32700],
    ['{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 'mcp_not_json', -32700],
    [
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"seen","name":"write"}}',
      'mcp_not_json',
      -32700,
    ],
    [
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(5000)}${']'.repeat(5000)}}}`,
      'mcp_not_json',
      -32700,
    ],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', 'mcp_not_a_message', -32600],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', 'mcp_not_a_message', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":7}', 'mcp_not_a_message', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 'mcp_not_a_message', -32600],
    ['{"jsonrpc":"2.0","id":1}', 'mcp_not_a_message', -32600],
    ['[]', 'mcp_not_a_message', -32600],
    ['"text"', 'mcp_not_a_message', -32600],
  ])('refuses %s', async (text, code, number) => {
    const { client } = await connect();
    const before = client.lines.length;
    client.send(text);
    const line = await client.line((message) => message['error'] !== undefined);
    expect(client.lines).toHaveLength(before + 1);
    expect(JSON.parse(line)).toMatchObject({ error: { code: number, data: { code } } });
    client.end();
  });

  it('refuses a line over the limit without keeping it, and reads the next', async () => {
    const { client } = await connect();
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let sent = 0; sent < 40; sent += 1) client.duplex.push(piece);
    client.send('');
    const line = await client.line((message) => message['error'] !== undefined);
    expect(JSON.parse(line)).toMatchObject({ id: null, error: { data: { code: 'mcp_message_too_large' } } });
    expect(await client.request(1, 'ping')).toMatchObject({ result: {} });
    client.end();
  });

  it('answers others while half a line is silent', async () => {
    const [{ client: half }, { client: whole }] = await Promise.all([connect(), connect()]);
    half.duplex.push('{"jsonrpc":"2.0","id":1,"meth');
    expect(await whole.request(1, 'prompts/list')).toMatchObject({ result: {} });
    half.send('od":"ping"}');
    expect(await half.answer(1)).toMatchObject({ result: {} });
    half.end();
    whole.end();
  });

  it('answers requests that came before the end of the input, then closes', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
    client.send({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {} },
    });
    client.send({ jsonrpc: '2.0', id: 2, method: 'prompts/list' });
    client.end();
    await client.closed;
    expect(client.lines.map((line) => (JSON.parse(line) as { id: number }).id).sort((a, b) => a - b)).toEqual(
      [1, 2],
    );
  });
});
