/**
 * Programs in many languages, unmodified, in a cell of a whole gateway: each connects by name, believes the cell's authority
 * without being told how, and its key arrives. What a machine does not have is skipped, and says what it waits for.
 */
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, KEY, openWorld, type World } from '../attacks/whole-world.ts';
import { FIXTURES, makeOtherAuthority, runInCell, type Surroundings } from './runtime-programs.ts';

interface Runtime {
  readonly name: string;
  /** Program of this machine that has to be there. */
  readonly needs: string;
  /** Command line in the cell; the address of what to fetch is appended. */
  readonly command: readonly string[];
  /** Believes the system's authorities also where a program empties the environment of what it starts. */
  readonly bare: boolean;
}

const SETUP_MS = 180_000;
/** Java compiles the program first, on a machine that may be busy. */
const RUN_MS = 120_000;

const findOnPath = (name: string): string => {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  const found = [...folders, '/usr/local/go/bin']
    .map((folder) => join(folder, name))
    .find((path) => isProgram(path));
  return found === undefined ? name : realpathSync(found);
};
const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return path.startsWith('/');
  } catch {
    return false;
  }
};

/** Programs outside of `/usr` are not in a cell unless a manifest mounts their folder. */
const mounted = new Map<string, string>();
const visible = (program: string): string => {
  if (program.startsWith('/usr/') || !program.startsWith('/')) return program;
  const folder = `/tools/${mounted.size}`;
  mounted.set(dirname(program), folder);
  return `${folder}/${program.slice(dirname(program).length + 1)}`;
};

const go = findOnPath('go');
const [deno, bun, ruby] = [findOnPath('deno'), findOnPath('bun'), findOnPath('ruby')];
const javas = existsSync('/usr/lib/jvm')
  ? readdirSync('/usr/lib/jvm').map((name) => `/usr/lib/jvm/${name}`)
  : [];
const jdks = [
  ...new Set(javas.filter((home) => existsSync(`${home}/bin/javac`)).map((home) => realpathSync(home))),
];

const script = (name: string): string => `/srv/runtimes/${name}`;
const shell = (text: string): readonly string[] => ['/bin/sh', '-c', text, 'sh'];

const runtimes: readonly Runtime[] = [
  { name: 'Node, fetch', needs: process.execPath, command: ['node', script('fetch.mjs')], bare: false },
  { name: 'Node, node:https', needs: process.execPath, command: ['node', script('https.mjs')], bare: false },
  {
    name: 'Python, urllib',
    needs: '/usr/bin/python3',
    command: ['/usr/bin/python3', script('with_urllib.py')],
    bare: true,
  },
  { name: 'Go', needs: go, command: [script('go/fetch')], bare: true },
  ...(jdks.length === 0 ? ['/usr/lib/jvm'] : jdks).map((home) => ({
    name: `Java, ${home.slice(home.lastIndexOf('/') + 1)}`,
    needs: `${home}/bin/javac`,
    command: [`${home}/bin/java`, script('Fetch.java')],
    bare: false,
  })),
  {
    name: 'curl',
    needs: '/usr/bin/curl',
    command: shell('exec curl -sS -H "Authorization: Bearer $API_KEY" "$1"'),
    bare: true,
  },
  {
    name: 'git',
    needs: '/usr/bin/git',
    command: shell(
      'cd "$(mktemp -d)" && git -c http.extraHeader="Authorization: Bearer $API_KEY" clone -q "$1/work.git" work && cat work/answer',
    ),
    bare: true,
  },
  {
    name: 'openssl',
    needs: '/usr/bin/openssl',
    command: shell(
      `printf 'GET %s HTTP/1.1\\r\\nHost: ${API}\\r\\nAuthorization: Bearer %s\\r\\nConnection: close\\r\\n\\r\\n' "\${1#https://${API}}" "$API_KEY" | ` +
        `openssl s_client -quiet -verify_return_error -servername ${API} -connect ${API}:443`,
    ),
    bare: true,
  },
  { name: 'Ruby', needs: ruby, command: [visible(ruby), script('fetch.rb')], bare: true },
  { name: 'Deno', needs: deno, command: [visible(deno), 'run', '-A', script('fetch.mjs')], bare: false },
  { name: 'Bun', needs: bun, command: [visible(bun), script('fetch.mjs')], bare: false },
];

