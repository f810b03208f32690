/**
 * Real servers, unmodified, in real cells behind a real gateway, against stand-ins for their APIs: the API gets the
 * real key where it belongs, and the key is nowhere else.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CallToolResult, Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CatalogServer } from './catalog-server.ts';
import { commandLineOf, descendantsOf, environmentOf, memoryOf } from './cell-processes.ts';
import { type GatewayProcess, startGateway } from './gateway-process.ts';
import { inventKey } from './invent-key.ts';
import { arrivalFaults } from './key-arrival.ts';
import { manifestOf, manifestPath } from './manifests.ts';
import { filesWithTraces, type Needle, needlesOf, tracesIn } from './secret-traces.ts';
import { catalogServers } from './servers.ts';
import { type StandIn, startStandIn } from './stand-in.ts';
import { createTurns } from './turns.ts';

/** Generous: they only end what would never end. The servers' one includes the wait for a turn. */
const SETUP_MS = 4 * 60_000;
const SERVERS_MS = 12 * 60_000;
/** Installing waits for the network, and who has no key yet may take its 30 s to say nothing; running is for the processor. */
const turn = createTurns(3);

interface Prepared {
  readonly server: CatalogServer;
  readonly key: string;
  readonly needles: readonly Needle[];
  readonly standIn: StandIn;
}

interface Outcome {
  readonly tools: readonly string[];
  readonly result: CallToolResult;
  /** All that the client was told, as JSON. */
  readonly everything: string;
}

const prepared = new Map<string, Prepared>();
let gateway: GatewayProcess;
let token = '';

beforeAll(async () => {
  const dialled = new Map<string, StandIn>();
  for (const server of catalogServers) {
    const standIn = await startStandIn(server.routes);
    for (const { host } of server.routes) dialled.set(`${host}:443`, standIn);
    const key = inventKey(server.keyShape);
    const needles = needlesOf(key, server.keyShape.split('{', 1)[0]);
    prepared.set(server.name, { server, key, needles, standIn });
  }
  gateway = await startGateway(dialled);
  const created = await command(['token', 'create', '--agent', 'catalog-test', '--json']);
  ({ token } = JSON.parse(created) as { token: string });
}, SETUP_MS);

afterAll(async () => {
  await gateway?.stop();
  for (const { standIn } of prepared.values()) await standIn.close();
}, SETUP_MS);

describe('a server of the catalog, in a cell', () => {
  it.concurrent.each(catalogServers.map((server) => [server.name, server] as const))(
    '%s: the API gets the real key, and nothing on the untrusted side does',
    async (name, server) => {
      using _turn = await turn();
      const one = preparedFor(name);
      await addToGateway(one);
      const { tools, result, everything } = await callThroughGateway(one);
      expect(one.standIn.requests.filter((request) => !request.known)).toEqual([]);
      expect(everything).toContain(server.resultShows);
      expect(result.isError ?? false).toBe(false);
      expect(tools).toContain(server.call.tool);
      expect(tracesIn(Buffer.from(everything), one.needles)).toEqual([]);
      expect(arrivalFaults(one.standIn.requests, server.arrivals, one.key)).toEqual([]);
      expectSealed(one);
      await command(['server', 'disable', name]);
    },
    SERVERS_MS,
  );

  it(
    'leaves no trace of any key in the home folder, the logs and the audit log, which names every use',
    async () => {
      const needles = [...prepared.values()].flatMap((one) => [...one.needles]);
      const audit = await command(['audit', 'export']);
      expect(tracesIn(Buffer.from(audit), needles)).toEqual([]);
      expect(tracesIn(Buffer.from(gateway.output()), needles)).toEqual([]);
      for (const { name } of catalogServers) {
        expect(tracesIn(Buffer.from(await command(['server', 'logs', name])), needles)).toEqual([]);
        expect(audit).toMatch(new RegExp(`"type":"credential\\.used"[^\\n]*"server":"${name}"`));
      }
      expect(filesWithTraces(gateway.home, needles)).toEqual([]);
      await command(['audit', 'verify']);
    },
    SERVERS_MS,
  );

  it('would have found one: a planted key is seen', () => {
    const [one] = prepared.values();
    writeFileSync(join(gateway.home, 'planted'), `x${Buffer.from(`ab${one?.key}`).toString('base64')}`);
    expect(filesWithTraces(gateway.home, one?.needles ?? [])).toEqual(['planted']);
  });
});

/** Runs a command that has to succeed. @returns its standard output */
async function command(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await gateway.command(args, input);
  expect({ args, code, said: code === 0 ? '' : stdout + stderr }).toEqual({ args, code: 0, said: '' });
  return stdout;
}

async function addToGateway({ server, key }: Prepared): Promise<void> {
  const source = server.manifest === undefined ? server.name : manifestPath(server);
  const settings = Object.entries(server.settings ?? {}).flatMap(([name, value]) => [
    '--env',
    `${name}=${value}`,
  ]);
  await command(['server', 'add', source, ...settings]);
  await command(['secret', 'set', server.name, server.credential, '--stdin'], key);
}

/** Lists the tools and calls one, as an MCP client over HTTP. */
async function callThroughGateway({ server }: Prepared): Promise<Outcome> {
  const client = new Client({ name: 'catalog-test', version: '1.0.0' });
  const endpoint = new URL(`${gateway.url}/mcp/default/${server.name}`);
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(endpoint, { requestInit: { headers } }));
  try {
    const { tools } = await client.listTools();
    const result = await client.callTool({
      name: server.call.tool,
      arguments: { ...server.call.arguments },
    });
    return {
      tools: tools.map((tool) => tool.name),
      result,
      everything: JSON.stringify([tools, result]),
    };
  } finally {
    await client.close();
  }
}

/** The server's processes hold a placeholder where the key would be, and no trace of the key. */
function expectSealed({ server, key, needles }: Prepared): void {
  const [slot] = manifestOf(server).credentials;
  const variable = slot?.env ?? '';
  const inside = descendantsOf(gateway.pid).flatMap((pid) => {
    const environment = environmentOf(pid);
    return environment === null ? [] : [{ pid, environment }];
  });
  for (const { pid, environment } of inside) {
    const words = Buffer.concat([Buffer.from([...environment].join('\n')), commandLineOf(pid)]);
    expect(tracesIn(words, needles)).toEqual([]);
  }
  const holders = inside.filter(({ environment }) => environment.has(variable));
  expect(holders).not.toEqual([]);
  const wholeKey = needlesOf(key, key);
  for (const { pid, environment } of holders) {
    const placeholder = environment.get(variable) ?? '';
    expect(placeholder).toMatch(server.placeholder);
    let placeholderSeen = false;
    for (const piece of memoryOf(pid)) {
      placeholderSeen ||= piece.includes(placeholder);
      expect(tracesIn(piece, wholeKey)).toEqual([]);
    }
    expect(placeholderSeen).toBe(true);
  }
}

function preparedFor(name: string): Prepared {
  const found = prepared.get(name);
  if (found === undefined) throw new Error(`${name} was not prepared`);
  return found;
}
