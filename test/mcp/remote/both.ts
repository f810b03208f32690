/** A front with one server elsewhere that serves clients with sessions and clients without, in ways that tests choose; closed after each test. */
import type { ServerResponse } from 'node:http';
import { afterEach, expect } from 'vitest';
import type { CellId } from '../../../src/kernel/index.ts';
import type { Definitions } from '../../../src/mcp/index.ts';
import { type Harness, type Parsed, principal, startHarness, type TestClient } from '../harness.ts';
import {
  event,
  type Got,
  json,
  resultOf,
  standIn,
  stream,
  type TestTransport,
  transportTo,
} from './stand-in.ts';

const VERSION = '2026-07-28';
const META = 'io.modelcontextprotocol/';
export const envelope = {
  [`${META}protocolVersion`]: VERSION,
  [`${META}clientInfo`]: { name: 'test', version: '1' },
  [`${META}clientCapabilities`]: {},
};
/** Calls of `wait` are not answered; in those of `log` it says something besides. */
export const TOOL = { name: 'echo', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } };

/** What a server shows in one of its eras. */
interface Shown {
  readonly tools: readonly object[];
  readonly uris: readonly string[];
}

/** What differs from a server that has the same for both, and a session for each who wants one. */
export interface Ways {
  readonly inSession?: Partial<Shown>;
  readonly without?: Partial<Shown>;
  /** Answers a handshake in another way. @returns whether it did */
  readonly greet?: (got: Got, res: ServerResponse) => boolean;
  /** Answers what asks for the revision of clients without. @returns whether it did, or will */
  readonly discover?: (answer: () => void) => boolean;
  /** Clients with sessions get the transport of revision 2024-11-05: the streams that it has opened. */
  readonly old?: ServerResponse[];
  /** What is agreed to; absent: everything. */
  readonly judge?: Definitions['judge'];
  readonly known?: 'session' | 'stateless';
  /** Sessions that it has ended. */
  readonly ended?: ReadonlySet<unknown>;
}

