/**
 * `protocol: tcp` under attack: what is passed on unread must lead nowhere that a sealed key goes, to no name but the one
 * that was looked up, and carry no placeholder. The control is a connection that is right.
 */
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import { DATABASE, databaseRule, tcpUpstream } from '../egress/tcp-world.ts';
import {
  API,
  apiRule,
  bearer,
  call,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  type World,
  type WorldOptions,
} from '../egress/world.ts';

const BELOW = 'db.eu.test';

interface Received {
  text: string;
}

/** A database that answers each message with `pong`. */
async function withDatabase(
  body: (world: World, received: Received) => Promise<void>,
  options: WorldOptions = {},
  name = DATABASE,
): Promise<void> {
  const received = { text: '' };
  const upstream = await tcpUpstream((socket) => {
    socket.on('end', () => socket.end());
    socket.on('data', (data) => {
      received.text += data.toString('latin1');
      socket.write('pong');
    });
  });
  const upstreams = { [`${name}:5432`]: upstream };
  await inWorld({ rules: [apiRule(), databaseRule], upstreams, ...options }, (world) =>
    body(world, received),
  );
}

/** What comes back for some bytes until the connection ends, or the first answer. */
async function say(world: World, bytes: string | Buffer, name = DATABASE): Promise<string> {
  const socket = await world.connectTcp(name, 5432);
  socket.on('error', () => socket.destroy());
  socket.write(bytes);
  const answer = await new Promise<string>((resolve) => {
    socket.once('data', (data) => resolve(data.toString()));
    socket.once('close', () => resolve('cut'));
  });
  socket.destroy();
  return answer;
}

describe('a connection that is passed on unread', () => {
  it('control: gets through', async () => {
    await withDatabase(async (world, received) => {
      expect(await say(world, 'ping')).toBe('pong');
      expect(received.text).toBe('ping');
    });
  });

  it.each<[string, WorldOptions, string]>([
    [
      'to a host that a sealed credential goes to',
      { credentials: [bearer({ hosts: [API, DATABASE] })] },
      'egress_tcp_sealed',
    ],
    [
      'to a host under the wildcard of one, though it is bound to another port',
      {
        rules: [apiRule(), { ...databaseRule, host: 'db.eu.test' }],
        credentials: [bearer({ hosts: ['*.eu.test'], ports: [443] })],
      },
      'egress_tcp_sealed',
    ],
    [
      'while only tools run that may only read',
      { calls: [call({ readOnly: true })], tools: { rules: [], readOnly: 'enforce' } },
      'egress_read_only',
    ],
    [
      'while a tool runs that is for other hosts',
      {
        calls: [call()],
        tools: { rules: [{ tools: ['*'], hosts: [API], enforce: true }], readOnly: 'off' },
      },
      'egress_tool_denied',
    ],
    ['to an address that is not public', { allowNetworks: [] }, 'egress_upstream_address_refused'],
  ])('%s: refused, and an event', async (_name, options, code) => {
    const name = options.rules?.[1]?.host ?? DATABASE;
    await withDatabase(
      async (world, received) => {
        expect(await say(world, 'ping', name)).toBe('cut');
        expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
          code,
          scheme: 'tcp',
          host: name,
          port: 5432,
        });
        expect(received.text).toBe('');
      },
      options,
      name,
    );
  });

  it('to a bare address: refused, though the port is a declared one', async () => {
    await withDatabase(async (world, received) => {
      const socket = (await import('node:net')).connect(await world.listenerAt('127.88.0.9', 5432));
      socket.on('error', () => socket.destroy());
      socket.write('ping');
      await once(socket, 'close');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ address: '127.88.0.9' });
      expect(received.text).toBe('');
    });
  });

  it('where names have their true addresses, which others may share: refused', async () => {
    await withDatabase(
      async (world, received) => {
        /* The true address of the name is one of this machine: the listener of the cell can be there. */
        expect(await say(world, 'ping')).toBe('cut');
        expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
          code: 'egress_tcp_unnamed',
        });
        expect(received.text).toBe('');
      },
      { addresses: 'real', resolutions: { [DATABASE]: ['127.0.0.77'] } },
    );
  });

  it.each([
    ['before', false],
    ['after', true],
  ])(
    'is no way around a rule %s it that has requests of the same place inspected',
    async (_name, isReversed) => {
      const upstream = await httpsUpstream((_request, response) => response.end('ok'), BELOW);
      const said = [
        { host: BELOW, port: 443, protocol: 'https', methods: ['GET'] },
        { host: '*.eu.test', port: 443, protocol: 'tcp' },
      ] as const;
      const rules = isReversed ? said.toReversed() : said;
      const options = { rules, credentials: [], upstreams: { [`${BELOW}:443`]: upstream } };
      await inWorld(options, async (world) => {
        expect((await world.request({ host: BELOW })).status).toBe(200);
        const refused = await world.request({ host: BELOW, method: 'DELETE' });
        expect(errorOf(refused).code).toBe('egress_method_denied');
      });
    },
  );

  it('control: where tcp is all that is declared, TLS goes through to the upstream itself', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'), DATABASE);
    const rules = [{ host: DATABASE, port: 443, protocol: 'tcp' }] as const;
    const options = { rules, credentials: [], upstreams: { [`${DATABASE}:443`]: upstream } };
    await inWorld(options, async (world) => {
      const place = await world.placeOf(DATABASE, 443);
      const socket = connectTls({ ...place, servername: DATABASE, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      expect(socket.getPeerCertificate().issuer.CN).toBe('Test authority');
      socket.destroy();
    });
  });
});

describe('a placeholder in what leaves unread', () => {
  const quarter = Math.floor(PLACEHOLDER.length / 4);
  it.each<[string, readonly (string | Buffer)[]]>([
    ['as it is', [`password ${PLACEHOLDER}\0`]],
    ['in two pieces', [`password ${PLACEHOLDER.slice(0, quarter)}`, PLACEHOLDER.slice(quarter)]],
    ['in base64', [Buffer.from(`user:${PLACEHOLDER}:x`).toString('base64')]],
    ['in hex', [Buffer.from(PLACEHOLDER).toString('hex')]],
  ])('%s: cut, and an event', async (_name, pieces) => {
    await withDatabase(async (world, received) => {
      const socket = await world.connectTcp(DATABASE, 5432);
      socket.on('error', () => socket.destroy());
      socket.write('ping');
      await once(socket, 'data');
      const closed = once(socket, 'close');
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      socket.end();
      await closed;
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_misplaced',
        credential: 'TOKEN',
        scheme: 'tcp',
        host: DATABASE,
      });
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_misplaced',
      });
      /* One in disguise is certain only when what follows it has come; a placeholder is no secret. */
      expect(received.text).not.toContain(PLACEHOLDER);
    });
  });

  it('of another cell: an incident', async () => {
    await withDatabase(async (world, received) => {
      const placeholder = 'ghp_NEIGHBOURxJ7kQ2mV9pR4sT6wY8zB1cD3fG5';
      const neighbour = await world.egress.openCell({
        ...world.spec,
        identity: { ...world.spec.identity, cell: newId('cel', systemRandom) },
        credentials: [bearer({ placeholder })],
      });
      expect(await say(world, `x${placeholder}`)).toBe('cut');
      expect((await world.eventsOf('placeholder.foreign'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_foreign',
        scheme: 'tcp',
      });
      expect(received.text).toBe('');
      neighbour.close();
    });
  });
});