/** A repository as any web server hands it out, file by file. */
function makeRepository(folder: string): void {
  const git = (...args: readonly string[]): void => {
    const env = { PATH: '/usr/bin:/bin', HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
    execFileSync('/usr/bin/git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      cwd: folder,
      env,
    });
  };
  mkdirSync(folder);
  git('init', '-q');
  writeFileSync(join(folder, 'answer'), 'hello, git');
  git('add', 'answer');
  git('commit', '-q', '-m', 'answer');
  git('update-server-info');
}

let world: World;

beforeAll(async () => {
  world = await openWorld({
    manifest({ folder }) {
      const to = join(folder, 'servers/runtimes');
      cpSync(FIXTURES, to, { recursive: true });
      if (isProgram(go)) {
        const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod' };
        execFileSync(go, ['build', '-o', 'fetch', '.'], { cwd: join(to, 'go'), env, stdio: 'pipe' });
      }
      makeOtherAuthority(to);
      const files = [
        { host: join(folder, 'servers'), cell: '/srv', write: false },
        ...[...mounted].map(([host, cell]) => ({ host, cell, write: false })),
      ];
      return { server: { kind: 'sandboxed', command: ['node', '/srv/attacker.mjs'], files } };
    },
  });
  const repository = join(world.folder, 'repository');
  if (existsSync('/usr/bin/git')) makeRepository(repository);
  world.answer = ({ head }, socket) => {
    const [, path = '/'] = /^GET (\S+)/.exec(head) ?? [];
    const [, file] = /^\/git\/work\.git\/([^?]+)/.exec(path) ?? [];
    if (file === undefined) return reply(socket, '200 OK', Buffer.from(`hello, ${path.slice(1)}`));
    const kept = join(repository, '.git', file);
    return existsSync(kept)
      ? reply(socket, '200 OK', readFileSync(kept))
      : reply(socket, '404 Not Found', Buffer.alloc(0));
  };
}, SETUP_MS);

afterAll(() => world?.close(), SETUP_MS);

function reply(socket: Socket, status: string, body: Buffer): void {
  socket.write(`HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body);
}

describe.each(runtimes.map((runtime) => [runtime.name, runtime] as const))(
  '%s, in a cell',
  (name, { needs, command, bare }) => {
    const path = `/${/^\w+/.exec(name)?.[0]?.toLowerCase()}`;
    const line = [...command, `https://${API}${path}`];
    const answer = `hello, ${path.slice(1)}`;
    const missing = !isProgram(needs);
    const arrived = (): readonly string[] =>
      world.arrived.splice(0).flatMap(({ head }) => head.match(/^authorization: .*$/im)?.[0].slice(15) ?? []);

    const expectAnswer = async (surroundings: Surroundings): Promise<void> => {
      const { stdout, ...rest } = await runInCell(world, line, surroundings);
      // openssl shows the answer's head and framing besides.
      expect({ ...rest, said: stdout.includes(answer) ? answer : stdout }).toMatchObject({
        code: 0,
        said: answer,
      });
      expect(new Set(arrived())).toEqual(new Set([`Bearer ${KEY}`]));
    };

    it.skipIf(missing)(
      `believes the cell's authority, and its key arrives (waits for ${needs})`,
      () => expectAnswer('given'),
      RUN_MS,
    );

    it.skipIf(missing)(
      'believes no other: told of another authority it fails, and sends nothing',
      async () => {
        const { code, stdout, stderr } = await runInCell(world, line, 'other authority');
        expect(code).not.toBe(0);
        expect(stdout).not.toContain(answer);
        expect(stderr).toMatch(/certificate|issuer|verif|trust|PKIX|handshake/i);
        expect(arrived()).toEqual([]);
      },
      RUN_MS,
    );

    it.skipIf(missing || !bare)(
      'believes it also where nothing of the environment says so',
      () => expectAnswer('emptied'),
      RUN_MS,
    );
  },
);
