/** ATTACKS 2 and 4: out of the cell through the network, and through the host's unix sockets. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  hasPython,
  makeStage,
  modes,
  needsPython,
  type Outcomes,
  outcomes,
  python,
  runCell,
  runOutside,
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
  'unix socket by path': 'ENOENT',
  'unix socket, abstract': 'ECONNREFUSED',
};

const stage = makeStage();
const servers: Server[] = [];
let udp: Socket;
/** Who came to the stranger on this machine. */
const visits: string[] = [];
let target = '';
let control: Outcomes = {};

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
  target = JSON.stringify({ tcp: port, udp: udp.address().port, address, path, abstract });
});
afterAll(() => {
  for (const server of servers) server.close();
  udp.close();
  stage.remove();
});

describe.skipIf(!hasPython)(`reaching the network from a cell${needsPython}`, () => {
  beforeAll(async () => {
    const probe = [python, '-B', `${stage.probes}/network.py`, target];
    // Changes to the network are tried in a namespace of the control's own, where it is root: never on the machine itself.
    const changes = Object.keys(refusals).filter((name) => name.startsWith('netlink: '));
    const harmless = Object.keys(refusals).filter((name) => !changes.includes(name));
    const here = outcomes(await runOutside([...probe, ...harmless]));
    const own = [
      '/usr/bin/unshare',
      '--user',
      '--map-root-user',
      '--net',
      '/bin/sh',
      '-c',
      'ip link set lo up; exec "$@"',
      'sh',
    ];
    control = {
      ...here,
      ...outcomes(
        await runOutside([...own, ...probe, ...changes], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }),
      ),
    };
  });

  describe.each(modes)('gateway as %s', (mode) => {
    let inside: Outcomes = {};
    let arrived: readonly string[] = [];
    let visitsBefore = 0;
    beforeAll(async () => {
      visitsBefore = visits.length;
      const report = await runCell(stage, mode, { command: [python, '-B', '/probes/network.py', target] });
      inside = outcomes(report.stdout);
      arrived = report.arrived;
    });

    it.each(Object.entries(refusals))('refuses: %s', (attempt, refusal) => {
      expect(inside[attempt]).toBe(refusal);
    });

    it.for(Object.keys(refusals))('control, works outside: %s', (attempt, { skip }) => {
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

describe.each(modes)('every address leads to the gateway, gateway as %s', (mode) => {
  const connect = `
    const net = require('node:net'); const dgram = require('node:dgram');
    const tcp = (port, host) => new Promise((done) => {
      let text = '';
      net.connect(port, host).on('data', (b) => (text += b)).on('close', () => done(text)).on('error', (e) => done(e.code));
    });
    const udp = (type, host, port) => new Promise((done) => {
      const socket = dgram.createSocket(type).on('error', (e) => { socket.close(); done(e.code); });
      socket.on('message', (m) => { socket.close(); done(String(m)); });
      socket.connect(port, host, () => socket.send('query'));
      setTimeout(() => done('no answer'), 500).unref();
    });
    (async () => { console.log(JSON.stringify({
      v4: await tcp(443, '203.0.113.9'), v6: await tcp(443, '2001:db8::9'), mapped: await tcp(80, '::ffff:203.0.113.9'),
      loopback: await tcp(443, '127.0.0.1'), metadata: await tcp(80, '169.254.169.254'), undeclared: await tcp(8443, '203.0.113.9'),
      dns4: await udp('udp4', '8.8.8.8', 53), dns6: await udp('udp6', '2001:4860:4860::8888', 53),
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
