/** ATTACKS 3: DNS as a channel. The control is a listed name, which resolves to an address that connects. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { API, apiRule, inWorld, type World } from './world.ts';

/** A query as bytes: identifier 7, one question. */
function query(name: string, type: number): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  return Buffer.concat([
    Buffer.from('000701000001000000000000', 'hex'),
    ...labels,
    Buffer.of(0, 0, type, 0, 1),
  ]);
}

const codeOf = (answer: Buffer): number => (answer[3] ?? 0) & 0x0f;
const answersOf = (answer: Buffer): number => answer.readUInt16BE(6);

async function openTcp(world: World): Promise<Socket> {
  const server = createServer({ pauseOnConnect: true });
  world.cell.acceptDnsTcp(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.once('close', () => server.close());
  await once(socket, 'connect');
  return socket;
}

const framed = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]);

describe('the resolver of a cell', () => {
  it('answers for listed names with addresses of its own, the same ones each time', async () => {
    await inWorld({ rules: [apiRule(), apiRule({ host: '*.wild.test' })] }, async (world) => {
      const ipv4 = await world.resolver.resolve4(API);
      const ipv6 = await world.resolver.resolve6(API);
      expect(ipv4).toEqual(['127.77.0.1']);
      expect(ipv6).toEqual([expect.stringMatching(/^fd[0-9a-f]{2}:/)]);
      const wild = await world.resolver.resolve4('a.wild.test');
      expect(wild).not.toEqual(ipv4);
      expect([
        await world.resolver.resolve4(API),
        await world.resolver.resolve6(API),
        await world.resolver.resolve4('a.wild.test'),
      ]).toEqual([ipv4, ipv6, wild]);
    });
  });

  it('knows nothing else, asks nobody, and says so once per name', async () => {
    await inWorld({}, async (world) => {
      for (let round = 0; round < 20; round += 1) {
        await expect(world.resolver.resolve4('c2VjcmV0.attacker.test')).rejects.toMatchObject({
          code: 'ENOTFOUND',
        });
      }
      await expect(world.resolver.resolveTxt('attacker.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
      expect((await world.eventsOf('dns.refused', 2)).map(({ data }) => data['name'])).toEqual([
        'c2VjcmV0.attacker.test'.toLowerCase(),
        'attacker.test',
      ]);
    });
  });

  it('has no record but addresses for a listed name', async () => {
    await inWorld({}, async (world) => {
      for (const ask of ['resolveTxt', 'resolveMx', 'resolveNs'] as const) {
        await expect(world.resolver[ask](API)).rejects.toMatchObject({ code: 'ENODATA' });
      }
    });
  });

  it('keeps a flood of names from flooding the audit log', async () => {
    await inWorld({}, async (world) => {
      const names = Array.from({ length: 300 }, (_, index) => `data${index}.attacker.test`);
      const results = await Promise.allSettled(names.map((name) => world.resolver.resolve4(name)));
      expect(results.every(({ status }) => status === 'rejected')).toBe(true);
      expect(await world.eventsOf('dns.refused')).toHaveLength(limits.cellRefusalEventsMax);
    });
  });

  it('answers over TCP, several questions of a connection, in whatever pieces they come', async () => {
    await inWorld({}, async (world) => {
      const socket = await openTcp(world);
      const questions = Buffer.concat([
        framed(query(API, 1)),
        framed(query('evil.test', 1)),
        framed(query(API, 28)),
      ]);
      for (const byte of questions) socket.write(Buffer.of(byte));
      let received = Buffer.alloc(0);
      const messages: Buffer[] = [];
      while (messages.length < 3) {
        received = Buffer.concat([received, ((await once(socket, 'data')) as [Buffer])[0]]);
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const end = 2 + received.readUInt16BE(0);
          messages.push(received.subarray(2, end));
          received = received.subarray(end);
        }
      }
      expect(messages.map((message) => `${codeOf(message)}/${answersOf(message)}`)).toEqual(
        expect.arrayContaining(['0/1', '0/1', '3/0']),
      );
      socket.destroy();
    });
  });

  it('ends a TCP connection that announces more than a query can be', async () => {
    await inWorld({}, async (world) => {
      const socket = await openTcp(world);
      socket.write(Buffer.from('ffff00', 'hex'));
      await once(socket, 'close');
    });
  });

  it('gives true addresses where the manifest wants them, and knows the name behind each', async () => {
    const resolutions = { [API]: ['127.88.0.1', '127.88.0.2'] };
    await inWorld({ addresses: 'real', resolutions }, async (world) => {
      expect((await world.resolver.resolve4(API)).sort()).toEqual(['127.88.0.1', '127.88.0.2']);
      const socket = await world.connectTls(); // the handshake shows that the address was known
      socket.destroy();
      await expect(world.resolver.resolve4('other.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    });
    await inWorld({ addresses: 'real' }, async (world) => {
      await expect(world.resolver.resolve4(API)).rejects.toMatchObject({ code: 'ESERVFAIL' });
    });
  });
});
