// The twin of `network.py`, from Node: what Node has a module for, by it; the rest by system calls of a native part, where
// the first argument names the compiled `syscall-addon.c`. Then the same arguments.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { constants } from 'node:os';

const [addon, json, ...wanted] = process.argv.slice(2);
const target = JSON.parse(json);
const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
const refused = (code) => Object.assign(new Error(code), { code });
const expectStranger = (text) => {
  if (text !== 'outside') throw new Error(`somebody else answered: ${text}`);
};

const stream = (where) => () =>
  new Promise((done, fail) => {
    let text = '';
    connect(where)
      .setTimeout(5_000, () => fail(refused('ETIMEDOUT')))
      .on('data', (bytes) => (text += bytes))
      .on('error', fail)
      .on('close', () => done(text));
  }).then(expectStranger);

const datagram = (type, address) => () =>
  new Promise((done, fail) => {
    const socket = createSocket(type);
    const end = (settle) => (value) => {
      socket.close();
      settle(value);
    };
    const late = setTimeout(() => end(fail)(refused('ETIMEDOUT')), 2_000);
    socket.on('error', end(fail)).on('message', (bytes) => {
      clearTimeout(late);
      end(done)(String(bytes));
    });
    socket.connect(target.udp, address, () => socket.send('hello'));
  }).then(expectStranger);

const named = (variable) => async () => {
  const value = process.env[variable];
  if (value === undefined) throw refused('ENOENT');
  await stream({ path: value.split('=').at(-1).split('://').at(-1) })();
};

