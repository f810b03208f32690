/** Where the suite is pointed: at the everything server itself, or at it behind a gateway of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join, resolve } from 'node:path';
import { makeHome } from '../e2e/harness.ts';

/** The revisions that the everything server speaks. */
export type Era = 'both' | 'session' | 'stateless';

export interface Target {
  readonly url: string;
  close(): Promise<void>;
}

const EVERYTHING = resolve(import.meta.dirname, 'everything');
const PACKAGES = resolve(import.meta.dirname, '../../node_modules');

export async function directTarget(era: Era): Promise<Target> {
  const child = spawn(process.execPath, [join(EVERYTHING, 'http.ts'), era], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { url: await firstLine(child), close: () => ended(child) };
}

/** The same, behind `/mcp/default/everything` of a gateway. */
export async function cellTarget(era: Era): Promise<Target> {
  const gateway = await everythingGateway(era);
  const door = await withToken(new URL('/mcp/default/everything', gateway.url), gateway.token);
  return {
    url: door.url,
    async close() {
      await door.close();
      await gateway.close();
    },
  };
}

/** A gateway with a home of its own, its profile `default` with the everything server on stdio in a cell. */
export interface EverythingGateway {
  readonly url: string;
  readonly token: string;
  readonly home: string;
  close(): Promise<void>;
}

export async function everythingGateway(era: Era): Promise<EverythingGateway> {
  const home = makeHome();
  try {
    await home.run('init');
    const gateway = await home.serve();
    const file = join(home.path, 'everything.json');
    writeFileSync(file, JSON.stringify(everythingManifest(era)));
    await home.json('server', 'add', file);
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

/** The suite can send no token: this adds it to each request and changes nothing else, not even `Host`. */
async function withToken(gateway: URL, token: string): Promise<Target> {
  const server = createServer((incoming, outgoing) => {
    const headers = [...incoming.rawHeaders, 'Authorization', `Bearer ${token}`];
    const forwarded = request(gateway, { method: incoming.method, headers, setHost: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      outgoing.flushHeaders();
      answer.on('error', () => outgoing.destroy());
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' ? bound?.port : 0;
  return {
    url: `http://127.0.0.1:${port}${gateway.pathname}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

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
