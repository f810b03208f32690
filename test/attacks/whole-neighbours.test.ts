/**
 * ATTACKS 1, 4, 5 with everything real: what a hostile server finds of the machine, of the gateway, and of another
 * server in the cell next to its own. Each attempt succeeds where it is allowed: that is its control.
 */
import { existsSync } from 'node:fs';
import * as net from 'node:net';
import { type AddressInfo, createServer, type Server, type TcpNetConnectOpts } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, attackerManifest, KEY, modes, openWorld, type World, type CellRequire } from './whole-world.ts';

const MARK = 'mark-of-the-gateway-4711';
const GREETING = 'hello from outside';

/** Connects and gives what is said, or the error's code. Also runs in the cell. */
function dial(to: { path?: string; host?: string; port?: number }, require: CellRequire): Promise<string> {
  const net = require('node:net');
  return new Promise((done) => {
    const socket = net.connect(to as TcpNetConnectOpts); // either a path, or a host and a port
    let heard = '';
    socket.on('data', (piece: Buffer) => (heard += piece.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'error'));
    socket.on('close', () => done(heard));
    socket.setTimeout(30_000, () => done('silence'));
    socket.write('GET / HTTP/1.0\r\n\r\n');
  });
}

/** Opens what a neighbour could be reached by: sockets, files, shared memory. Runs in the cell. */
async function settle(greeting: string, require: CellRequire): Promise<string> {
  const net = require('node:net');
  const fs = require('node:fs');
  for (const folder of ['/tmp', '/dev/shm', '/home/cell'])
    fs.writeFileSync(`${folder}/left-by-a-neighbour`, greeting);
  const listen = (where: object): Promise<unknown> =>
    new Promise((done) => net.createServer((socket) => socket.end(greeting)).listen(where, () => done(null)));
  await listen({ path: '\0sallyport-neighbour' });
  await listen({ path: '/tmp/neighbour.sock' });
  await listen({ host: '::', port: 9_999 });
  return process.env['API_KEY'] ?? '';
}

/** Everything that /proc shows of other processes, and where descriptors lead. Runs in the cell. */
function lookAround(_: null, require: CellRequire): { pids: number[]; seen: string; descriptors: string[] } {
  const fs = require('node:fs');
  const read = (path: string): string => {
    try {
      return fs.readFileSync(path, 'latin1');
    } catch (error) {
      return `${(error as NodeJS.ErrnoException).code}`;
    }
  };
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const files = ['environ', 'cmdline', 'status', 'mountinfo', 'maps'];
  const descriptors = pids.flatMap((pid) => {
    try {
      return fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return [];
    }
  });
  return {
    pids: pids.map(Number),
    seen: pids.flatMap((pid) => files.map((file) => read(`/proc/${pid}/${file}`))).join('\n'),
    descriptors,
  };
}

/** Tries to read or write each path. Runs in the cell. */
function touch(
  { read, write }: { read: string[]; write: string[] },
  require: CellRequire,
): Record<string, string> {
  const fs = require('node:fs');
  const attempt = (act: () => void): string => {
    try {
      act();
      return 'done';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'error';
    }
  };
  return Object.fromEntries([
    ...read.map((path) => [path, attempt(() => fs.closeSync(fs.openSync(path, 'r')))]),
    ...write.map((path) => [path, attempt(() => fs.writeFileSync(path, 'x'))]),
  ]) as Record<string, string>;
}

