/** The columns of the matrix: a client of one era, at one transport and endpoint, before a server of one era. */
import { resolve } from 'node:path';
import { duplexPair } from 'node:stream';
import {
  Client,
  type ElicitRequest,
  type ElicitResult,
  StreamableHTTPClientTransport,
  type Transport,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import type { CellId } from '../../../src/kernel/index.ts';
import { directTarget, type Era } from '../../conformance/targets.ts';
import { type Harness, principal, startHarness } from '../harness.ts';
import { transportTo } from '../remote/stand-in.ts';

const EVERYTHING = resolve(import.meta.dirname, '../../conformance/everything/stdio.ts');

export const CLIENTS = {
  'a client with a session': 'legacy',
  'a client without a session': { pin: '2026-07-28' },
} as const;

/** How a client reaches the server; `directly` is the control: no gateway, and eras that fit. */
export type Way =
  | 'HTTP, one server'
  | 'HTTP, a profile'
  | 'stdio, one server'
  | 'HTTP, a search'
  | 'stdio, a search'
  | 'directly';
export const WAYS: readonly Way[] = ['HTTP, one server', 'HTTP, a profile', 'stdio, one server', 'directly'];
/** Every tool is called through `call_tool`. */
export const SEARCHES: readonly Way[] = ['HTTP, a search', 'stdio, a search'];

class SearchingClient extends Client {
  override callTool(...[params, options]: Parameters<Client['callTool']>): ReturnType<Client['callTool']> {
    const given = { name: params.name, arguments: params.arguments ?? {} };
    return super.callTool({ ...params, name: 'call_tool', arguments: given }, options);
  }
}

/** One connected client, and what it was told and asked. */
export interface Seat {
  readonly client: Client;
  readonly stateless: boolean;
  /** A tool's or a prompt's name as this client sees it. */
  readonly name: (own: string) => string;
  readonly notified: { readonly method: string; readonly params: unknown }[];
  /** Lists that it was told to ask for again. */
  readonly changes: string[];
  /** What users were asked. */
  readonly elicited: ElicitRequest['params'][];
  close(): Promise<void>;
}

/** A front with the everything server of one era behind it. */
export interface World {
  readonly harness: Harness;
  close(): Promise<void>;
}

/** The server on stdio. */
export async function besideWorld(era: Era): Promise<World> {
  const profile = { it: { command: [EVERYTHING, era], tools: '*' } } as const;
  const harness = await startHarness(
    { default: profile, search: profile },
    { searchProfiles: ['search'], approved: { it: [] } },
  );
  return { harness, close: () => harness.close() };
}

/** The server over Streamable HTTP. */
export async function remoteWorld(era: Era): Promise<World> {
  const server = await directTarget(era);
  const transport = (cell: CellId) => transportTo(server.url, cell);
  const harness = await startHarness({ default: { it: { command: [], transport, tools: '*' } } });
  return {
    harness,
    async close() {
      await harness.close();
      await server.close();
    },
  };
}

export async function takeSeat(
  harness: Harness,
  era: Era,
  mode: (typeof CLIENTS)[keyof typeof CLIENTS],
  way: Way,
): Promise<Seat> {
  const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
  const isSearch = SEARCHES.includes(way);
  const client = new (isSearch ? SearchingClient : Client)(
    { name: 'matrix', version: '1.0.0' },
    {
      capabilities,
      versionNegotiation: { mode },
      listChanged: {
        tools: { autoRefresh: false, debounceMs: 0, onChanged: () => void seat.changes.push('tools') },
      },
    },
  );
  const { transport, hangUp } = transportFor(harness, era, way);
  const seat: Seat = {
    client,
    stateless: mode !== 'legacy',
    name: (own) => (way === 'HTTP, a profile' || isSearch ? `it__${own}` : own),
    notified: [],
    changes: [],
    elicited: [],
    async close() {
      await client.close();
      hangUp();
    },
  };
  client.setRequestHandler('sampling/createMessage', ({ params }) => ({
    role: 'assistant',
    model: 'none',
    content: { type: 'text', text: `sampled ${JSON.stringify(params.messages[0]?.content)}` },
  }));
  client.setRequestHandler('elicitation/create', ({ params }): ElicitResult => {
    seat.elicited.push(params);
    if (params.mode === 'url') return { action: 'accept' };
    const wanted = Object.entries(params.requestedSchema.properties);
    return { action: 'accept', content: Object.fromEntries(wanted.map(([key]) => [key, `my ${key}`])) };
  });
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///work', name: 'work' }] }));
  for (const method of ['notifications/message', 'notifications/resources/updated'] as const)
    client.setNotificationHandler(method, ({ params }) => void seat.notified.push({ method, params }));
  await client.connect(transport);
  return seat;
}

function transportFor(
  harness: Harness,
  era: Era,
  way: Way,
): { readonly transport: Transport; readonly hangUp: () => void } {
  const hangUp = (): void => undefined;
  if (way === 'directly') {
    const command = { command: process.execPath, args: [EVERYTHING, era] };
    return { transport: new StdioClientTransport(command), hangUp };
  }
  const profile = SEARCHES.includes(way) ? 'search' : 'default';
  const isOfOne = way === 'HTTP, one server' || way === 'stdio, one server';
  if (way.startsWith('HTTP')) {
    const url = new URL(`${harness.url}/mcp/${profile}${isOfOne ? '/it' : ''}`);
    const headers = { authorization: `Bearer good.${profile}` };
    return { transport: new StreamableHTTPClientTransport(url, { requestInit: { headers } }), hangUp };
  }
  const [mine, its] = duplexPair();
  const endpoint = { profile, ...(isOfOne ? { server: 'it' } : {}) };
  harness.front.connectStdio(its, principal('tok_1', profile), endpoint);
  // It only reads lines from one stream and writes them to another, which is all that is needed here.
  return { transport: new StdioServerTransport(mine, mine), hangUp: () => mine.end() };
}
