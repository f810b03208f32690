/** What carries deliveries: posts, syslog and files, each with a receiver that takes, refuses, or goes away. */
import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { auditExports } from '../../src/main/config-exports.ts';
import { createExports, type Exports } from '../../src/main/delivery/exports.ts';
import { fileSender } from '../../src/main/delivery/file-sender.ts';
import { otlpSender, webhookSender } from '../../src/main/delivery/http-senders.ts';
import { syslogSender } from '../../src/main/delivery/syslog-sender.ts';
import { checkpoint, event, WORKSPACE } from '../delivery/events.ts';
import {
  type DeliveryWorld,
  fileSecrets,
  HOST,
  makeDeliveryWorld,
  portOf,
  tcpReceiver,
} from './delivery-world.ts';

const never = new AbortController().signal;
const batch = { id: 'batch-1', at: 0, events: [event(1), event(2)], checkpoints: [checkpoint(2)] };
const KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const AUTHORIZATION = 'Bearer collector-key-8hJ2kQ9mZ4pX7vW1';
const PATH_SECRET = 'XXXXsecretXXXXpart0123';

let world: DeliveryWorld;
const posting = () => ({
  way: world.way,
  secrets: fileSecrets(world.home.directory),
  clock: systemClock,
  version: '1',
});

describe('posts', () => {
  beforeEach(async () => {
    world = await makeDeliveryWorld();
  });
  afterEach(() => world.close());

  it('are signed over what arrives, and bring their key, which no log has and no answer gives back', async () => {
    world.secretFile('key', `${KEY}\n`);
    world.secretFile('authorization', AUTHORIZATION);
    let answered = '';
    world.answer = ({ headers }, response) => {
      answered = String(headers.authorization);
      response.setHeader('x-echo', answered).end(answered);
    };
    const settings = {
      name: 'siem',
      url: `https://${HOST}/events?team=a`,
      authorizationFile: 'authorization',
      secretFile: 'key',
    };
    expect(await webhookSender(posting(), settings).send(batch, never)).toEqual({ rejected: 0 });
    const [{ url, headers, body } = { url: '', headers: {}, body: Buffer.alloc(0) }] = world.received;
    expect([url, answered]).toEqual(['/events?team=a', AUTHORIZATION]);
    const signed = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.`;
    const mac = createHmac('sha256', Buffer.alloc(32, 7)).update(signed).update(body).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${mac}`);
    expect(headers['webhook-id']).toBe('batch-1');
    expect(JSON.parse(body.toString())).toMatchObject({ type: 'audit.batch', id: 'batch-1' });
    const log = await world.logged();
    expect(log).toContain('"name":"authorization"');
    expect(log).toContain('egress.masked'); // it was looked for, and found, in the answer
    expect(log).not.toContain('8hJ2kQ9mZ4pX7vW1');
  });

  it('go to an address of which the last part is a secret, which nobody else sees', async () => {
    world.secretFile('address', `https://${HOST}/services/T1/${PATH_SECRET}\n`);
    await webhookSender(posting(), { name: 'chat', urlFile: 'address' }).send(batch, never);
    expect(world.received.map(({ url }) => url)).toEqual([`/services/T1/${PATH_SECRET}`]);
    const log = await world.logged();
    expect(log).toContain('/services/T1/');
    expect(log).not.toContain(PATH_SECRET);
  });

  it.each<[string, string, string]>([
    ['no file', '', 'delivery_secret_unreadable'],
    ['nothing in it', ' \n', 'delivery_secret_unreadable'],
    ['no address', 'hooks', 'delivery_address_invalid'],
    ['no secret part', `https://${HOST}/a`, 'delivery_address_invalid'],
    ['a query', `https://${HOST}/services/abcdefghijk?x=1`, 'delivery_address_invalid'],
    ['a login', `https://u:p@${HOST}/services/abcdefghijk`, 'delivery_address_invalid'],
  ])('with %s in the file go nowhere', async (_what, text, code) => {
    if (text !== '') world.secretFile('address', text);
    const sent = webhookSender(posting(), { name: 'chat', urlFile: 'address' }).send(batch, never);
    await expect(sent).rejects.toMatchObject({ code });
    expect(world.received).toEqual([]);
  });

  it('use no secret that everybody may read', async () => {
    world.secretFile('key', KEY, 0o644);
    const settings = { name: 'siem', url: `https://${HOST}/`, secretFile: 'key' };
    await expect(webhookSender(posting(), settings).send(batch, never)).rejects.toMatchObject({
      code: 'delivery_secret_exposed',
    });
  });

  it.each<[number, Record<string, string>, object]>([
    [302, { location: 'https://elsewhere.example/' }, { code: 'delivery_refused', detail: { status: 302 } }],
    [401, {}, { code: 'delivery_refused', detail: { status: 401 } }],
    [413, {}, { code: 'delivery_too_large' }],
    [503, { 'retry-after': '7' }, { code: 'delivery_refused', detail: { retryAfterMs: 7_000 } }],
  ])('that are answered with %i were not taken', async (status, fields, error) => {
    world.answer = (_request, response) => response.writeHead(status, fields).end('no');
    const sent = webhookSender(posting(), { name: 'siem', url: `https://${HOST}/` }).send(batch, never);
    await expect(sent).rejects.toMatchObject(error);
    expect(world.received).toHaveLength(1);
  });

  it('that are cut off were not taken', async () => {
    world.answer = (_request, response) => response.destroy();
    const sent = webhookSender(posting(), { name: 'siem', url: `https://${HOST}/` }).send(batch, never);
    await expect(sent).rejects.toMatchObject({ code: 'egress_upstream_closed' });
  });

  it('of log records say how many the collector will never take', async () => {
    world.answer = (_request, response) => response.end('{"partialSuccess":{"rejectedLogRecords":"1"}}');
    const sender = otlpSender(posting(), { name: 'otel', url: `${world.plainUrl}/v1/logs` });
    expect(await sender.send(batch, never)).toEqual({ rejected: 1 });
    expect(world.received[0]?.url).toBe('/v1/logs');
  });
});

