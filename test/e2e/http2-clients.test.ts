/**
 * HTTP/2 with everything real: Node's client and curl in their cell, and upstreams behind the gateway that speak HTTP/2 or
 * HTTP/1.1 (ATTACKS 9, 17).
 */
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, type CellRequire, HOSTILE, KEY, type World } from '../attacks/whole-world.ts';
import { identityOf, openHttp2Cell } from './http2-cell.ts';

interface Seen {
  readonly version: string;
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  readonly bytes: number;
}

let world: World;
/** Speaks HTTP/2 alone. */
let api: Http2SecureServer;
/** Speaks HTTP/1.1 alone, and is not bound to the key. */
const plain = createServer(identityOf(HOSTILE), (request, response) => {
  let bytes = 0;
  request.on('data', (data: Buffer) => (bytes += data.length));
  request.on('end', () => {
    seen.push({
      version: '1.1',
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: '',
      bytes,
    });
    response.end(`1.1 ${bytes}`);
  });
});
let seen: Seen[] = [];
let sessions = 0;

/** Sends the key back in every place that there is, in several spellings. */
function reflect(stream: ServerHttp2Stream, authorization: string, bytes: number): void {
  stream.additionalHeaders({ ':status': 103, link: `</${KEY}>` });
  stream.respond(
    { ':status': 200, 'x-echo': authorization, 'set-cookie': [`a=${KEY}`, 'b=1'] },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'x-sum': KEY, 'x-hex': Buffer.from(KEY).toString('hex') }),
  );
  stream.end(`2 ${bytes} ${authorization} ${btoa(KEY)} ${JSON.stringify({ key: KEY })}`);
}

beforeAll(async () => {
  api = createSecureServer({ ...identityOf(API), allowHTTP1: false });
  api.on('session', () => (sessions += 1));
  api.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    let bytes = 0;
    stream.on('data', (data: Buffer) => (bytes += data.length));
    stream.on('end', () => {
      const [method, path] = [headers[':method'] ?? '', headers[':path'] ?? ''];
      const authorization = headers.authorization ?? '';
      seen.push({ version: '2', method, path, authorization, bytes });
      reflect(stream, authorization, bytes);
    });
  });
  for (const server of [api, plain]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port; // it listens on TCP
  world = await openHttp2Cell({ ports: { api: portOf(api), hostile: portOf(plain) } });
});
afterAll(async () => {
  await world.close();
  api.close();
  plain.close();
});

function expectClean(said: unknown): void {
  const all = JSON.stringify(said);
  for (const form of [KEY, btoa(KEY).slice(0, 44), Buffer.from(KEY).toString('hex')])
    expect(all).not.toContain(form);
}

