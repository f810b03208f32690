/**
 * ATTACKS 22 and 23 with everything real: servers of every bad kind in one profile with a good one, in cells and elsewhere, called at the
 * same time over real sockets. Each misdeed ends with its own call, the audit log says so, and who calls the good server sees
 * none of it. How fast that one stays is `npm run bench -- zoo`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { makeHome, type Served, waitFor } from '../e2e/harness.ts';
import { openRemoteZoo, REMOTE_ZOO } from './remote-zoo.ts';

const MIB = 1024 * 1024;
/** Of the gateway's resident memory while all of them do it; the one huge line alone is 100 MiB. */
const GROWTH_BYTES_MAX = 400 * MIB;

/** What a call of each comes to: an error's code, or the text of the answer. */
const ENDS: Readonly<Record<string, string>> = {
  'huge-line': 'upstream_answer_too_large',
  'answers-twice': 'first',
  'answers-others': 'mine',
  'dies-at-call': 'upstream_exited',
  'deep-json': 'upstream_answer_too_large',
  'duplicate-keys': 'proto',
  'lone-surrogates': '\ud800 and \udfff',
  'exits-at-start': 'upstream_exited',
  'endless-list': 'upstream_listing_endless',
  grows: 'grows',
  'remote-endless-line': 'upstream_answer_too_large',
  'remote-answers-others': 'mine',
  'remote-answers-twice': 'first',
  'remote-breaks-off': 'egress_upstream_closed',
  'remote-lies-of-coding': 'egress_upstream_closed',
  'remote-codes-often': 'egress_content_coding',
  'remote-goes-round': 'upstream_redirected',
  'remote-ends-sessions': 'upstream_http_status',
};
/** They never answer, within the time that a call may take. */
const SILENT = [
  'hangs-at-call',
  'half-a-line',
  'floods-notifications',
  'floods-garbage',
  'floods-stderr',
  'floods-questions',
  'ignores-cancellation',
  'hangs-at-list',
  'hangs-at-start',
  'remote-hangs',
  'remote-floods',
];

const remotes = await openRemoteZoo();
const home = makeHome(`egress: ${JSON.stringify({ ...remotes.egress, extraCa: ['./zoo.pem'] })}\n`);
let gateway: Served;
let client: ApiClient;
let token: string;

const manifestOf = (name: string): string =>
  JSON.stringify({
    schemaVersion: 2,
    name,
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      command: ['node', '/srv/zoo.mjs', name],
      files: [{ host: home.servers, cell: '/srv', write: false }],
    },
    egress: [],
    credentials: [],
    tools: { default: ['go', 'echo'] },
  });

beforeAll(async () => {
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'zoo.pem'), remotes.caPem);
  gateway = await home.serve();
  client = createClient(socketTransport(join(home.path, 'sallyport.sock')));
  // At the same time: those that hang are waited for when they are asked what they offer.
  await Promise.all(
    ['good', ...Object.keys(ENDS), ...SILENT].map((name) =>
      client.addServer(
        {
          source: `${name}.json`,
          manifest: REMOTE_ZOO.includes(name) ? remotes.manifestOf(name) : manifestOf(name),
        },
        () => undefined,
      ),
    ),
  );
  ({ token } = await client.createToken({ profile: 'default', agent: 'zoo' }));
}, 120_000);

afterAll(async () => {
  await gateway.stop();
  remotes.close();
  home.remove();
});

const VERSION = '2026-07-28';

interface Answer {
  readonly result?: {
    readonly content?: readonly { readonly text?: string }[];
    readonly tools?: readonly { readonly name: string }[];
  };
  readonly error?: { readonly data?: { readonly code?: string } };
}

/** One request that stands for itself, answered as JSON or as the last event of a stream. */
async function ask(path: string, method: string, given: object, signal?: AbortSignal): Promise<Answer> {
  const name = (given as { name?: string }).name;
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientInfo': { name: 'zoo', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
    progressToken: 'mine',
  };
  const answer = await fetch(`${gateway.url}/mcp/default${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': VERSION,
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'q', method, params: { ...given, _meta } }),
    ...(signal === undefined ? {} : { signal }),
  });
  const body = await answer.text();
  const events = body.split('\n').filter((line) => line.startsWith('data: {'));
  const text = answer.headers.get('content-type')?.includes('event-stream') ? events.at(-1)?.slice(6) : body;
  return JSON.parse(text ?? 'null') as Answer;
}

const go = (server: string, signal?: AbortSignal): Promise<Answer> =>
  ask(`/${server}`, 'tools/call', { name: 'go', arguments: { ms: 3_000 } }, signal);

const said = ({ result, error }: Answer): string =>
  error?.data?.code ?? result?.content?.[0]?.text ?? 'no text';

const rss = (): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.process.pid}/status`, 'utf8'))?.[1]) * 1024;

