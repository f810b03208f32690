/** ATTACKS 2 and 4: out of the cell through the network, and through the host's unix sockets. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileAddon,
  hasCompiler,
  hasPython,
  makeStage,
  type Mode,
  modes,
  needsCompiler,
  needsPython,
  type Outcomes,
  outcomes,
  python,
  runCell,
  runOutside,
  ways,
} from './cell-harness.ts';

const refusals: Readonly<Record<string, string>> = {
  'tcp v4 loopback': 'ECONNREFUSED',
  'tcp v4 own address': 'ECONNREFUSED',
  'tcp v6 loopback': 'ECONNREFUSED',
  'tcp v4-mapped': 'ECONNREFUSED',
  'tcp through the device': 'ECONNREFUSED',
  'udp v4': 'ECONNREFUSED',
  'udp v6': 'ECONNREFUSED',
  'icmp ping socket': 'EPROTONOSUPPORT',
  'icmp raw': 'EPROTONOSUPPORT',
  'raw tcp': 'EPROTONOSUPPORT',
  'raw v6': 'EPROTONOSUPPORT',
  mptcp: 'EPROTONOSUPPORT',
  sctp: 'EPROTONOSUPPORT',
  'sctp messages': 'EPROTONOSUPPORT',
  dccp: 'EPROTONOSUPPORT',
  udplite: 'EPROTONOSUPPORT',
  'packet socket': 'EAFNOSUPPORT',
  vsock: 'EAFNOSUPPORT',
  'kernel crypto (AF_ALG)': 'EAFNOSUPPORT',
  bluetooth: 'EAFNOSUPPORT',
  tipc: 'EAFNOSUPPORT',
  'netlink generic': 'EPROTONOSUPPORT',
  'netlink netfilter': 'EPROTONOSUPPORT',
  'netlink: add an address': 'EPERM',
  'netlink: add a route': 'EPERM',
  'netlink: add a link': 'EPERM',
  'netlink: set the link down': 'EPERM',
  'netlink: delete an address': 'EPERM',
  'netlink: delete the route': 'EPERM',
  'netlink: add a rule': 'EPERM',
  'netlink: give the link away': 'EPERM',
  'ioctl: set an address': 'EPERM',
  'ioctl: set the link down': 'EPERM',
  'option: mark': 'EPERM',
  'option: transparent': 'EPERM',
  'unix socket by path': 'ENOENT',
  'unix socket, abstract': 'ECONNREFUSED',
  'service by place': 'ENOENT',
  'service by variable: ssh-agent': 'ENOENT',
  'service by variable: Docker': 'ENOENT',
  'service by variable: D-Bus': 'ENOENT',
};

const stage = makeStage();
const servers: Server[] = [];
let udp: Socket;
/** Who came to the stranger on this machine. */
const visits: string[] = [];
let target = '';
/** Where services of a machine listen as a rule; the stranger stands in for each of them. */
const usual = [
  '/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/run/dbus/system_bus_socket',
  '/run/systemd/private',
  '/run/user/0/bus',
  '/run/user/1000/bus',
  '/run/user/1000/wayland-0',
  '/run/user/1000/gnupg/S.gpg-agent',
];
/** The environment of whoever starts a gateway at a desktop. */
let services: Readonly<Record<string, string>> = {};
/** Only root can put the stand-ins there, in a view of the file system that nobody else has. */
let places: { readonly prepare?: string } = {};

