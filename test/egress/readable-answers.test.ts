/** What cannot be looked into is not asked for, and not passed on where a key could be in it. */
import { once } from 'node:events';
import { createGzip } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { API, bearer, errorOf, httpsUpstream, inWorld, PLACEHOLDER, readAll, TOKEN } from './world.ts';

describe('messages that are coded one by one inside of a body (gRPC, Connect)', () => {
  const CODED = [
    ['grpc-encoding', 'grpc-accept-encoding'],
    ['connect-content-encoding', 'connect-accept-encoding'],
  ] as const;

  it.each(CODED)('%s: not asked for, and refused', async (answered, asked) => {
    let accepts: unknown;
    const upstream = await httpsUpstream((request, response) => {
      accepts = request.headers[asked];
      response.writeHead(200, { [answered]: request.url === '/coded' ? 'gzip' : 'identity' }).end('hello');
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const headers = { [asked]: 'gzip, identity' };
      const coded = await world.request({ path: '/coded', headers });
      expect([coded.status, errorOf(coded).code]).toEqual([502, 'egress_content_coding']);
      expect(accepts).toBe('identity');
      const plain = await world.request({ path: '/plain', headers }); // control
      expect([plain.status, plain.body.toString()]).toEqual([200, 'hello']);
    });
  });

  it.each(CODED)('%s: left alone where the server has no sealed credential', async (answered, asked) => {
    const upstream = await httpsUpstream((request, response) => {
      response.writeHead(200, { [answered]: 'gzip', 'X-Asked': String(request.headers[asked]) }).end('hello');
    });
    await inWorld(
      { upstreams: { [`${API}:443`]: upstream }, credentials: [], secrets: {} },
      async (world) => {
        const reply = await world.request({ headers: { [asked]: 'gzip' } });
        expect([reply.status, reply.headers['x-asked']]).toEqual([200, 'gzip']);
      },
    );
  });
});

it('a key that is set while a coded answer is under way is masked in the rest of it', async () => {
  const zip = createGzip();
  const upstream = await httpsUpstream((_request, response) => {
    response.writeHead(200, { 'Content-Encoding': 'gzip' });
    zip.pipe(response);
    zip.write('begin\n\n');
    zip.flush();
  });
  const options = { upstreams: { [`${API}:443`]: upstream }, secrets: {}, credentials: [bearer()] };
  await inWorld(options, async (world) => {
    const socket = await world.connectTls();
    socket.write(`GET / HTTP/1.1\r\nHost: ${API}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n`);
    const [first] = (await once(socket, 'data')) as [Buffer];
    world.secrets.set('TOKEN', TOKEN);
    await world.cell.refresh();
    zip.end(`the key is ${TOKEN}.`);
    const rest = await readAll(socket);
    expect(`${first.toString('latin1')}${rest}`).toContain('begin');
    expect(rest).toContain(PLACEHOLDER);
    expect(rest).not.toContain(TOKEN);
  });
});
