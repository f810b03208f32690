/**
 * The clients that Python's MCP servers are written with, as they are published: each believes the cell's authority, although
 * most bring a list of their own, and its key arrives.
 */
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, attackerManifest, KEY, openWorld, type World } from '../attacks/whole-world.ts';
import { createTurns } from '../catalog/turns.ts';
import { FIXTURES, makeOtherAuthority, runInCell } from './runtime-programs.ts';

const SETUP_MS = 120_000;
/** With the installation, which waits for the network, and for a turn. */
const CLIENT_MS = 6 * 60_000;
const turn = createTurns(2);
const PYTHON = '/usr/bin/python3';

const clients = [
  { package: 'pypi:requests==2.34.2', program: 'with_requests.py', sends: true },
  { package: 'pypi:httpx==0.28.1', program: 'with_httpx.py', sends: true },
  { package: 'pypi:aiohttp==3.14.5', program: 'with_aiohttp.py', sends: true },
  { package: 'pypi:httplib2==0.32.1', program: 'with_httplib2.py', sends: true },
  { package: 'pypi:grpcio==1.85.1', program: 'with_grpc.py', sends: false },
] as const;

let world: World;

beforeAll(async () => {
  // How this machine reaches its index differs from machine to machine.
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      /^(?:PIP_INDEX_URL|NODE_EXTRA_CA_CERTS|https?_proxy|no_proxy)$/i.test(name)
        ? [[name, value ?? '']]
        : [],
    ),
  );
  world = await openWorld({ env });
  const to = join(world.folder, 'servers/runtimes');
  cpSync(FIXTURES, to, { recursive: true });
  makeOtherAuthority(to);
  world.answer = ({ head }, socket) => {
    const body = `hello, ${/^GET \/(\S+)/.exec(head)?.[1]}`;
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  };
}, SETUP_MS);

afterAll(() => world?.close(), SETUP_MS);

describe.skipIf(!existsSync(PYTHON))(`a client of Python's, in a cell (waits for ${PYTHON})`, () => {
  it.concurrent.each(clients.map((client) => [client.package, client] as const))(
    '%s',
    async (_package, client) => {
      using _turn = await turn();
      const name = client.program.replace(/^with_|\.py$/g, '');
      const { server, ...manifest } = attackerManifest(world.folder, name);
      const own = { ...(server as object), package: client.package };
      await world.addServer({ ...manifest, server: own });
      const line = ['python', `/srv/runtimes/${client.program}`, `https://${API}/python-${name}`];
      const arrived = () => world.arrived.filter(({ head }) => head.startsWith(`GET /python-${name} `));

      // The control first: it does look who answers.
      const deceived = await runInCell(world, line, 'other authority', name);
      expect(deceived.code).not.toBe(0);
      expect(deceived.stdout).not.toContain('hello');
      expect(deceived.stderr).toMatch(/certificate|handshake/i);
      expect(arrived()).toEqual([]);

      const { code, stdout, stderr } = await runInCell(world, line, 'given', name);
      expect({ code, stdout, said: code === 0 ? '' : stderr }).toEqual({
        code: 0,
        stdout: client.sends ? `hello, python-${name}` : 'hello, python',
        said: '',
      });
      const keys = arrived().map(({ head }) => /^authorization: (.*)$/im.exec(head)?.[1]?.trim());
      expect(keys).toEqual(client.sends ? [`Bearer ${KEY}`] : []);
      await world.run('server', 'disable', name);
    },
    CLIENT_MS,
  );
});