it('nothing is posted or sent into a special range that the owner did not allow', async () => {
  world = await makeDeliveryWorld({ allowNetworks: [] });
  const receiver = await tcpReceiver((socket) => void socket.resume().on('end', () => socket.end()));
  try {
    const ways = { egress: () => world.egress, origin: { host: 'h', pid: 1 }, clock: systemClock };
    const address = { host: '127.0.0.1', port: portOf(receiver) };
    for (const sender of [
      webhookSender(posting(), { name: 'siem', url: world.plainUrl }),
      syslogSender(ways, { address, transport: 'tcp' }),
      syslogSender(ways, { address, transport: 'udp' }),
    ])
      await expect(sender.send(batch, never)).rejects.toMatchObject({
        code: 'egress_upstream_address_refused',
      });
    expect(world.received).toEqual([]);
  } finally {
    receiver.close();
    await world.close();
  }
});

describe('syslog', () => {
  let receiver: Server | null = null;
  let taken: Buffer[];
  beforeEach(async () => {
    world = await makeDeliveryWorld();
    taken = [];
  });
  afterEach(async () => {
    receiver?.close();
    await world.close();
  });
  const sender = (port: number, transport: 'tls' | 'tcp' | 'udp' = 'tcp') =>
    syslogSender(
      { egress: () => world.egress, origin: { host: 'gw', pid: 1 }, clock: systemClock },
      { address: { host: '127.0.0.1', port }, transport },
    );

  it('over TCP was taken when the receiver has read all and closed its side', async () => {
    receiver = await tcpReceiver((socket) => {
      socket.on('data', (data) => taken.push(data));
      socket.on('end', () => socket.end());
    });
    const many = { ...batch, events: Array.from({ length: 400 }, (_, index) => event(index + 1)) };
    expect(await sender(portOf(receiver)).send(many, never)).toEqual({ rejected: 0 });
    const frames = framesIn(Buffer.concat(taken));
    expect(frames).toHaveLength(401);
    expect(frames[399]).toMatch(/^<110>1 \S+ gw sallyport 1 call\.started - \ufeff\{"sequence":400,/);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['goes away at once', (socket) => void socket.destroy()],
    ['ends before it was told to', (socket) => void socket.resume().end()],
    ['goes away after the first piece', (socket) => void socket.once('data', () => socket.destroy())],
    ['resets the connection', (socket) => void socket.once('data', () => socket.resetAndDestroy())],
    ['resets it at the end', (socket) => void socket.resume().once('end', () => socket.resetAndDestroy())],
  ])('over TCP was not taken when the receiver %s', async (_what, take) => {
    receiver = await tcpReceiver(take);
    const long = { ...batch, events: Array.from({ length: 500 }, (_, index) => event(index + 1)) };
    await expect(sender(portOf(receiver)).send(long, never)).rejects.toMatchObject({ code: 'delivery_cut' });
  });

  it('over TCP waits for a receiver no longer than it is told to', async () => {
    const arrived = Promise.withResolvers<void>();
    receiver = await tcpReceiver((socket) => void socket.resume().on('end', () => arrived.resolve()));
    const late = new AbortController();
    const sent = sender(portOf(receiver)).send(batch, late.signal);
    await arrived.promise;
    late.abort();
    await expect(sent).rejects.toMatchObject({ code: 'delivery_cut' });
  });

  it('over TLS goes to nobody who cannot prove the name', async () => {
    receiver = await tcpReceiver((socket) => void socket.on('data', () => socket.destroy()));
    await expect(sender(portOf(receiver), 'tls').send(batch, never)).rejects.toMatchObject({
      code: 'egress_upstream_tls',
    });
  });

  it('as datagrams is one for each', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.on('message', (message) => taken.push(message));
    await sender(socket.address().port, 'udp').send(batch, never);
    await expect.poll(() => taken.length, { timeout: 10_000 }).toBe(3);
    socket.close();
    expect(String(taken[1])).toContain('{"sequence":2,');
  });
});

function framesIn(bytes: Buffer): string[] {
  const frames: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString());
    frames.push(bytes.subarray(space + 1, space + 1 + length).toString());
    at = space + 1 + length;
  }
  return frames;
}

