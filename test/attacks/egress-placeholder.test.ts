/** ATTACKS 9: a placeholder sent anywhere but where it is declared. The control is the declared place. */
import { randomBytes } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import {
  API,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  type RequestOptions,
  TOKEN,
  type Upstream,
  type World,
} from '../egress/world.ts';

const OTHER = 'other.test';

interface Recorder {
  readonly upstream: Upstream;
  /** Everything that arrived, heads and bodies. */
  readonly seen: string[];
}

async function recorder(name: string): Promise<Recorder> {
  const seen: string[] = [];
  const upstream = await httpsUpstream(async (request, response) => {
    let text = `${request.method} ${request.url} ${request.rawHeaders.join(' ')} `;
    try {
      for await (const piece of request) text += String(piece);
      response.end('ok');
    } catch {
      text += '[cut]';
    }
    seen.push(text);
  }, name);
  return { upstream, seen };
}

async function inTwoHosts(
  body: (world: World, api: Recorder, other: Recorder) => Promise<void>,
): Promise<void> {
  const [api, other] = [await recorder(API), await recorder(OTHER)];
  await inWorld(
    {
      rules: [apiRule(), apiRule({ host: OTHER })],
      credentials: [bearer({ methods: ['GET', 'POST'], paths: ['/v1'] })],
      upstreams: { 'api.test:443': api.upstream, 'other.test:443': other.upstream },
    },
    (world) => body(world, api, other),
  );
}

const bearerHeader = { Authorization: `Bearer ${PLACEHOLDER}` };
const percent = (text: string): string => Buffer.from(text).toString('hex').replace(/../g, '%$&');

const POST = { method: 'POST', path: '/v1' };