describe('HTTP/2 of Node in a cell', () => {
  interface Said {
    readonly status: number;
    readonly interims: readonly number[];
    readonly headers: Record<string, unknown>;
    readonly trailers: Record<string, unknown>;
    readonly body: string;
    readonly reset: number;
  }

  /** Runs in the cell: requests on one connection, all at a time. */
  function requests(
    {
      host,
      asked,
    }: {
      host: string;
      asked: { path: string; method?: string; name?: string; bytes?: number }[];
    },
    require: CellRequire,
  ): Promise<Said[]> {
    const session = require('node:http2').connect(`https://${host}`);
    const key = process.env['API_KEY'] ?? '';
    const replies = asked.map(
      ({ path, method = 'GET', name = 'authorization', bytes = 0 }) =>
        new Promise<Said>((resolve, reject) => {
          session.on('error', reject);
          const stream = session.request(
            { ':path': path, ':method': method, [name]: name === 'authorization' ? `Bearer ${key}` : key },
            { endStream: bytes === 0 },
          );
          let [status, body] = [0, ''];
          let headers: Record<string, unknown> = {};
          let trailers: Record<string, unknown> = {};
          const interims: number[] = [];
          stream.on('headers', (received) => interims.push(Number(received[':status'])));
          stream.on('response', (received) => {
            status = Number(received[':status']);
            headers = { ...received };
          });
          stream.on('trailers', (received) => {
            trailers = { ...received };
          });
          stream.on('data', (data: Buffer) => (body += data.toString('latin1')));
          stream.on('error', () => undefined);
          stream.on('close', () =>
            resolve({ status, interims, headers, trailers, body, reset: stream.rstCode ?? 0 }),
          );
          if (bytes > 0) stream.end(Buffer.alloc(bytes, 97));
        }),
    );
    return Promise.all(replies).finally(() => session.close());
  }

  it('asks with the key many times on one connection, and gets none of it back', async () => {
    seen = [];
    sessions = 0;
    const asked = Array.from({ length: 40 }, (_, index) => ({
      path: `/n${index}`,
      ...(index % 2 === 0 ? {} : { method: 'POST', bytes: index * 10_000 }),
    }));
    const said = await world.inCell(requests, { host: API, asked });
    expect(seen.map(({ path }) => path).toSorted()).toEqual(asked.map(({ path }) => path).toSorted());
    for (const one of seen) expect(one).toMatchObject({ version: '2', authorization: `Bearer ${KEY}` });
    expect(sessions).toBe(1);
    for (const [index, one] of said.entries()) {
      const placeholder = String(one.headers['x-echo']).slice('Bearer '.length);
      expect(one).toMatchObject({
        status: 200,
        interims: [103],
        reset: 0,
        trailers: { 'x-sum': placeholder },
      });
      expect(placeholder).toMatch(/^key_\w{32}$/);
      expect(one.headers['set-cookie']).toEqual([`a=${placeholder}`, 'b=1']);
      const bytes = index % 2 === 0 ? 0 : index * 10_000;
      expect(one.body).toContain(`2 ${bytes} Bearer ${placeholder} `);
      expect(one.body).toContain(`{"key":"${placeholder}"}`);
    }
    expectClean(said);
    await world.event(({ type, data }) => type === 'egress.masked' && data['path'] === '/n0');
  });

  it('is refused where the placeholder is not meant to be, and only that request', async () => {
    seen = [];
    const asked = [{ path: '/other', name: 'x-other' }, { path: '/fine' }];
    const [refused, fine] = await world.inCell(requests, { host: API, asked });
    expect([refused?.status, fine?.status]).toEqual([403, 200]);
    expect(refused?.body).toContain('egress_placeholder_misplaced');
    const [elsewhere] = await world.inCell(requests, { host: HOSTILE, asked: [{ path: '/else' }] });
    expect(elsewhere?.status).toBe(403);
    expect(seen.map(({ path }) => path)).toEqual(['/fine']);
    await world.event(({ type, data }) => type === 'credential.refused' && data['path'] === '/other');
    await world.event(({ type, data }) => type === 'credential.refused' && data['path'] === '/else');
  });

  it('reaches an upstream that speaks HTTP/1.1 alone', async () => {
    const send = ({ host }: { host: string }, require: CellRequire) => {
      const session = require('node:http2').connect(`https://${host}`);
      const stream = session.request({ ':path': '/', ':method': 'POST' });
      stream.end(Buffer.alloc(300_000));
      return new Promise<string>((resolve) => {
        stream.on('data', (data: Buffer) => {
          session.close();
          resolve(data.toString());
        });
      });
    };
    expect(await world.inCell(send, { host: HOSTILE })).toBe('1.1 300000');
  });
});

const CURL = '/usr/bin/curl';
const hasCurl = existsSync(CURL);