async function anyPlace() {
  for (const path of target.places) {
    try {
      return await stream({ path })();
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  throw refused('ENOENT');
}

const attempts = {
  'tcp v4 loopback': stream({ host: '127.0.0.1', port: target.tcp }),
  'tcp v4 own address': stream({ host: target.address, port: target.tcp }),
  'tcp v6 loopback': stream({ host: '::1', port: target.tcp }),
  'tcp v4-mapped': stream({ host: '::ffff:127.0.0.1', port: target.tcp }),
  'udp v4': datagram('udp4', '127.0.0.1'),
  'udp v6': datagram('udp6', '::1'),
  'unix socket by path': stream({ path: target.path }),
  'unix socket, abstract': stream({ path: `\0${target.abstract}` }),
  'service by place': anyPlace,
  'service by variable: ssh-agent': named('SSH_AUTH_SOCK'),
  'service by variable: Docker': named('DOCKER_HOST'),
  'service by variable: D-Bus': named('DBUS_SESSION_BUS_ADDRESS'),
};

/** System calls, x86-64 and arm64. */
const numbers = {
  close: [3, 57],
  connect: [42, 203],
  ioctl: [16, 29],
  recvfrom: [45, 207],
  sendto: [44, 206],
  setsockopt: [54, 208],
  socket: [41, 198],
};
const [INET, INET6, NETLINK, STREAM, DGRAM, RAW, SEQPACKET] = [2, 10, 16, 1, 2, 3, 5];

function nativeAttempts(here) {
  const call = (name, ...values) => {
    const result = here(numbers[name][process.arch === 'arm64' ? 1 : 0], ...values);
    if (result < 0) throw refused(names.get(-result) ?? String(result));
    return result;
  };
  const withSocket = (family, type, protocol, use) => () => {
    const descriptor = call('socket', family, type, protocol);
    try {
      use?.(descriptor);
    } finally {
      call('close', descriptor);
    }
  };
  const bytes = (...values) => Buffer.from(values);
  const int32 = (...values) => Buffer.from(new Int32Array(values).buffer);
  const int16 = (...values) => Buffer.from(new Uint16Array(values).buffer);
  const attribute = (kind, value) => Buffer.concat([int16(4 + value.length, kind), value]);
  const netlink = (kind, flags, ...parts) =>
    withSocket(NETLINK, RAW, 0, (descriptor) => {
      const payload = Buffer.concat(parts);
      const message = Buffer.concat([
        int32(16 + payload.length),
        int16(kind, flags | 5),
        int32(1, 0),
        payload,
      ]);
      call('sendto', descriptor, message, message.length, 0, 0, 0);
      const answer = Buffer.alloc(8192);
      call('recvfrom', descriptor, answer, answer.length, 0, 0, 0);
      const code = answer.readUInt16LE(4) === 2 ? answer.readInt32LE(16) : 0;
      if (code !== 0) throw refused(names.get(-code) ?? String(code));
    });
  const change = (request, ...parts) =>
    withSocket(INET, DGRAM, 0, (descriptor) => {
      const asked = Buffer.concat([Buffer.from('lo'.padEnd(16, '\0')), ...parts, Buffer.alloc(24)]);
      call('ioctl', descriptor, request, asked);
    });
  const option = (level, name) =>
    withSocket(INET, STREAM, 0, (descriptor) => call('setsockopt', descriptor, level, name, int32(1), 4));
  const LO = int32(1);
  const link = (flags, mask) => Buffer.concat([int32(0), LO, int32(flags, mask)]);
  return {
    'tcp through the device': withSocket(INET, STREAM, 0, (descriptor) => {
      call('setsockopt', descriptor, 1, 25, Buffer.from('lo\0'), 3);
      const address = Buffer.alloc(16);
      address.writeUInt16LE(INET, 0);
      address.writeUInt16BE(target.tcp, 2);
      address.set([127, 0, 0, 1], 4);
      call('connect', descriptor, address, address.length);
    }),
    'icmp ping socket': withSocket(INET, DGRAM, 1),
    'icmp raw': withSocket(INET, RAW, 1),
    'raw tcp': withSocket(INET, RAW, 6),
    'raw v6': withSocket(INET6, RAW, 58),
    mptcp: withSocket(INET, STREAM, 262),
    sctp: withSocket(INET, STREAM, 132),
    'sctp messages': withSocket(INET, SEQPACKET, 132),
    dccp: withSocket(INET, 6, 33),
    udplite: withSocket(INET, DGRAM, 136),
    'packet socket': withSocket(17, RAW, 0x0300),
    vsock: withSocket(40, STREAM, 0),
    'kernel crypto (AF_ALG)': withSocket(38, SEQPACKET, 0),
    bluetooth: withSocket(31, RAW, 1),
    tipc: withSocket(30, 4, 0),
    'netlink generic': withSocket(NETLINK, RAW, 16),
    'netlink netfilter': withSocket(NETLINK, RAW, 12),
    'netlink: delete the route': netlink(
      25,
      0,
      bytes(INET, 0, 0, 0, 255, 0, 254, 2, 0, 0, 0, 0),
      attribute(4, LO),
    ),
    'netlink: add an address': netlink(
      20,
      0x600,
      bytes(INET, 32, 0, 0),
      LO,
      attribute(2, bytes(203, 0, 113, 7)),
    ),
    'netlink: delete an address': netlink(21, 0, bytes(INET, 8, 0, 0), LO, attribute(2, bytes(127, 0, 0, 1))),
    'netlink: add a route': netlink(
      24,
      0x600,
      bytes(INET, 24, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0),
      attribute(1, bytes(203, 0, 113, 0)),
      attribute(4, LO),
    ),
    'netlink: add a rule': netlink(32, 0x600, bytes(INET, 0, 0, 0, 253, 0, 0, 1, 0, 0, 0, 0)),
    'netlink: add a link': netlink(
      16,
      0x600,
      Buffer.alloc(16),
      attribute(3, Buffer.from('probe0\0\0')),
      attribute(18, attribute(1, Buffer.from('dummy\0\0\0'))),
    ),
    'netlink: set the link down': netlink(16, 0, link(0, 1)),
    'netlink: give the link away': netlink(16, 0, link(0, 0), attribute(19, int32(process.pid))),
    'ioctl: set an address': change(0x8916, int16(INET, 0), bytes(203, 0, 113, 7)),
    'ioctl: set the link down': change(0x8914),
    'option: mark': option(1, 36),
    'option: transparent': option(0, 19),
  };
}

if (addon !== '') {
  const native = { exports: {} };
  process.dlopen(native, addon);
  Object.assign(attempts, nativeAttempts(native.exports.here));
}

const outcomes = {};
for (const [name, attempt] of Object.entries(attempts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  try {
    await attempt();
    outcomes[name] = 'ok';
  } catch (error) {
    outcomes[name] = error.code ?? String(error);
  }
}
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
process.exit();
