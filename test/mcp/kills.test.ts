/**
 * What is under way over HTTP when a kill switch is set: ended, whatever the revision and the kind of answer, and new calls
 * are refused; beside what the switch is not about, which goes on. At the moment at which a call was let in and is not
 * on its way yet, too.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { fixture, type Harness, principal, realMasks, startHarness } from './harness.ts';
import { InProcessServer } from './in-process.ts';

const PATH = '/mcp/default/echo';
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo'), tools: '*' } } });
});
afterEach(() => harness.close());

const post = (
  body: object,
  headers: Record<string, string>,
  address = harness.url + PATH,
): Promise<Response> =>
  fetch(address, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...body }),
  });

/** What a call of a tool comes to, as text; of a connection that was cut, nothing. */
type Call = (name: string) => Promise<string>;
const textOf = (answer: Promise<Response>): Promise<string> =>
  answer.then((response) => response.text()).catch(() => '');

async function session(token: string): Promise<Call> {
  const authorization = `Bearer ${token}.default`;
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const first = await post({ id: 0, method: 'initialize', params }, { authorization });
  await first.text();
  const named = {
    authorization,
    'mcp-session-id': first.headers.get('mcp-session-id') ?? '',
    'mcp-protocol-version': '2025-11-25',
  };
  await post({ method: 'notifications/initialized' }, named);
  let id = 0;
  return (name) =>
    textOf(post({ id: (id += 1), method: 'tools/call', params: { name, arguments: { label: 'w' } } }, named));
}

async function stateless(token: string, address?: string): Promise<Call> {
  return (name) =>
    textOf(
      post(
        { id: 1, method: 'tools/call', params: { name, arguments: { label: 'w' }, _meta: META } },
        {
          authorization: `Bearer ${token}.default`,
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': name,
        },
        address,
      ),
    );
}

const started = (): number => harness.audit.filter((line) => line.startsWith('started')).length;
const inFlight = (count: number) => expect.poll(started, { timeout: 10_000 }).toBe(count);

describe.each([
  ['with a session', session],
  ['without one', stateless],
])('a client %s', (_, open) => {
  it.each(['everything', 'echo', 'good'])('is cut off and refused by a switch for %s', async (target) => {
    const call = await open('good');
    expect(await call('echo')).toContain('"result"');
    const waits = call('wait');
    await inFlight(2);
    harness.kill(target);
    expect(await waits).not.toContain('"result"');
    expect(await call('echo')).not.toContain('"result"');
    expect(started()).toBe(2);
  });

  it('goes on under a switch for somebody else', async () => {
    const call = await open('good');
    let isOver = false;
    const waits = call('wait').finally(() => (isOver = true));
    await inFlight(1);
    harness.kill('other');
    harness.kill('another-server');
    expect(await call('echo')).toContain('"result"');
    expect(isOver).toBe(false);
    harness.kill('everything');
    expect(await waits).not.toContain('"result"');
  });
});

/** Whoever was let in just before is not on anybody's list of what is under way for a few turns of the microtask queue. */
it('a call that was let in some turns before the switch was set ends, whatever their number', async () => {
  const call = await stateless('good');
  expect(await call('echo')).toContain('"result"');
  for (let turns = 0; turns < 24; turns += 1) {
    harness.afterCheck = async () => {
      harness.afterCheck = null;
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      harness.kill('echo');
    };
    expect([turns, await call('wait')]).toEqual([turns, expect.stringContaining('kill_active')]);
    harness.resume('echo');
  }
});