describe.skipIf(!hasCurl)(`curl in a cell${hasCurl ? '' : ' (waits for /usr/bin/curl)'}`, () => {
  /** Runs in the cell. `@` in the arguments stands for the placeholder. */
  function curl(
    { args, bytes = 0 }: { args: readonly string[]; bytes?: number },
    require: CellRequire,
  ): Promise<{ code: number; stdout: string; stderr: string; placeholder: string }> {
    const placeholder = process.env['API_KEY'] ?? '';
    return new Promise((resolve) => {
      const child = require('node:child_process').execFile(
        '/usr/bin/curl',
        ['-sS', '--max-time', '20', ...args.map((argument) => argument.replace('@KEY', placeholder))],
        { maxBuffer: 100_000_000 },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr, placeholder }),
      );
      // What reads nothing may have ended by now (EPIPE); what it then did not get, its answer shows.
      child.stdin?.on('error', () => undefined).end(Buffer.alloc(bytes, 97));
    });
  }
  const run = (args: readonly string[], bytes = 0) => world.inCell(curl, { args, bytes });
  const AUTH = ['-H', 'Authorization: Bearer @KEY'];

  it('speaks HTTP/2 through nghttp2', async () => {
    expect((await run(['--version'])).stdout).toMatch(/nghttp2.*\n[^]*\bHTTP2\b/);
  });

  it('asks with the key, and gets none of it back', async () => {
    seen = [];
    const shown = ['-i', '-w', '\n%{http_version} %{http_code}'];
    const said = await run([...AUTH, ...shown, `https://${API}/curl?a=b`]);
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(seen).toEqual([
      { version: '2', method: 'GET', path: '/curl?a=b', authorization: `Bearer ${KEY}`, bytes: 0 },
    ]);
    expect(said.stdout).toMatch(/\n2 200$/);
    expect(said.stdout).toContain(`x-echo: Bearer ${said.placeholder}`);
    expect(said.stdout).toContain(`x-sum: ${said.placeholder}`);
    expect(said.stdout).toContain(`link: </${said.placeholder}>`);
    expectClean(said);
  });

  it.each([
    ['of known length', ['--data-binary', '@-'], 2_000_000, 'POST'],
    ['of unknown length', ['-T', '-'], 2_000_000, 'PUT'],
    ['that is small', ['--data-binary', '@-'], 100, 'POST'],
    ['that is none', ['-X', 'DELETE'], 0, 'DELETE'],
  ])('sends a body %s', async (_name, args, bytes, method) => {
    seen = [];
    const said = await run([...AUTH, ...args, `https://${API}/up`], bytes);
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(seen).toEqual([{ version: '2', method, path: '/up', authorization: `Bearer ${KEY}`, bytes }]);
    expect(said.stdout).toContain(`2 ${bytes} Bearer ${said.placeholder}`);
  });

  it('HEAD: the fields, and nothing else', async () => {
    const said = await run([...AUTH, '-I', '-w', '%{http_version} %{size_download}', `https://${API}/head`]);
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(said.stdout).toContain(`x-echo: Bearer ${said.placeholder}`);
    expect(said.stdout).toMatch(/\r\n2 0$/);
  });

  it('many at a time, on one connection', async () => {
    seen = [];
    sessions = 0;
    const shown = ['-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n'];
    const said = await run([...AUTH, '-Z', ...shown, `https://${API}/many[1-30]`]);
    expect(said.code).toBe(0);
    const lines = said.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    expect(lines.map(([code]) => code)).toEqual(Array.from({ length: 30 }, () => 200));
    expect(lines.reduce((sum, [, connects = 0]) => sum + connects, 0)).toBe(1);
    expect(seen.map(({ path }) => path).toSorted()).toEqual(
      Array.from({ length: 30 }, (_, index) => `/many${index + 1}`).toSorted(),
    );
    expect(sessions).toBeLessThanOrEqual(1);
  });

  it('over HTTP/1.1 to an upstream with HTTP/2, and the other way round', async () => {
    seen = [];
    const asked = ['-w', ' %{http_version}', '--data-binary', '@-'];
    const one = await run(['--http1.1', ...asked, ...AUTH, `https://${API}/`], 200_000);
    expect(one.stdout).toMatch(/^2 200000 Bearer .* 1\.1$/);
    const two = await run(['--http2', ...asked, `https://${HOSTILE}/`], 200_000);
    expect(two.stdout).toBe('1.1 200000 2');
    expect(seen.map(({ version }) => version)).toEqual(['2', '1.1']);
  });

  it('is refused where the placeholder is not meant to be', async () => {
    seen = [];
    const said = await run(['-w', ' %{http_code}', '-d', '{"text":"@KEY"}', `https://${API}/body`]);
    expect(said.stdout).toMatch(/egress_placeholder_misplaced.* 403$/s);
    expect(seen).toEqual([]);
    await world.event(({ type, data }) => type === 'credential.refused' && data['path'] === '/body');
  });

  it('HTTP/2 without TLS is not spoken', async () => {
    seen = [];
    const said = await run(['--http2-prior-knowledge', ...AUTH, `http://${API}/clear`]);
    expect(said.code).not.toBe(0);
    expect(seen).toEqual([]);
  });
});

it('none of it leaves the key in the record', async () => {
  expect(await world.exported()).not.toContain(KEY);
});
