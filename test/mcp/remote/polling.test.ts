/**
 * Servers elsewhere that end the stream of a call before they answer it (MCP 2025-11-25, "Sending Messages to the Server"):
 * their clients are to poll, and so are the gateway's.
 */
import type { ServerResponse } from 'node:http';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect, it } from 'vitest';
import { call, far, type Far } from './far.ts';
import { event, type Got, isCall, resultOf, stream, usual } from './stand-in.ts';

const HEADERS = {
  authorization: 'Bearer good.default',
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const ENDING = 'retry: 150\n\nid: e-0\ndata:\n\n';
const done = { content: [{ type: 'text', text: 'done' }] };

interface Polled extends Far {
  /** Has the server answer whoever comes back. */
  readonly release: () => void;
}

/** @param end how it ends the stream of a call @param asks a question of the server's own, before it answers */
async function polled(end: (res: ServerResponse) => void, asks?: object): Promise<Polled> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  let asked: Got | null = null;
  const made = await far((got, res) => {
    if (isCall(got)) {
      asked = got;
      stream(res);
      end(res);
    } else if (got.method === 'GET' && got.headers['last-event-id'] === 'e-0') {
      stream(res);
      void promise.then(async () => {
        if (asks !== undefined) {
          res.write(event(asks, 'e-1'));
          await answered.promise;
        }
        if (asked !== null) res.end(event(resultOf(asked, done), 'e-2'));
      });
    } else {
      if (got.message['id'] === 'q' && got.message['method'] === undefined) answered.resolve();
      usual(got, res);
    }
  });
  return { ...made, release: resolve };
}

const politely = (res: ServerResponse): void => void res.end(ENDING);
const cutOff = (res: ServerResponse): void => void res.write(ENDING, () => res.destroy());

async function newSession(
  { harness }: Far,
  version: string,
): Promise<(body: object | string) => Promise<Response>> {
  const url = `${harness.url}/mcp/default/far`;
  const post = (body: object, more = {}): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: { ...HEADERS, ...more },
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
    });
  const params = {
    protocolVersion: version,
    capabilities: { elicitation: {} },
    clientInfo: { name: 't', version: '1' },
  };
  const begun = await post({ id: 0, method: 'initialize', params });
  await begun.text();
  const session = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
  return (body) =>
    typeof body === 'string'
      ? fetch(url, { headers: { ...HEADERS, ...session, 'last-event-id': body } })
      : post(body, session);
}

/** Streams that the gateway opened: the server's own, and those that it went on with. */
const gets = ({ server }: Far): number => server.seen.filter((line) => line === 'GET').length;

const CALL = { id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } };

it('end the streams of clients that know of it, which come back for the answer', async () => {
  const made = await polled(politely);
  const ask = await newSession(made, '2025-11-25');
  const response = await ask(CALL);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  // To its end: the server has not answered yet.
  expect(await response.text()).toBe('id: 0-0\nretry: 1000\ndata: \n\nretry: 150\n\n');
  made.release();
  const rest = await (await ask('0-0')).text();
  expect(rest).toContain('id: 0-1');
  expect(rest).toContain('"text":"done"');
});

it('are gone back to as early as their client comes back', async () => {
  // Longer than any test may take.
  const made = await polled((res) => void res.end('retry: 60000\n\nid: e-0\ndata:\n\n'));
  const ask = await newSession(made, '2025-11-25');
  expect(await (await ask(CALL)).text()).toContain('retry: 60000');
  made.release();
  expect(gets(made)).toBe(1);
  expect(await (await ask('0-0')).text()).toContain('"text":"done"');
  expect(gets(made)).toBe(2);
});

it('leave those of older clients open', async () => {
  const made = await polled(politely);
  const ask = await newSession(made, '2025-06-18');
  const answer = ask(CALL);
  await expect.poll(() => gets(made), { timeout: 10_000 }).toBe(2);
  made.release();
  expect(await (await answer).json()).toMatchObject({ id: 1, result: done });
});

it('are gone on with by the gateway alone where it was the network that ended the stream', async () => {
  const made = await polled(cutOff);
  const ask = await newSession(made, '2025-11-25');
  const answer = ask(CALL);
  await expect.poll(() => gets(made), { timeout: 10_000 }).toBe(2);
  made.release();
  expect(await (await answer).json()).toMatchObject({ id: 1, result: done });
});

it('may ask a client that is about to come back', async () => {
  const params = { message: 'Sure?', requestedSchema: { type: 'object', properties: {} } };
  const question = { jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params };
  const made = await polled(politely, question);
  const ask = await newSession(made, '2025-11-25');
  await (await ask(CALL)).text();
  made.release();
  // The gateway is back before it.
  await expect.poll(() => gets(made), { timeout: 10_000 }).toBe(2);
  await (await ask({ id: 2, method: 'tools/list' })).text();
  const reader = (await ask('0-0')).body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const read = async (until: string): Promise<void> => {
    while (!text.includes(until)) {
      const piece = await reader?.read();
      if (piece?.done !== false) throw new Error(`the stream ended without ${until}: ${text}`);
      text += piece.value;
    }
  };
  await read('Sure?');
  const [, id] = /data: \{.*"id":(\d+)/.exec(text) ?? [];
  await ask({ id: Number(id), result: { action: 'decline' } });
  await read('"text":"done"');
  expect(made.server.got.find(({ message }) => message['id'] === 'q')?.message).toMatchObject({
    result: { action: 'decline' },
  });
});

it('are no matter to a client on lines', async () => {
  const made = await polled(politely);
  made.release();
  await made.client.initialize();
  expect(await call(made.client)).toMatchObject({ result: done });
});

it("have the SDK's client poll", async () => {
  const made = await polled(politely);
  made.release();
  const client = new Client({ name: 'sdk', version: '1' });
  const url = new URL(`${made.harness.url}/mcp/default/far`);
  const { authorization } = HEADERS;
  const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers: { authorization } } });
  await client.connect(transport);
  expect(await client.callTool({ name: 'echo', arguments: {} })).toMatchObject(done);
  await client.close();
});