describe.each([
  ['of one server', { server: 'echo' }, ''],
  ['of a whole profile', {}, 'echo__'],
])('what is asked for by name at the endpoint %s', (_, endpoint, prefix) => {
  it.each(['everything', 'echo'])('is on record when a switch for %s refuses it', async (target) => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', ...endpoint });
    await client.initialize();
    expect(await client.request(0, 'resources/list')).toMatchObject({ result: {} });
    const prompt = `${prefix}greet`;
    const requests = [
      ['prompts/get', { name: prompt }, 'prompt greet'],
      ['completion/complete', { ref: { type: 'ref/prompt', name: prompt }, argument: {} }, 'prompt greet'],
      ['resources/read', { uri: 'echo://one' }, 'resource echo://one'],
      ['resources/subscribe', { uri: 'echo://one' }, 'resource echo://one'],
      ['tools/call', { name: `${prefix}echo` }, 'echo'],
    ] as const;
    harness.kill(target);
    const answers: unknown[] = [];
    for (const [id, [method, params]] of requests.entries())
      answers.push(await client.request(id + 1, method, params));
    const lists = await client.request(100, 'prompts/list');
    for (const answer of answers) expect(answer).toMatchObject({ error: { data: { code: 'kill_active' } } });
    expect(harness.audit).toEqual(requests.map(([, , what]) => `refused echo ${what} kill_active`));
    expect(JSON.stringify(lists)).toContain('kill_active');
    harness.resume(target);
    const again = await client.request(200, 'resources/read', { uri: 'echo://one' });
    expect(again).toMatchObject({ result: {} });
  });
});

it('so is what no server is known to have', async () => {
  const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
  await client.initialize();
  harness.kill('everything');
  for (const [method, params] of [
    ['resources/read', { uri: 'what://ever' }],
    ['prompts/get', { name: 'other__greet' }],
  ] as const)
    expect(await client.request(method, method, params)).toMatchObject({
      error: { data: { code: 'kill_active' } },
    });
  expect(harness.audit).toEqual([
    'refused null resource what://ever kill_active',
    'refused null prompt other__greet kill_active',
  ]);
});

describe('an answer that waits for what its server said before it to be masked', () => {
  const said = 'word '.repeat(limits.maskingApartCharsMin / 5);
  let release: () => void;
  let other: Harness;
  beforeEach(async () => {
    const masks = realMasks();
    const { promise: held, resolve } = Promise.withResolvers<void>();
    release = resolve;
    const server: InProcessServer = new InProcessServer((method) => {
      if (method === 'tools/list') return { tools: [{ name: 'say', inputSchema: { type: 'object' } }] };
      server.send({ method: 'notifications/message', params: { level: 'info', data: said } });
      return { content: [{ type: 'text', text: 'the answer' }] };
    });
    other = await startHarness(
      { default: { here: server.server } },
      {
        masks: {
          ...masks,
          async maskersOf(...asked) {
            const { apart, ...maskers } = await masks.maskersOf(...asked);
            if (apart === undefined) throw new Error('nothing is masked elsewhere');
            return { ...maskers, apart: (message) => held.then(() => apart(message)) };
          },
        },
      },
    );
    const mask = '{ id: a, on: tool, do: mask, mask: { detectors: [secrets], strategy: hash } }';
    other.setRules(rulesOf(`rules: [${mask}]`));
  });
  afterEach(() => other.close());

  /** Calls, and does this once the answer is there. */
  async function answered(meanwhile: () => void): Promise<string> {
    const call = await stateless('good', `${other.url}/mcp/default/here`);
    const answer = call('say');
    await expect.poll(() => other.audit, { timeout: 10_000 }).toContain('finished here say ok');
    meanwhile();
    release();
    return answer;
  }

  it('is given, where nothing happens meanwhile', async () => {
    expect(await answered(() => undefined)).toContain('the answer');
  });

  it('is not, where a switch is set for its server: that is on record', async () => {
    const told = await answered(() => other.kill('here'));
    expect(told).not.toContain('the answer');
    expect(told).toContain('kill_active');
    expect(other.audit.at(-1)).toBe('refused here say kill_active');
  });

  it('is not, where its token ends', async () => {
    const told = await answered(() => other.endToken('good'));
    expect(told).not.toContain('the answer');
    expect(told).toContain('token_ended');
  });
});
