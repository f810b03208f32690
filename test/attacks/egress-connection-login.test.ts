/**
 * ATTACKS 10: a login that holds for a connection (NTLM, Negotiate) makes whoever sends on it next the one who logged
 * in. The control is the client itself, whose login goes on working.
 */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { TLSSocket } from 'node:tls';
import { API, httpsUpstream, inWorld } from '../egress/world.ts';
import { connectIn, neighbourCell } from './neighbour-cell.ts';

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

describe('ATTACKS 10: a login that holds for a connection', () => {
  it('holds for the client that made it, and for nobody else', async () => {
    const upstream = await windowsServer();
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const [client, other] = [await world.connectTls(), await world.connectTls()];
      const neighbour = await neighbourCell(world, []);
      const inNeighbour = await connectIn(neighbour);
      expect(await ask(client)).toBe('you are nobody.');
      expect(await ask(client, LOGIN)).toBe('you are admin.');
      expect(await ask(other)).toBe('you are nobody.');
      expect(await ask(inNeighbour)).toBe('you are nobody.');
      expect(await ask(client)).toBe('you are admin.'); // the control: nothing was lost
      client.destroy();
      expect(await ask(other)).toBe('you are nobody.');
      expect(await ask(inNeighbour)).toBe('you are nobody.');
      /* Two connections in all: the one for everybody, and the one that was logged in on. */
      expect(upstream.connections).toHaveLength(2);
      for (const one of [other, inNeighbour]) one.destroy();
      neighbour.server.close();
    });
  });
});