describe.each(modes)('a hostile server and what is around it, gateway as %s', (mode) => {
  let world: World;
  let service: Server;
  let abstract: Server;
  let theirs = '';
  beforeAll(async () => {
    world = await openWorld({ mode, env: { SALLYPORT_TEST_MARK: MARK } });
    world.answer = (_seen, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    await world.addServer(attackerManifest(world.folder, 'neighbour'));
    theirs = await world.inCell(settle, GREETING, 'neighbour');
    const greet = () => createServer((socket) => socket.on('error', () => undefined).end(GREETING));
    [service, abstract] = [greet(), greet()];
    await new Promise<void>((done) => service.listen(0, '127.0.0.1', done));
    await new Promise<void>((done) => abstract.listen('\0sallyport-host', done));
  });
  afterAll(async () => {
    service.close();
    abstract.close();
    await world.close();
  });
  const outside = (to: object): Promise<string> => dial(to, (() => net) as unknown as CellRequire); // all that `dial` asks for

  it('reaches no socket of its neighbour', async () => {
    for (const to of [
      { path: '\0sallyport-neighbour' },
      { path: '/tmp/neighbour.sock' },
      { host: '198.18.0.1', port: 9_999 },
    ]) {
      expect(await world.inCell(dial, to, 'neighbour'), 'the control').toBe(GREETING);
      expect(await world.inCell(dial, to)).toMatch(/^(ECONNREFUSED|ENOENT)$/);
    }
  });

  it('reaches no service of the machine, and not the gateway', async () => {
    const { port } = service.address() as AddressInfo; // a listening TCP server has an AddressInfo
    const gatewayPort = Number(new URL(world.url).port);
    for (const to of [{ path: '\0sallyport-host' }, { host: '127.0.0.1', port }]) {
      expect(await outside(to), 'the control').toBe(GREETING);
      expect(await world.inCell(dial, to)).toBe('ECONNREFUSED');
    }
    expect(await outside({ host: '127.0.0.1', port: gatewayPort }), 'the control').toMatch(/^HTTP/);
    for (const host of ['127.0.0.1', '::1', '0.0.0.0', '169.254.169.254'])
      expect(await world.inCell(dial, { host, port: gatewayPort })).toBe('ECONNREFUSED');
    for (const host of ['127.0.0.1', '::1', '169.254.169.254', '198.18.0.77'])
      expect(await world.inCell(dial, { host, port: 80 })).toMatch(/^HTTP\/1\.1 (400|403) /);
    await world.event(({ type, data }) => type === 'egress.refused' && data['port'] === 80);
    expect(await world.inCell(dial, { path: `${world.home}/sallyport.sock` })).toBe('ENOENT');
    expect(existsSync(`${world.home}/sallyport.sock`), 'the control').toBe(true);
  });

  it('cannot use a placeholder of its neighbour', async () => {
    const use = async ({ url, placeholder }: { url: string; placeholder: string }) => {
      const response = await fetch(url, { headers: { authorization: `Bearer ${placeholder}` } });
      return `${response.status} ${await response.text()}`;
    };
    const given = { url: `https://${API}/`, placeholder: theirs };
    expect(await world.inCell(use, given, 'neighbour'), 'the control').toBe('200 ok');
    expect(world.arrived.at(-1)?.head).toContain(KEY);
    const before = world.arrived.length;
    expect(await world.inCell(use, given)).toMatch(/^403 .*egress_placeholder_foreign/);
    expect(world.arrived.length).toBe(before);
    await world.event(({ type }) => type === 'placeholder.foreign');
  });

  it('finds nothing of others in /proc, and no descriptor that leads out', async () => {
    const own = await world.inCell(() => process.env['API_KEY'] ?? '', null);
    const { pids, seen, descriptors } = await world.inCell(lookAround, null);
    expect(seen, 'the control').toContain(own);
    expect(pids.length).toBeLessThan(6);
    for (const secret of [KEY, theirs, MARK, world.home, 'left-by-a-neighbour'])
      expect(seen).not.toContain(secret);
    /* Its own stdio, and what it can see anyway. */
    const harmless = /^\/(dev|proc|srv)\b|\.std(in|out|err)\.\S+ \(deleted\)$/;
    expect(descriptors.filter((path) => path.startsWith('/') && !harmless.test(path))).toEqual([]);
    const allowed = await world.inCell(touch, {
      read: ['/srv/attacker.mjs', '/etc/passwd'],
      write: ['/tmp/x', '/home/cell/x', '/dev/shm/x'],
    });
    expect(new Set(Object.values(allowed)), 'the control').toEqual(new Set(['done']));
    expect(
      (await world.inCell(touch, { read: ['/tmp/left-by-a-neighbour'], write: [] }, 'neighbour'))[
        '/tmp/left-by-a-neighbour'
      ],
    ).toBe('done');
  });

  it('kills nothing but itself', async () => {
    await world.inCell(() => {
      setTimeout(() => {
        for (const pid of [1, -1, process.ppid]) {
          try {
            process.kill(pid, 'SIGKILL');
          } catch {
            // not there, or not ours
          }
        }
        process.exit(0);
      }, 50);
    }, null);
    await world.event(({ type }) => type === 'cell.exited');
    expect((await fetch(`${world.url}/healthz`)).status).toBe(200);
    expect(await world.inCell(() => 'alive', null, 'neighbour')).toBe('alive');
    expect(world.gateway.exitCode).toBe(null);
  });

  it('has it in an audit log that verifies and shows no key', async () => {
    const text = await world.exported();
    expect(text).toContain('"placeholder.foreign"');
    expect(text).not.toContain(KEY);
    expect(world.log()).not.toContain(KEY);
  });
});
