/**
 * A server that says a key or a card number where rules mask them, in every place that a client or its model may read, in both
 * eras on either side (ATTACKS 17, 19). The control is the same without the rule: then it arrives.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits, toWire } from '../../src/kernel/index.ts';
import { NO_RULES } from '../../src/policy/index.ts';
import { githubToken } from '../masking/support.ts';
import { fixture, type Harness, principal, startHarness, type TestClient } from '../mcp/harness.ts';
import { rulesOf } from '../policy/rules/asking.ts';

const CARD = '4111111111111111';
const KEY = 'io.modelcontextprotocol/';
const MASKED = rulesOf(
  'rules: [{ id: hide, match: { servers: leaking, tools: leak }, do: mask, mask: { detectors: [all] } },' +
    ' { id: read, match: { servers: leaking, resources: "*" }, do: mask, mask: { detectors: [all] } },' +
    ' { id: get, match: { servers: leaking, prompts: "*" }, do: mask, mask: { detectors: [all] } }]',
);
const RESULTS = [
  'text',
  'json in text',
  'structured',
  'embedded',
  'blob',
  'link title',
  'link description',
  'link uri',
  'meta',
  'block meta',
  'unknown member',
  'member name',
  'tool error',
  'error message',
  'error data',
  'progress',
  'log',
  'question',
];

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    default: {
      leaking: { command: fixture('leaking'), tools: '*' },
      dying: { command: fixture('leaking', 'dies', githubToken), tools: '*' },
      unlisted: { command: fixture('leaking', 'unlisted', githubToken), tools: '*' },
      modern: { command: fixture('leaking', 'modern'), tools: '*' },
    },
  });
});
afterAll(() => harness.close());

type Era = 'session' | 'stateless';

/** Everything that a client heard, what is encoded in it too. */
function heard({ lines }: TestClient): string {
  const all = lines.join('\n');
  const blobs = all.matchAll(/"blob":"([A-Za-z0-9+/=]+)"/g);
  return [all, ...[...blobs].map(([, blob = '']) => Buffer.from(blob, 'base64').toString())].join('\n');
}

async function ask(
  client: TestClient,
  { era, method, params }: { era: Era; method: string; params: object },
): Promise<void> {
  const _meta =
    era === 'session'
      ? { progressToken: 'p' }
      : {
          progressToken: 'p',
          [`${KEY}protocolVersion`]: '2026-07-28',
          [`${KEY}clientCapabilities`]: { elicitation: { form: {} } },
          [`${KEY}logLevel`]: 'debug',
        };
  client.send({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } });
  const line = await client.line(({ id, method: asked }) => id === 1 || asked === 'elicitation/create');
  const { id, method: asked } = JSON.parse(line) as { id: unknown; method?: string };
  if (asked === undefined) return;
  client.send({ jsonrpc: '2.0', id, result: { action: 'decline' } });
  await client.answer(1);
}

async function listener(era: Era, server: string, who = 'tok_1'): Promise<TestClient> {
  const client = harness.stdio(principal(who, 'default'), { profile: 'default', server });
  if (era === 'session') {
    await client.initialize({ elicitation: {} });
    await client.request('level', 'logging/setLevel', { level: 'debug' });
  }
  return client;
}

/** What a new client hears of one request. */
async function overheard(
  server: string,
  request: { era: Era; method: string; params: object },
): Promise<string> {
  const client = await listener(request.era, server);
  await ask(client, request);
  client.end();
  await client.closed;
  return heard(client);
}

const rulesFor = (server: string) =>
  server === 'leaking'
    ? MASKED
    : rulesOf(
        'rules: [{ id: hide, match: { servers: modern }, on: tool, do: mask, mask: { detectors: [all] } }]',
      );