export interface Both {
  readonly harness: Harness;
  readonly url: string;
  readonly transport: () => TestTransport;
  /** Methods that reached the server, each with what says in which session. */
  readonly seen: () => readonly string[];
  readonly learned: string[];
  session(capabilities?: object, server?: string): Promise<TestClient>;
  stateless(server?: string): TestClient;
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const isWithout = ({ message }: Got): boolean =>
  (message['params'] as { _meta?: Parsed } | undefined)?._meta?.[`${META}protocolVersion`] === VERSION;

/** @returns what takes the answer to the stream; null: there is none to come */
function onStream(
  { method, path, message }: Got,
  res: ServerResponse,
  streams: ServerResponse[],
): ServerResponse | null {
  if (method === 'GET') {
    stream(res);
    streams.push(res);
    res.write('event: endpoint\ndata: /messages\n\n');
  } else res.writeHead(path === '/messages' ? 202 : 405).end();
  if (path !== '/messages' || message['id'] === undefined) return null;
  const said = { writeHead: () => said, end: (text = '') => streams.at(-1)?.write(event(text)) };
  return said as unknown as ServerResponse;
}

export async function both(ways: Ways = {}): Promise<Both> {
  let sessions = 0;
  const shown: Shown = { tools: [TOOL, { ...TOOL, name: 'wait' }, { ...TOOL, name: 'log' }], uris: [] };
  const answer = (got: Got, to: ServerResponse): unknown => {
    const { message, method, headers } = got;
    const without = isWithout(got);
    const res = ways.old === undefined || without ? to : onStream(got, to, ways.old);
    if (res === null) return undefined;
    const { tools, uris } = { ...shown, ...(without ? ways.without : ways.inSession) };
    const result = (value: object): void =>
      json(res, resultOf(got, without ? { resultType: 'complete', ...value } : value));
    if (ways.ended?.has(headers['mcp-session-id']) === true) return res.writeHead(404).end();
    if (method === 'DELETE') return res.writeHead(204).end();
    if (method === 'GET') return res.writeHead(405).end();
    if (message['id'] === undefined) return res.writeHead(202).end();
    switch (message['method']) {
      case 'initialize': {
        if (ways.greet?.(got, res) === true) return undefined;
        const capabilities = { tools: { listChanged: true }, resources: {} };
        const hello = {
          protocolVersion: '2025-11-25',
          capabilities,
          serverInfo: { name: 'both', version: '1' },
        };
        return json(res, resultOf(got, hello), { 'Mcp-Session-Id': `s-${(sessions += 1)}` });
      }
      case 'server/discover': {
        const tell = (): void =>
          result({
            supportedVersions: [VERSION],
            capabilities: { tools: {}, resources: {} },
            _meta: { [`${META}serverInfo`]: { name: 'both', version: '1' } },
          });
        return ways.discover?.(tell) === true ? undefined : tell();
      }
      case 'tools/list':
        return result({ tools });
      case 'resources/list':
        return result({ resources: uris.map((uri) => ({ uri, name: uri })) });
      case 'resources/templates/list':
        return result({ resourceTemplates: [] });
      case 'resources/read':
        return result({ contents: [{ uri: 'x://1', text: without ? 'without' : 'in a session' }] });
      default:
        if ((message['params'] as { name?: string } | undefined)?.name === 'wait') return undefined;
        if ((message['params'] as { name?: string } | undefined)?.name === 'log') {
          stream(res);
          const params = { level: 'info', data: 'what somebody asked for' };
          for (const method of ['message', 'tasks/status', 'tools/list_changed'])
            res.write(event({ jsonrpc: '2.0', method: `notifications/${method}`, params }));
          return res.end(event(resultOf(got, { content: [] })));
        }
        return result({ content: [{ type: 'text', text: String(headers['mcp-session-id'] ?? 'none') }] });
    }
  };
  const server = await standIn(answer, true);
  const transports: TestTransport[] = [];
  const learned: string[] = [];
  const transport = (cell: CellId): TestTransport => {
    const made = transportTo(server.url, cell);
    const era = { known: ways.known ?? null, learn: (spoken: string) => void learned.push(spoken) };
    transports.push(made);
    return Object.assign(made, { era });
  };
  const { judge } = ways;
  const harness = await startHarness(
    { default: { both: { command: [], tools: '*', transport } } },
    judge === undefined ? {} : { judge },
  );
  open.push({
    async close() {
      await harness.close();
      for (const one of transports) await one.close('the test is over');
      await server.close();
    },
  });
  const client = (of?: string): TestClient =>
    harness.stdio(principal('good', 'default'), {
      profile: 'default',
      ...(of === undefined ? {} : { server: of }),
    });
  return {
    harness,
    url: server.url,
    learned,
    transport: () => transports.at(-1) ?? expect.fail('nothing was opened'),
    seen: () =>
      server.got.map((got) => {
        const what = got.method === 'POST' ? String(got.message['method']) : got.method;
        return `${what} ${String(got.headers['mcp-session-id'] ?? (isWithout(got) ? 'without' : '-'))}`;
      }),
    async session(capabilities = {}, of = 'both') {
      const made = client(of === '' ? undefined : of);
      await made.initialize(capabilities);
      return made;
    },
    stateless: (of = 'both') => client(of === '' ? undefined : of),
  };
}

let ids = 0;
/** The session of the server's in which a call arrived there; `none`. */
export async function called(client: TestClient, more: object = {}, name = 'echo'): Promise<unknown> {
  const answer = await client.request((ids += 1), 'tools/call', { name, arguments: {}, ...more });
  const { result } = answer as { result?: { content?: readonly { text?: string }[] } };
  return result?.content?.[0]?.text ?? answer;
}
export const calledWithout = (client: TestClient): Promise<unknown> => called(client, { _meta: envelope });