async function stranger(where: Parameters<Server['listen']>[0], name: string): Promise<Server> {
  const server = createServer((socket) => {
    visits.push(name);
    socket.on('error', () => undefined).end('outside');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(where, resolve));
  return server;
}

beforeAll(async () => {
  const tcp = await stranger({ port: 0, host: '::' }, 'tcp');
  const { port } = tcp.address() as AddressInfo; // a TCP listener has one
  const path = join(stage.folder, 'stranger.sock');
  await stranger({ path }, 'unix');
  chmodSync(path, 0o777);
  const abstract = `sallyport-test-${process.pid}`;
  await stranger({ path: `\0${abstract}` }, 'abstract');
  udp = createSocket({ type: 'udp6', ipv6Only: false });
  udp.on('message', (_message, from) => {
    visits.push('udp');
    udp.send('outside', from.port, from.address);
  });
  await new Promise<void>((resolve) => udp.bind(0, '::', resolve));
  const own = Object.values(networkInterfaces())
    .flat()
    .find((found) => found?.family === 'IPv4' && !found.internal);
  const address = own?.address ?? '127.0.0.2';
  target = JSON.stringify({ tcp: port, udp: udp.address().port, address, path, abstract, places: usual });
  services = {
    SSH_AUTH_SOCK: path,
    DOCKER_HOST: `unix://${path}`,
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${path}`,
  };
  if (process.getuid?.() === 0) {
    const make = usual.map((place) => `mkdir -p "${dirname(place)}"; ln -sf "${path}" "${place}"`);
    places = { prepare: ['mount -t tmpfs none /run', ...make].join('\n') };
  }
  if (hasCompiler) compileAddon(stage);
});
afterAll(() => {
  for (const server of servers) server.close();
  udp.close();
  stage.remove();
});

interface Language {
  readonly name: string;
  readonly available: boolean;
  readonly attempts: readonly string[];
  readonly probe: (probes: string) => readonly string[];
}

/** What Node has a module for; the rest takes system calls of one's own choice. */
const byModule = /^(tcp v|udp v|unix socket|service by)/;

const languages: readonly Language[] = [
  {
    name: `Python${needsPython}`,
    available: hasPython,
    attempts: Object.keys(refusals),
    probe: (probes) => [python, '-B', `${probes}/network.py`],
  },
  {
    name: `Node${needsCompiler}`,
    available: true,
    attempts: Object.keys(refusals).filter((name) => hasCompiler || byModule.test(name)),
    probe: (probes) => [
      probes === '/probes' ? 'node' : process.execPath,
      `${probes}/network.mjs`,
      hasCompiler ? `${probes}/syscall.node` : '',
    ],
  },
];

/** What a network administrator can do. Never tried on the machine itself. */
const isChange = (name: string): boolean => /^(netlink: |ioctl: |option: )/.test(name);

/** Root of a network of its own, which is set up as a cell's is. */
const ownNetwork = [
  '/usr/bin/unshare',
  '--user',
  '--map-root-user',
  '--net',
  '/bin/sh',
  '-c',
  'ip link set lo up; ip route add local default dev lo; exec "$@"',
  'sh',
];

describe.each(languages)('reaching the network from a cell, in $name', ({ available, attempts, probe }) => {
  let control: Outcomes = {};
  beforeAll(async () => {
    if (!available) return;
    const command = [...probe(stage.probes), target];
    const harmless = attempts.filter((name) => !isChange(name));
    const changes = attempts.filter(isChange);
    control = outcomes(await runOutside([...command, ...harmless], { env: services, ...places }));
    if (changes.length > 0) {
      const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
      const changed = await runOutside([...ownNetwork, ...command, ...changes], { env });
      control = { ...control, ...outcomes(changed) };
    }
  });

  describe.skipIf(!available).each(ways)('gateway as $way', ({ mode, prepared }) => {
    let inside: Outcomes = {};
    let arrived: readonly string[] = [];
    let visitsBefore = 0;
    beforeAll(async () => {
      visitsBefore = visits.length;
      const command = [...probe('/probes'), target];
      const report = await runCell(stage, mode, { command }, { env: services, prepared, ...places });
      inside = outcomes(report.stdout);
      arrived = report.arrived;
    });

    it('leaves no attempt of the probe out', () => {
      expect(Object.keys(inside).sort()).toEqual([...attempts].sort());
    });

    it.each(attempts)('refuses: %s', (attempt) => {
      expect(inside[attempt]).toBe(refusals[attempt]);
    });

    it.for(attempts)('control, works outside: %s', (attempt, { skip }) => {
      skip(
        control[attempt] !== 'ok',
        `this machine refuses it to everybody who runs the tests: ${control[attempt]}`,
      );
      expect(inside[attempt]).not.toBe(control[attempt]);
    });

    it('the stranger on the host was visited by the control, and not by the cell', () => {
      expect(visitsBefore).toBeGreaterThan(0);
      expect(visits.length).toBe(visitsBefore);
    });

    it('nothing reached the gateway either, since none of the ports was declared', () => {
      expect(arrived).toEqual([]);
    });
  });
});

describe('every port of an address', () => {
  const knock = async (mode: Mode, command: readonly string[]) => {
    const { stdout, arrived } = await runCell(stage, mode, { command: [...command, '1', '65535'] });
    return { open: JSON.parse(stdout) as Record<string, number[]>, arrived };
  };

  it.skipIf(!hasPython)(`control: a port of the host is found open${needsPython}`, async () => {
    const { tcp, udp: datagrams } = JSON.parse(target) as { tcp: number; udp: number };
    for (const [port, kind] of [
      [tcp, 'tcp'],
      [datagrams, 'udp'],
    ] as const) {
      const range = ['127.0.0.1', `${port}`, `${port}`];
      const stdout = await runOutside([python, '-B', `${stage.probes}/ports.py`, ...range]);
      expect((JSON.parse(stdout) as Record<string, number[]>)[kind]).toEqual([port]);
    }
  });

  it.skipIf(!hasPython).each(modes)(
    `is closed but for those declared, and names, from Python, gateway as %s${needsPython}`,
    async (mode) => {
      const { open, arrived } = await knock(mode, [python, '-B', '/probes/ports.py', '203.0.113.9']);
      expect(open).toEqual({ tcp: [53, 80, 443], udp: [53] });
      expect(arrived).toEqual(['dns knock', 'tcp 80 ::ffff:203.0.113.9', 'tcp 443 ::ffff:203.0.113.9']);
    },
  );

  it.each(modes)('is closed but for those declared, and names, from Node, gateway as %s', async (mode) => {
    const { open } = await knock(mode, ['node', '/probes/ports.mjs', '2001:db8::9']);
    expect(open).toEqual({ tcp: [53, 80, 443] });
  });
});

describe.each(modes)('every address leads to the gateway, gateway as %s', (mode) => {
  const connect = `
    const net = require('node:net'); const dgram = require('node:dgram');
    const tcp = (port, host) => new Promise((done) => {
      let text = '';
      net.connect(port, host).on('data', (b) => (text += b)).on('close', () => done(text)).on('error', (e) => done(e.code));
    });
    const udp = (type, host, port, waitMs = 30_000) => new Promise((done) => {
      const socket = dgram.createSocket(type).on('error', (e) => { socket.close(); done(e.code); });
      socket.on('message', (m) => { socket.close(); done(String(m)); });
      socket.connect(port, host, () => socket.send('query'));
      setTimeout(() => done('no answer'), waitMs).unref();
    });
    (async () => { console.log(JSON.stringify({
      v4: await tcp(443, '203.0.113.9'), v6: await tcp(443, '2001:db8::9'), mapped: await tcp(80, '::ffff:203.0.113.9'),
      loopback: await tcp(443, '127.0.0.1'), metadata: await tcp(80, '169.254.169.254'), undeclared: await tcp(8443, '203.0.113.9'),
      dns4: await udp('udp4', '8.8.8.8', 53), dns6: await udp('udp6', '2001:4860:4860::8888', 53, 2_000),
      quic: await udp('udp4', '203.0.113.9', 443), time: await udp('udp4', '203.0.113.9', 123),
    })); process.exit(); })();`;

  it('on declared ports, with the address that was wanted; any other port and UDP but DNS is refused', async () => {
    const { stdout, arrived } = await runCell(stage, mode, { command: ['node', '-e', connect] });
    expect(outcomes(stdout)).toEqual({
      v4: 'sallyport',
      v6: 'sallyport',
      mapped: 'sallyport',
      loopback: 'sallyport',
      metadata: 'sallyport',
      undeclared: 'ECONNREFUSED',
      dns4: 'sallyport',
      // It arrives; but the answer cannot bear the address that was asked, so the program does not take it for one.
      dns6: 'no answer',
      quic: 'ECONNREFUSED',
      time: 'ECONNREFUSED',
    });
    expect(arrived).toEqual([
      'tcp 443 ::ffff:203.0.113.9',
      'tcp 443 2001:db8::9',
      'tcp 80 ::ffff:203.0.113.9',
      'tcp 443 ::ffff:127.0.0.1',
      'tcp 80 ::ffff:169.254.169.254',
      'dns query',
      'dns query',
    ]);
  });
});
