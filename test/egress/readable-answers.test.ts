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

describe('text in a character set in which a key is other bytes', () => {
  /** As its encoders write an underscore. */
  const UTF7 = TOKEN.replaceAll('_', '+AF8-');

  it.each([
    ['GET', '/plain', 200],
    ['GET', '/utf-8', 200],
    ['GET', '/utf-7', 502],
    ['GET', '/ibm037', 502],
    ['HEAD', '/utf-7', 200],
  ])('%s %s: %s', async (method, path, status) => {
    let asked: unknown;
    const upstream = await httpsUpstream((request, response) => {
      asked = [request.headers['accept-charset'], request.headers.accept];
      const charset = path === '/plain' ? '' : `; charset=${path.slice(1)}`;
      response.writeHead(200, { 'Content-Type': `text/plain${charset}` }).end(UTF7);
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const headers = { 'Accept-Charset': 'utf-7', Accept: 'text/plain;charset=utf-7;q=0.9, */*' };
      const reply = await world.request({ method, path, headers });
      expect(reply.status).toBe(status);
      expect(asked).toEqual([undefined, 'text/plain;q=0.9, */*']);
      if (status === 200) return;
      expect(errorOf(reply).code).toBe('egress_content_charset');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_content_charset',
      });
      expect(reply.body.toString()).not.toContain('AF8-');
    });
  });

  it('is left alone where the server has no sealed credential', async () => {
    const upstream = await httpsUpstream((request, response) => {
      response
        .writeHead(200, { 'Content-Type': 'text/plain; charset=utf-7' })
        .end(String(request.headers['accept-charset']));
    });
    const none = { credentials: [], secrets: {} };
    await inWorld({ upstreams: { [`${API}:443`]: upstream }, ...none }, async (world) => {
      const reply = await world.request({ headers: { 'Accept-Charset': 'utf-7' } });
      expect([reply.status, reply.body.toString()]).toEqual([200, 'utf-7']);
    });
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