describe.each<[string, Era]>([
  ['leaking', 'session'],
  ['leaking', 'stateless'],
  ['modern', 'session'],
  ['modern', 'stateless'],
])('the server %s, and a client that is %s', (server, era) => {
  it.each([
    ['a key', githubToken, RESULTS.concat('two blocks')],
    ['a card', CARD, RESULTS],
  ])('%s is heard nowhere', async (_, secret, places) => {
    const parts = [secret.slice(4, 4 + secret.length / 4), secret.slice(-secret.length / 4)];
    for (const place of places) {
      const request = { era, method: 'tools/call', params: { name: 'leak', arguments: { place, secret } } };
      harness.setRules(rulesFor(server));
      const said = await overheard(server, request);
      for (const part of parts) expect(said, place).not.toContain(part);
      harness.setRules(NO_RULES);
      const control = await overheard(server, request);
      for (const part of parts) expect(control, place).toContain(part);
    }
  });
});

it.each<[string, object]>([
  ['prompts/get', { name: 'leak', arguments: { secret: githubToken } }],
  ['resources/read', { uri: `a://${githubToken}` }],
  [
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'leak' }, argument: { name: 'secret', value: githubToken } },
  ],
])('an answer to %s', async (method, params) => {
  const request = { era: 'session', method, params } as const;
  harness.setRules(MASKED);
  const said = await overheard('leaking', request);
  expect(said).toContain('[masked:github-token]');
  harness.setRules(NO_RULES);
  expect(await overheard('leaking', request)).not.toContain('[masked:');
});

it('the last words of a server that stops', async () => {
  const params = { name: 'leak', arguments: { place: 'last words', secret: githubToken } };
  const request = { era: 'session', method: 'tools/call', params } as const;
  harness.setRules(MASKED);
  const said = await overheard('leaking', request);
  expect(said).toContain('upstream_exited');
  expect(said).toContain('[masked:github-token]');
  harness.setRules(NO_RULES);
  expect(await overheard('leaking', request)).toContain(githubToken);
});

it('the last words of a server that does not start', async () => {
  const call = async (): Promise<string> => {
    const asked = harness.front.callTool(principal('uid', null), null, 'dying', 'leak', '{}');
    const error: unknown = await asked.catch((thrown: unknown) => thrown);
    return JSON.stringify(toWire(error));
  };
  harness.setRules(
    rulesOf(
      'rules: [{ id: hide, match: { servers: dying }, on: tool, do: mask, mask: { detectors: [all] } }]',
    ),
  );
  expect(await call()).toContain('[masked:github-token]');
  harness.setRules(NO_RULES);
  expect(await call()).toContain(githubToken);
});

it.each(['tools/list', 'prompts/list', 'resources/list', 'tools/call'])(
  'why %s does not work',
  async (method) => {
    const params = method === 'tools/call' ? { name: 'leak', arguments: {} } : {};
    const request = { era: 'session', method, params } as const;
    harness.setRules(
      rulesOf(
        'rules: [{ id: hide, match: { servers: unlisted }, on: tool, do: mask, mask: { detectors: [all] } }]',
      ),
    );
    expect(await overheard('unlisted', request)).not.toContain(githubToken);
    harness.setRules(NO_RULES);
    expect(await overheard('unlisted', request)).toContain(githubToken);
  },
);

it.each(['text', 'structured', 'log', 'progress', 'question', 'error data'])(
  'of a size that another thread masks: %s, and in its order',
  async (place) => {
    const secret = `${'word '.repeat(limits.maskingApartCharsMin / 5)}${githubToken}`;
    const params = { name: 'leak', arguments: { place, secret } };
    const request = { era: 'session', method: 'tools/call', params } as const;
    harness.setRules(MASKED);
    const said = await overheard('leaking', request);
    expect(said).toContain('[masked:github-token]');
    expect(said).not.toContain(githubToken.slice(4, 20));
    const lines = said.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ id: 1 });
    harness.setRules(NO_RULES);
    expect(await overheard('leaking', request)).toContain(githubToken);
  },
);

it('is on record, without what it was', async () => {
  const params = { name: 'leak', arguments: { place: 'structured', secret: githubToken } };
  harness.setRules(MASKED);
  harness.audit.length = 0;
  await overheard('leaking', { era: 'session', method: 'tools/call', params });
  expect(harness.audit).toEqual([
    'started leaking leak',
    'masked leaking leak hide github-token /structuredContent/deep/0/value 1',
    'finished leaking leak ok',
  ]);
});