describe('a file', () => {
  beforeEach(async () => {
    world = await makeDeliveryWorld();
  });
  afterEach(() => world.close());

  it('is its owner’s, shows how far it goes, and loses half a line of a process that was killed', async () => {
    const path = join(world.home.directory, 'audit.jsonl');
    const sender = fileSender(path, WORKSPACE);
    expect(await sender.reached?.()).toBeNull();
    await sender.send(batch, never);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const whole = readFileSync(path, 'utf8');
    appendFileSync(path, '{"sequence":3,"at":17');
    expect(await sender.reached?.()).toEqual({ sequence: 2, checkpoint: 2 });
    expect(readFileSync(path, 'utf8')).toBe(whole);
    await sender.send({ ...batch, events: [event(3)], checkpoints: [] }, never);
    expect(await sender.reached?.()).toEqual({ sequence: 3, checkpoint: 2 });
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(5);
  });

  it('that cannot be written says so', async () => {
    const sender = fileSender(join(world.home.directory, 'nowhere', 'audit.jsonl'), WORKSPACE);
    await expect(sender.send(batch, never)).rejects.toMatchObject({
      code: 'delivery_file_failed',
      detail: { reason: 'ENOENT' },
    });
  });
});

describe('exports', () => {
  let exports: Exports;
  const make = (settings: readonly object[]): Exports => {
    const { home, way } = world;
    return createExports({
      ...home,
      home: home.directory,
      secrets: fileSecrets(home.directory),
      exports: auditExports.parse(settings),
      way,
      egress: () => world.egress,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
  };
  beforeEach(async () => {
    world = await makeDeliveryWorld();
  });
  afterEach(async () => {
    await exports.stop();
    await world.close();
  });
  const use = () =>
    world.home.audit.append({
      workspace: world.home.workspace,
      type: 'call.started',
      actor: { kind: 'local', id: '0' },
      data: {},
    });

  it('bring the whole log to a file and to a collector, and do not go on about themselves', async () => {
    for (let n = 0; n < 5; n += 1) await use();
    exports = make([
      { name: 'file', kind: 'jsonl', path: 'audit.jsonl' },
      { name: 'siem', kind: 'webhook', url: `${world.plainUrl}/` },
    ]);
    exports.start();
    await expect.poll(() => world.received.length, { timeout: 10_000 }).toBe(1);
    const [status] = (await exports.list()).filter(({ name }) => name === 'siem');
    expect(status).toMatchObject({ kind: 'webhook', required: false, failures: 0, code: null });
    await use();
    await expect.poll(() => world.received.length, { timeout: 10_000 }).toBe(2);
    const seen = world.received.flatMap(
      ({ body }) => (JSON.parse(body.toString()) as { data: { events: { sequence: number }[] } }).data.events,
    );
    expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, index) => index + 1));
    const file = (): string => readFileSync(join(world.home.directory, 'audit.jsonl'), 'utf8');
    await expect.poll(() => file().trim().split('\n').length, { timeout: 10_000 }).toBeGreaterThanOrEqual(6);
  });

  it('that are required stop calls while they are too far behind, and no longer', async () => {
    world.answer = (_request, response) => response.writeHead(503).end();
    const settings = {
      name: 'siem',
      kind: 'webhook',
      url: `${world.plainUrl}/`,
      required: true,
      lagEvents: 3,
    };
    for (let n = 0; n < 3; n += 1) await use();
    exports = make([{ ...settings, required: false }]);
    await use();
    await exports.admit(); // the control: what is not required stops nothing
    exports = make([settings]);
    await expect(exports.admit()).rejects.toMatchObject({ code: 'audit_export_behind', kind: 'unavailable' });
    exports.start();
    await expect
      .poll(async () => (await exports.list())[0]?.code, { timeout: 10_000 })
      .toBe('delivery_refused');
    world.answer = (_request, response) => response.end();
    await expect
      .poll(() => exports.admit().then(() => 'admitted', String), { timeout: 20_000 })
      .toBe('admitted');
    const types = await world.logged();
    expect(types).toContain('delivery.failed');
    expect(limits.deliveryLagGlanceMs).toBeLessThan(5_000);
  });

  it('wait while the kill switch is set, and go on afterwards', async () => {
    const { kills } = world.home.store;
    const kill = { scope: 'workspace', target: '', at: 1, by: 'local:0', reason: 'test' } as const;
    await use();
    await kills.set(world.home.workspace, kill);
    exports = make([
      { name: 'file', kind: 'jsonl', path: 'audit.jsonl' },
      { name: 'siem', kind: 'webhook', url: `${world.plainUrl}/` },
    ]);
    writeFileSync(join(world.home.directory, 'audit.jsonl'), '');
    exports.start();
    // The file is this machine's: by the time that it is there, the other would have been posted.
    await expect
      .poll(() => readFileSync(join(world.home.directory, 'audit.jsonl'), 'utf8'), { timeout: 10_000 })
      .toContain('call.started');
    expect(world.received).toEqual([]);
    await kills.lift(world.home.workspace, 'workspace', '');
    await expect.poll(() => world.received.length, { timeout: 10_000 }).toBe(1);
  });
});
