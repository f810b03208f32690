/** Where the suite is pointed: at the everything server itself, or at it behind a gateway of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeHome } from '../e2e/harness.ts';
import { createTestAuthority } from '../egress/test-authority.ts';
import { openRelay } from './relay.ts';

/** The revisions that the everything server speaks. */
export type Era = 'both' | 'session' | 'stateless';

export interface Target {
  readonly url: string;
  close(): Promise<void>;
}

const EVERYTHING = resolve(import.meta.dirname, 'everything');
const PACKAGES = resolve(import.meta.dirname, '../../node_modules');
/** Under it the gateway finds the everything server elsewhere, with TLS. */
const ELSEWHERE = 'mcp.everything.example';

/** One that runs already is nobody's to end. @param url where; absent: one is started */
export async function directTarget(era: Era, url?: string): Promise<Target> {
  if (url !== undefined) return { url, close: () => Promise.resolve() };
  const child = spawn(process.execPath, [join(EVERYTHING, 'http.ts'), era], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { url: await firstLine(child), close: () => ended(child) };
}

/** The same, behind `/mcp/default/everything` of a gateway, over stdio in a cell. */
export const cellTarget = async (era: Era): Promise<Target> => behind(await everythingGateway(era));

/** The same, over Streamable HTTP with TLS, as a server that runs elsewhere. */
export async function remoteTarget(era: Era, url?: string): Promise<Target> {
  const server = await directTarget(era, url);
  const authority = createTestAuthority([ELSEWHERE]);
  const door = await openRelay(new URL(server.url), {
    tls: authority.issue(ELSEWHERE),
    headers: { host: 'localhost' },
  });
  const settings = `egress: { resolve: { "${ELSEWHERE}:443": "127.0.0.1:${door.port}" }, extraCa: [ ./upstream.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`;
  const home = makeHome(settings);
  await home.run('init');
  writeFileSync(join(home.path, 'upstream.pem'), authority.caPem);
  const gateway = await openGateway(home, async (run) => {
    await run('server', 'add', `https://${ELSEWHERE}/mcp`, '--name', 'everything');
    // Also those that do not say of themselves that they only read.
    await run('profile', 'set', 'default', '--server', 'everything:*');
  });
  const target = await behind(gateway);
  return {
    url: target.url,
    async close() {
      await target.close();
      await door.close();
      await server.close();
    },
  };
}

/** A gateway with a home of its own, its profile `default` with the everything server. */
export interface EverythingGateway {
  readonly url: string;
  readonly token: string;
  readonly home: string;
  close(): Promise<void>;
}

/** On stdio in a cell. */
export async function everythingGateway(era: Era): Promise<EverythingGateway> {
  const home = makeHome();
  await home.run('init');
  const file = join(home.path, 'everything.json');
  writeFileSync(file, JSON.stringify(everythingManifest(era)));
  return openGateway(home, (run) => run('server', 'add', file));
}

async function openGateway(
  home: ReturnType<typeof makeHome>,
  add: (run: (...words: string[]) => Promise<unknown>) => Promise<unknown>,
): Promise<EverythingGateway> {
  try {
    const gateway = await home.serve();
    await add((...words) => home.json(...words));
    const { token } = await home.json<{ token: string }>('token', 'create', '--profile', 'default');
    return {
      url: gateway.url,
      token,
      home: home.path,
      async close() {
        await gateway.stop();
        home.remove();
      },
    };
  } catch (error) {
    home.remove();
    throw error;
  }
}

/** The suite can send no token: a relay adds it to each request. */
async function behind(gateway: EverythingGateway): Promise<Target> {
  const door = await openRelay(new URL('/mcp/default/everything', gateway.url), {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  return {
    url: `http://127.0.0.1:${door.port}/mcp/default/everything`,
    async close() {
      await door.close();
      await gateway.close();
    },
  };
}

/** Without credentials and without a way out; with the packages that it is made of. */
const everythingManifest = (era: Era): object => ({
  schemaVersion: 2,
  name: 'everything',
  version: '1.0.0',
  server: {
    kind: 'sandboxed',
    command: ['node', '/srv/everything/stdio.ts', era],
    files: [
      { host: EVERYTHING, cell: '/srv/everything', write: false },
      { host: realpathSync(PACKAGES), cell: '/srv/node_modules', write: false },
    ],
  },
  egress: [],
  credentials: [],
});

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of stdout ?? []) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.trim();
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill();
  await gone;
}
