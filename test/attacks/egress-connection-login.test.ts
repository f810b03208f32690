/**
 * ATTACKS 10: a login that holds for a connection (NTLM, Negotiate) makes whoever sends on it next the one who logged
 * in. The control is the client itself, whose login goes on working.
 */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createServer, type AddressInfo } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import { API, httpsUpstream, inWorld, type World } from '../egress/world.ts';

const LOGIN = 'Authorization: NTLM TlRMTVNTUAADAAAA\r\n';

/** A server that, like IIS, takes a connection for who logged in on it. */
const windowsServer = () => {
  const users = new WeakMap<object, string>();
  return httpsUpstream((request, response) => {
    if (request.headers.authorization?.startsWith('NTLM ') === true) users.set(request.socket, 'admin');
    response.end(`you are ${users.get(request.socket) ?? 'nobody'}.`);
  });
};

async function ask(client: TLSSocket, fields = ''): Promise<string> {
  client.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n${fields}\r\n`);
  let text = '';
  while (!text.endsWith('.')) text += String((await once(client, 'data'))[0]);
  return /you are .*/.exec(text)?.[0] ?? text;
}

/** A client in another cell of the same workspace. */
async function neighbourOf(world: World): Promise<{ client: TLSSocket; close: () => void }> {
  const identity = { ...world.spec.identity, cell: newId<'cell'>('cel', systemRandom) };
  const cell = await world.egress.openCell({ ...world.spec, identity, credentials: [] });
  const listener = createServer({ pauseOnConnect: true });
  cell.acceptTcp(443, listener);
  const [host] = await world.resolver.resolve4(API); // the first name has the same address in every cell
  listener.listen(0, host);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const client = connect({ host, port, servername: API, ca: cell.caPem });
  await once(client, 'secureConnect');
  return { client, close: () => void listener.close() };
}

describe('ATTACKS 10: a login that holds for a connection', () => {
  it('holds for the client that made it, and for nobody else', async () => {
    const upstream = await windowsServer();
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const [client, other] = [await world.connectTls(), await world.connectTls()];
      const neighbour = await neighbourOf(world);
      expect(await ask(client)).toBe('you are nobody.');
      expect(await ask(client, LOGIN)).toBe('you are admin.');
      expect(await ask(other)).toBe('you are nobody.');
      expect(await ask(neighbour.client)).toBe('you are nobody.');
      expect(await ask(client)).toBe('you are admin.'); // the control: nothing was lost
      client.destroy();
      expect(await ask(other)).toBe('you are nobody.');
      expect(await ask(neighbour.client)).toBe('you are nobody.');
      /* Two connections in all: the one for everybody, and the one that was logged in on. */
      expect(upstream.connections).toHaveLength(2);
      for (const one of [other, neighbour.client]) one.destroy();
      neighbour.close();
    });
  });
});
