/** What each request of revision 2026-07-28 has to say of itself, over lines and over HTTP alike. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, principal, startHarness, type TestClient } from './harness.ts';

let harness: Harness;
let lines: TestClient;
beforeAll(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
  lines = harness.stdio(principal('good', 'default'), { profile: 'default', server: 'echo' });
});
afterAll(() => harness.close());

const key = (name: string): string => `io.modelcontextprotocol/${name}`;
const META = { [key('protocolVersion')]: '2026-07-28', [key('clientCapabilities')]: {} };
const HEADERS = {
  authorization: 'Bearer good.default',
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const post = (body: object, headers: Record<string, string>): Promise<Response> =>
  fetch(`${harness.url}/mcp/default/echo`, {
    method: 'POST',
    headers: { ...HEADERS, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...body }),
  });
const modern = (method: string): Record<string, string> => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
});

let id = 0;
describe.each([
  ['complete', META, undefined],
  ['complete, with a log level', { ...META, [key('logLevel')]: 'debug' }, undefined],
  ['without capabilities', { [key('protocolVersion')]: '2026-07-28' }, -32602],
  ['with capabilities that are none', { ...META, [key('clientCapabilities')]: [] }, -32602],
  ['with a log level that there is not', { ...META, [key('logLevel')]: 'loud' }, -32602],
  ['with a log level that is no text', { ...META, [key('logLevel')]: 3 }, -32602],
  ['of a revision that is not served', { ...META, [key('protocolVersion')]: '2030-01-01' }, -32022],
])('an envelope %s', (_what, _meta, code) => {
  it('over lines', async () => {
    id += 1;
    const answer = await lines.request(id, 'prompts/list', { _meta });
    expect((answer['error'] as { code: number } | undefined)?.code).toBe(code);
  });

  it('over HTTP', async () => {
    const response = await post({ id: 1, method: 'prompts/list', params: { _meta } }, modern('prompts/list'));
    const { error } = (await response.json()) as { error?: { code: number } };
    // What the SDK's classifier finds first has a code of its own where headers and body disagree.
    expect(error === undefined).toBe(code === undefined);
    expect(response.status).toBe(code === undefined ? 200 : 400);
  });
});