const attacks: readonly [name: string, request: RequestOptions][] = [
  ['another listed host', { host: OTHER, path: '/v1', headers: bearerHeader }],
  ['another path', { path: '/v2', headers: bearerHeader }],
  ['another path that begins the same', { path: '/v10', headers: bearerHeader }],
  ['another method', { method: 'DELETE', path: '/v1', headers: bearerHeader }],
  ['another header', { path: '/v1', headers: { 'X-Auth': `Bearer ${PLACEHOLDER}` } }],
  ['another format', { path: '/v1', headers: { Authorization: `token ${PLACEHOLDER}` } }],
  ['within a longer value', { path: '/v1', headers: { Authorization: `Bearer x${PLACEHOLDER}` } }],
  ['twice in a value', { path: '/v1', headers: { Authorization: `Bearer ${PLACEHOLDER} ${PLACEHOLDER}` } }],
  [
    'in two headers of the same name',
    { path: '/v1', headers: { Authorization: [`Bearer ${PLACEHOLDER}`, 'Bearer x'] } },
  ],
  ['as the name of a header', { path: '/v1', headers: { [`X-${PLACEHOLDER}`]: '1' } }],
  ['a cookie', { path: '/v1', headers: { Cookie: `a=${PLACEHOLDER}` } }],
  [
    'Basic authentication',
    { path: '/v1', headers: { Authorization: `Basic ${btoa(`user:${PLACEHOLDER}`)}` } },
  ],
  [
    'Basic authentication of a proxy',
    { path: '/v1', headers: { 'Proxy-Authorization': `Basic ${btoa(`${PLACEHOLDER}:x`)}` } },
  ],
  ['the query', { path: `/v1?q=${PLACEHOLDER}` }],
  ['the query, percent-encoded', { path: `/v1?q=${percent(PLACEHOLDER)}` }],
  ['the query, percent-encoded twice', { path: `/v1?q=${percent(percent(PLACEHOLDER))}` }],
  ['the name of a query parameter', { path: `/v1?${PLACEHOLDER}=1` }],
  ['the path', { path: `/v1/${PLACEHOLDER}` }],
  ['the path, percent-encoded', { path: `/v1/${percent(PLACEHOLDER).replaceAll('%5f', '_')}` }],
  [
    'an email',
    {
      method: 'POST',
      path: '/v1',
      headers: { 'Content-Type': 'text/plain' },
      body: `Dear attacker, ${PLACEHOLDER}.`,
    },
  ],
  [
    'a JSON body',
    {
      method: 'POST',
      path: '/v1',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ body: PLACEHOLDER }),
    },
  ],
  ['a form', { method: 'POST', path: '/v1', body: `a=1&b=${PLACEHOLDER}` }],
  [
    'a chunked body',
    { method: 'POST', path: '/v1', headers: { 'Transfer-Encoding': 'chunked' }, body: `x${PLACEHOLDER}` },
  ],
  ['the end of a long body', { method: 'POST', path: '/v1', body: `${'x'.repeat(300_000)}${PLACEHOLDER}` }],
  ['a body, in base64', { ...POST, body: `raw: ${Buffer.from(`To: x\n${PLACEHOLDER}`).toString('base64')}` }],
  ['a body, in base64url', { ...POST, body: Buffer.from(`a${PLACEHOLDER}?>`).toString('base64url') }],
  ['a body, in hex', { ...POST, body: Buffer.from(PLACEHOLDER).toString('hex') }],
  ['a body, percent-encoded', { ...POST, body: `a=${percent(PLACEHOLDER)}` }],
  ['a body, in UTF-16', { ...POST, body: Buffer.from(PLACEHOLDER, 'utf16le') }],
  [
    'a body of another type, in JSON escapes',
    { ...POST, headers: { 'Content-Type': 'text/plain' }, body: PLACEHOLDER.replace('g', '\\u0067') },
  ],
  [
    'a compressed body',
    { ...POST, headers: { 'Content-Encoding': 'gzip' }, body: gzipSync(`a ${PLACEHOLDER}`) },
  ],
  [
    'a compressed body that streams',
    {
      ...POST,
      headers: { 'Content-Encoding': 'br', 'Transfer-Encoding': 'chunked' },
      body: brotliCompressSync(`${'x'.repeat(300_000)}${PLACEHOLDER}`),
    },
  ],
  [
    'a compressed body that streams, of a known length',
    {
      ...POST,
      headers: { 'Content-Encoding': 'gzip' },
      body: gzipSync(`${randomBytes(100_000).toString('latin1')}${PLACEHOLDER}`),
    },
  ],
  [
    'the very end of a long body, in base64',
    { ...POST, body: `${'x'.repeat(300_000)} ${Buffer.from(PLACEHOLDER).toString('base64')}` },
  ],
  [
    'a header, percent-encoded',
    { path: '/v1', headers: { Referer: `https://x/?k=${percent(PLACEHOLDER)}` } },
  ],
  [
    'the declared header and the body too',
    { method: 'POST', path: '/v1', headers: bearerHeader, body: PLACEHOLDER },
  ],
];

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const MULTIPART = { 'Content-Type': 'multipart/form-data; boundary=XX' };
const part = (head: string, content: string): string =>
  `--XX\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
const multipart = (...parts: readonly string[]): RequestOptions => ({
  ...POST,
  headers: MULTIPART,
  body: `${parts.join('')}--XX--\r\n`,
});
const form = (body: string): RequestOptions => ({ ...POST, headers: FORM, body });
const json = (body: string): RequestOptions => ({
  ...POST,
  headers: { 'Content-Type': 'application/json' },
  body,
});
const cookie = (pairs: string): RequestOptions => ({ path: '/v1', headers: { Cookie: pairs } });

/** Where the placeholder is declared for a cookie, a path segment and fields of forms. */
const inOtherPlaces: typeof inTwoHosts = async (body) => {
  const [api, other] = [await recorder(API), await recorder(OTHER)];
  await inWorld(
    {
      rules: [apiRule(), apiRule({ host: OTHER })],
      credentials: [
        bearer({
          methods: ['GET', 'POST'],
          paths: ['/v1'],
          inject: [
            { cookie: 'sid' },
            { path: '/v1/bot{token}' },
            { query: 'api' },
            { form: 'key' },
            { multipart: 'key' },
            { json: '/k' },
          ],
        }),
      ],
      upstreams: { 'api.test:443': api.upstream, 'other.test:443': other.upstream },
    },
    (world) => body(world, api, other),
  );
};

const otherPlaces: readonly [name: string, request: RequestOptions][] = [
  ['the cookie', cookie(`a=b; sid=${PLACEHOLDER}`)],
  ['the segment', { path: `/v1/bot${PLACEHOLDER}/send` }],
  ['the parameter', { path: `/v1?a=b&api=${PLACEHOLDER}` }],
  ['the field', form(`a=b&key=${PLACEHOLDER}`)],
  ['the part', multipart(part('name="a"', 'b'), part('name="key"', PLACEHOLDER))],
  ['the pointer', json(`{"k":"${PLACEHOLDER}"}`)],
];

const besideOtherPlaces: readonly [name: string, request: RequestOptions][] = [
  ['the cookie, to another host', { ...cookie(`sid=${PLACEHOLDER}`), host: OTHER }],
  ['another cookie', cookie(`a=${PLACEHOLDER}; sid=1`)],
  ['the name of a cookie', cookie(`${PLACEHOLDER}=1`)],
  ['the cookie, twice', cookie(`sid=${PLACEHOLDER}; sid=1`)],
  ['a longer cookie', cookie(`sid=${PLACEHOLDER}x`)],
  ['a quoted cookie', cookie(`sid="${PLACEHOLDER}"`)],
  ['the cookie, within quotes that span it', cookie(`a="; sid=${PLACEHOLDER}; b="`)],
  ['the cookie, percent-encoded', cookie(`sid=${percent(PLACEHOLDER)}`)],
  ['another cookie, percent-encoded', cookie(`a=${percent(PLACEHOLDER)}; sid=${PLACEHOLDER}`)],
  ['the cookie, in another header', { path: '/v1', headers: { 'Set-Cookie': `sid=${PLACEHOLDER}` } }],
  ['another segment', { path: `/v1/a/bot${PLACEHOLDER}` }],
  ['the segment without what belongs to it', { path: `/v1/${PLACEHOLDER}` }],
  ['a longer segment', { path: `/v1/bot${PLACEHOLDER}x` }],
  ['the segment, of another path', { path: `/v2/bot${PLACEHOLDER}` }],
  ['the segment behind an encoded slash', { path: `/v1%2Fbot${PLACEHOLDER}` }],
  ['the segment, and the query too', { path: `/v1/bot${PLACEHOLDER}?q=${PLACEHOLDER}` }],
  ['the segment, and once more behind it', { path: `/v1/bot${PLACEHOLDER}/${PLACEHOLDER}` }],
  ['the parameter, of another path', { path: `/v2?api=${PLACEHOLDER}` }],
  ['the parameter, twice', { path: `/v1?api=${PLACEHOLDER}&api=1` }],
  ['the parameter, twice in two spellings', { path: `/v1?a%70i=1&api=${PLACEHOLDER}` }],
  ['the parameter, in a longer value', { path: `/v1?api=x${PLACEHOLDER}` }],
  ['the parameter behind a semicolon', { path: `/v1?a=1;api=${PLACEHOLDER}` }],
  ['the parameter, in a form', form(`api=${PLACEHOLDER}`)],
  ['another field', form(`a=${PLACEHOLDER}`)],
  ['the field, twice', form(`key=${PLACEHOLDER}&key=${PLACEHOLDER}`)],
  ['the field behind a semicolon', form(`a=b;key=${PLACEHOLDER}`)],
  ['the field, in a longer value', form(`key=${PLACEHOLDER}%20`)],
  ['the field, in a query', { path: `/v1?key=${PLACEHOLDER}` }],
  [
    'the field, in JSON',
    { ...POST, headers: { 'Content-Type': 'application/json' }, body: `{"key":"${PLACEHOLDER}"}` },
  ],
  [
    'the field, under a coding',
    { ...POST, headers: { ...FORM, 'Content-Encoding': 'gzip' }, body: gzipSync(`key=${PLACEHOLDER}`) },
  ],
  [
    'the pointer, and elsewhere in base64',
    json(`{"k":"${PLACEHOLDER}","raw":"${btoa(`To: x${PLACEHOLDER}`)}"}`),
  ],
  ['the pointer, in base64', json(`{"k":"${btoa(PLACEHOLDER)}"}`)],
  ['the pointer, of what is no JSON', json(`{"k":"${PLACEHOLDER}"`)],
  ['what claims to be JSON, in base64', json(btoa(PLACEHOLDER))],
  ['the field, by PUT', { ...form(`key=${PLACEHOLDER}`), method: 'PUT' }],
  [
    'the field, in another character set',
    { ...form(`key=${PLACEHOLDER}`), headers: { 'Content-Type': `${FORM['Content-Type']}; charset=ibm037` } },
  ],
  ['another part', multipart(part('name="a"', PLACEHOLDER))],
  ['the part as a file', multipart(part('name="key"; filename="a"', PLACEHOLDER))],
  ['the name of a file', multipart(part(`name="a"; filename="${PLACEHOLDER}"`, ''))],
  ['the part, in a longer value', multipart(part('name="key"', ` ${PLACEHOLDER}`))],
  ['the part, in base64', multipart(part('name="key"', btoa(PLACEHOLDER)))],
  ['the part, twice', multipart(part('name="key"', PLACEHOLDER), part('name="key"', 'a'))],
  ['the part, within another one', multipart(part('name="a"', `\n${part('name="key"', PLACEHOLDER)}`))],
  [
    'the part, under another boundary',
    {
      ...multipart(part('name="key"', PLACEHOLDER)),
      headers: { 'Content-Type': 'multipart/form-data; boundary=YY' },
    },
  ],
];

describe('ATTACKS 9: beside a cookie, a path segment, a form', () => {
  it.each(otherPlaces)('control: in %s it becomes the key', async (_name, request) => {
    await inOtherPlaces(async (world, api) => {
      expect((await world.request(request)).status).toBe(200);
      expect(api.seen[0]).toContain(TOKEN);
      expect(api.seen[0]).not.toContain(PLACEHOLDER);
      expect(world.events.map(({ type }) => type)).toContain('credential.used');
    });
  });

  it.each(besideOtherPlaces)('%s', async (_name, request) => {
    await inOtherPlaces(async (world, api, other) => {
      const reply = await world.request(request);
      expect([reply.status, errorOf(reply).code]).toEqual([403, 'egress_placeholder_misplaced']);
      expect(errorOf(reply).hint + errorOf(reply).message).toMatch(/cookie sid|bound to|only/);
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_misplaced',
        credential: 'TOKEN',
      });
      expect([...api.seen, ...other.seen]).toEqual([]);
      expect(world.uses).toEqual([]);
    });
  });
});

describe('ATTACKS 9: a body that is two things at once', () => {
  const type = (value: string): NonNullable<RequestOptions['headers']> => ({ 'Content-Type': value });
  it.each([
    ['JSON as a form', { ...form(`{"text":"&key=${PLACEHOLDER}&"}`) }, 'form_beginning'],
    [
      'a part that hides the next one in its length',
      multipart(
        `--XX\r\nContent-Disposition: form-data; name="a"\r\nContent-Length: 200\r\n\r\n\r\n${part('name="key"', PLACEHOLDER)}`,
      ),
      'egress_placeholder_misplaced',
    ],
    [
      'a form with a character set of its own',
      multipart(part('name="_charset_"', 'cp037'), part('name="key"', PLACEHOLDER)),
      'egress_placeholder_misplaced',
    ],
    [
      'a form with two boundaries',
      {
        ...multipart(part('name="key"', PLACEHOLDER)),
        headers: type('multipart/form-data; boundary=XX; boundary*0=YY'),
      },
      'egress_placeholder_misplaced',
    ],
  ])('%s', async (_name, request, reason) => {
    await inOtherPlaces(async (world, api) => {
      const reply = await world.request(request);
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(reply.body.toString()).toContain(reason);
      expect(world.uses).toEqual([]);
      expect(api.seen).toEqual([]);
    });
  });
});

describe('ATTACKS 9: a placeholder sent elsewhere', () => {
  it('control: in its declared place it becomes the key', async () => {
    await inTwoHosts(async (world, api) => {
      expect((await world.request({ path: '/v1/x', headers: bearerHeader })).status).toBe(200);
      expect(api.seen[0]).toContain(`Bearer ${TOKEN}`);
      expect(world.events.map(({ type }) => type)).toContain('credential.used');
    });
  });

  it.each(attacks)('%s', async (_name, request) => {
    await inTwoHosts(async (world, api, other) => {
      const reply = await world.request(request);
      expect([reply.status, errorOf(reply).code]).toEqual([403, 'egress_placeholder_misplaced']);
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_misplaced',
        credential: 'TOKEN',
      });
      /* What streams has left as far as it was harmless; the upstream never has all of the request. */
      for (const text of [...api.seen, ...other.seen]) {
        expect(text).not.toContain(TOKEN);
        expect(text).not.toContain(PLACEHOLDER);
        expect(text.endsWith('[cut]')).toBe(true);
      }
      expect(world.uses).toEqual([]);
    });
  });

  it('in a body that streams, split at every place: it never arrives whole', async () => {
    for (const at of [1, 2, 20, PLACEHOLDER.length - 1]) {
      await inTwoHosts(async (world, api) => {
        const socket = await world.connectTls();
        socket.setNoDelay(true);
        socket.write(
          `POST /v1 HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${at.toString(16)}\r\n${PLACEHOLDER.slice(0, at)}\r\n`,
        );
        await new Promise((resolve) => setTimeout(resolve, 20));
        socket.write(`${(PLACEHOLDER.length - at).toString(16)}\r\n${PLACEHOLDER.slice(at)}\r\n0\r\n\r\n`);
        let text = '';
        for await (const piece of socket) text += String(piece);
        expect(errorOf(text).code).toBe('egress_placeholder_misplaced');
        expect(api.seen.join('')).not.toContain(PLACEHOLDER);
        expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({ credential: 'TOKEN' });
      });
    }
  });

  it('in a body, backwards: goes out as the text that it is, and no key is opened for it', async () => {
    await inTwoHosts(async (world, api) => {
      const hidden = { method: 'POST', path: '/v1', body: Array.from(PLACEHOLDER).toReversed().join('') };
      expect((await world.request(hidden)).status).toBe(200);
      expect(world.uses).toEqual([]);
      expect((await world.request({ ...hidden, headers: bearerHeader })).status).toBe(200);
      expect(api.seen.map((text) => text.split(TOKEN).length - 1)).toEqual([0, 1]);
    });
  });

  it.each([PLACEHOLDER, percent(PLACEHOLDER)])('in a trailer: %s', async (value) => {
    await inTwoHosts(async (world) => {
      const text = await world.exchange(
        `POST /v1 HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\nX-T: ${value}\r\n\r\n`,
      );
      expect(errorOf(text).code).toBe('egress_placeholder_misplaced');
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_misplaced',
        credential: 'TOKEN',
        place: 'a trailer',
      });
    });
  });

  it('of another cell: an incident that names neither the key nor its owner to the cell', async () => {
    await inTwoHosts(async (world, api) => {
      const foreign = 'ghp_OTHERCELLq8Wn3Zx5Vb7Mk1Lp9Ts2Rd4Fg6';
      const neighbour = await world.egress.openCell({
        ...world.spec,
        identity: {
          ...world.spec.identity,
          cell: newId('cel', systemRandom),
          workspace: newId('wsp', systemRandom),
        },
        credentials: [bearer({ placeholder: foreign })],
      });
      for (const request of [
        { path: '/v1', headers: { Authorization: `Bearer ${foreign}` } },
        { path: `/v1?x=${foreign}` },
        { method: 'POST', path: '/v1', body: `a ${foreign} b` },
      ]) {
        const reply = await world.request(request);
        expect([reply.status, errorOf(reply).code]).toEqual([403, 'egress_placeholder_foreign']);
        expect(reply.body.toString()).not.toMatch(/cel_|TOKEN/);
      }
      const incidents = await world.eventsOf('placeholder.foreign', 3);
      expect(incidents.map(({ data }) => data['code'])).toEqual(Array(3).fill('egress_placeholder_foreign'));
      expect(api.seen).toEqual([]);
      /* Once its cell is gone it is just text. */
      neighbour.close();
      expect(
        (await world.request({ path: '/v1', headers: { Authorization: `Bearer ${foreign}` } })).status,
      ).toBe(200);
    });
  });
});