describe('servers that misbehave, all at once', () => {
  it('end nothing but their own calls', async () => {
    expect(said(await ask('/good', 'tools/call', { name: 'echo', arguments: { text: 'alone' } }))).toBe(
      'alone',
    );
    const before = rss();
    let most = 0;
    const given = new AbortController();
    const silent = SILENT.map((name) => go(name, given.signal).then(said, () => 'given up'));
    const listing = ask('', 'tools/list', {});
    let settled = false;
    const ends = Promise.all(
      Object.keys(ENDS).map(async (name) => [name, said(await go(name))] as const),
    ).finally(() => (settled = true));

    let calls = 0;
    while (!settled || calls < 200) {
      calls += 1;
      const text = `call ${calls}`;
      const answer = await ask('/good', 'tools/call', { name: 'echo', arguments: { text } });
      expect(answer).toMatchObject({
        jsonrpc: '2.0',
        id: 'q',
        result: { content: [{ type: 'text', text }] },
      });
      most = Math.max(most, rss());
    }
    expect(Object.fromEntries(await ends)).toEqual(ENDS);

    const names = (await listing).result?.tools?.map(({ name }) => name) ?? [];
    expect(names).toContain('good__echo');
    expect(names).toContain('floods-notifications__go');
    expect(
      names.filter((name) => /^(hangs-at-list|hangs-at-start|exits-at-start|endless-list)__/.test(name)),
    ).toEqual([]);

    given.abort();
    expect([...remotes.calls.keys()].sort(), 'control: each was called').toEqual([...REMOTE_ZOO].sort());
    expect(new Set(await Promise.all(silent))).toEqual(new Set(['given up']));
    expect(most - before).toBeLessThan(GROWTH_BYTES_MAX);
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted');
  });

  it('are in the audit log with what became of their calls', async () => {
    const finished = await waitFor(async () => {
      const { stdout } = await home.run('audit', 'export');
      const events = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; server?: string; data: Record<string, unknown> })
        .filter(({ type, server }) => type === 'call.finished' && server !== 'good');
      return events.length >= 23 ? events : null;
    });
    const outcomes = Object.fromEntries(
      finished.map(({ server, data }) => [server, data['code'] ?? data['outcome']]),
    );
    expect(outcomes).toMatchObject({
      'huge-line': 'upstream_answer_too_large',
      'dies-at-call': 'upstream_exited',
      'answers-twice': 'ok',
      'hangs-at-call': 'mcp_cancelled',
      'half-a-line': 'mcp_cancelled',
      'floods-notifications': 'mcp_cancelled',
      'ignores-cancellation': 'mcp_cancelled',
      'remote-hangs': 'mcp_cancelled',
      'remote-floods': 'mcp_cancelled',
      'remote-endless-line': 'upstream_answer_too_large',
    });
    expect((await home.run('audit', 'verify')).code).toBe(0);
  });

  it('would do so to whoever reads them directly', async () => {
    const heard = await directly('answers-twice', 400);
    expect(heard.split('\n').filter((line) => line.includes('"id":7'))).toHaveLength(3);
    expect((await directly('answers-others', 400)).match(/not yours/g)?.length).toBeGreaterThan(40);
    expect((await directly('floods-notifications', 400)).length).toBeGreaterThan(MIB);
    expect((await directly('half-a-line', 400)).endsWith('"resu')).toBe(true);
  });
});

/** What a server of the zoo writes after one call, without a gateway. */
async function directly(name: string, ms: number): Promise<string> {
  const child = spawn(process.execPath, [join(home.servers, 'zoo.mjs'), name], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let heard = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (heard += text));
  const params = { name: 'go', arguments: { ms } };
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params })}\n`);
  await waitFor(() => heard.length > 0);
  await waitFor(async () => {
    const before = heard.length;
    await new Promise((done) => setTimeout(done, 200));
    return heard.length === before;
  });
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  return heard;
}
