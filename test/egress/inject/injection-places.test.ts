import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { CredentialBinding } from '../../../src/egress/index.ts';
import { connectHttp2, http2Upstream, replyOf } from '../http2-world.ts';
import {
  API,
  bearer,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  type RequestOptions,
  TOKEN,
  type World,
} from '../world.ts';

interface Seen {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

const SECOND = 'PLACEHOLDERb6Kq9XyZ24';
const second = (over: Partial<CredentialBinding>): CredentialBinding =>
  bearer({ name: 'SECOND', placeholder: SECOND, ...over });

/** A world with one upstream that keeps what it gets. */
async function inPlaces(
  credentials: readonly CredentialBinding[],
  body: (world: World, seen: readonly Seen[]) => Promise<void>,
  secrets: Readonly<Record<string, string>> = { TOKEN, SECOND: 'second/value' },
): Promise<void> {
  const seen: Seen[] = [];
  const upstream = await httpsUpstream(async (request, response) => {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return; // cut before its end
    }
    const { url = '', headers, rawHeaders } = request;
    seen.push({ url, headers, rawHeaders, body: Buffer.concat(pieces) });
    response.end('ok');
  });
  await inWorld({ upstreams: { 'api.test:443': upstream }, credentials, secrets }, (world) =>
    body(world, seen),
  );
}

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const MULTIPART = { 'Content-Type': 'multipart/form-data; boundary=XX' };
const post = (headers: RequestOptions['headers'], body: string | Buffer): RequestOptions => ({
  method: 'POST',
  headers: headers ?? {},
  body,
});
const part = (name: string, content: string): string =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;

describe('a cookie', () => {
  it('becomes the key where it is declared, and the others stay as they are', async () => {
    await inPlaces(
      [bearer({ inject: [{ cookie: 'sid' }] }), second({ inject: [{ cookie: 'csrf' }] })],
      async (world, seen) => {
        const cookie = (pairs: string): RequestOptions => ({ headers: { Cookie: pairs } });
        await world.request(cookie(`a="x y"; sid=${PLACEHOLDER};b={1,2}`));
        await world.request(cookie(`csrf=${SECOND}; sid=${PLACEHOLDER}`));
        await world.request(cookie('sid=other; x'));
        expect(seen.map(({ headers }) => headers.cookie)).toEqual([
          `a="x y"; sid=${TOKEN};b={1,2}`,
          `csrf=second/value; sid=${TOKEN}`,
          'sid=other; x',
        ]);
      },
    );
  });

  it.each(['a;b', 'a b', 'a,b', 'a"b', 'a\\b', 'é', 'a\r\nX: y'])('never carries %j', async (value) => {
    await inPlaces(
      [bearer({ inject: [{ cookie: 'sid' }] })],
      async (world, seen) => {
        const reply = await world.request({ headers: { Cookie: `sid=${PLACEHOLDER}` } });
        expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_credential_unusable']);
        expect(seen).toEqual([]);
      },
      { TOKEN: `0123456789${value}` },
    );
  });
});

describe('a path segment', () => {
  it('becomes the key, with what stands around it', async () => {
    await inPlaces(
      [bearer({ inject: [{ path: '/bot{token}' }] }), second({ inject: [{ path: '/*/keys/{token}' }] })],
      async (world, seen) => {
        await world.request({ path: `/bot${PLACEHOLDER}/sendMessage?text=%7e/` });
        await world.request({ path: `/bot${PLACEHOLDER.replace('g', '%67')}/x` });
        await world.request({ path: `/bot${PLACEHOLDER}/keys/${SECOND}/y` });
        expect(seen.map(({ url }) => url)).toEqual([
          `/bot${TOKEN}/sendMessage?text=%7e/`,
          `/bot${TOKEN}/x`,
          `/bot${TOKEN}/keys/second%2Fvalue/y`.replace('second%2Fvalue', 'second:value'),
        ]);
        expect(world.uses[0]).toEqual({ credential: 'TOKEN', path: `/bot${PLACEHOLDER}/sendMessage` });
      },
      { TOKEN, SECOND: 'second:value' },
    );
  });

  it('is matched against rules about paths with the placeholder in its place', async () => {
    const bound = bearer({ paths: ['/v1'], inject: [{ path: '/*/{token}' }] });
    await inPlaces([bound], async (world, seen) => {
      expect((await world.request({ path: `/v1/${PLACEHOLDER}` })).status).toBe(200);
      expect(errorOf(await world.request({ path: `/v2/${PLACEHOLDER}` })).code).toBe(
        'egress_placeholder_misplaced',
      );
      expect(seen.map(({ url }) => url)).toEqual([`/v1/${TOKEN}`]);
    });
  });

  it.each(['a/b', '..', '%2e%2e', 'a\\b', 'a\nb'])('never carries %j', async (value) => {
    await inPlaces(
      [bearer({ inject: [{ path: '/v1/{token}/x' }] })],
      async (world, seen) => {
        const reply = await world.request({ path: `/v1/${PLACEHOLDER}/x` });
        expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_credential_unusable']);
        expect(seen).toEqual([]);
      },
      { TOKEN: value },
    );
  });
});

describe('a form field', () => {
  const FILLER = `filler=${'f'.repeat(200_000)}`;
  const credentials = [bearer({ inject: [{ form: 'key' }] }), second({ inject: [{ form: 'other' }] })];

  it('becomes the key, and the length is right', async () => {
    await inPlaces(credentials, async (world, seen) => {
      await world.request(post(FORM, `a=%7e+1&key=${PLACEHOLDER}&&other=${SECOND}&b`));
      expect(seen[0]?.body.toString()).toBe(`a=%7e+1&key=${TOKEN}&&other=second%2Fvalue&b`);
      expect(seen[0]?.headers['content-length']).toBe(String(seen[0]?.body.length));
      expect(world.uses.map(({ credential }) => credential)).toEqual(['TOKEN', 'SECOND']);
    });
  });

  it('becomes the key in a body that streams, once its use is on record', async () => {
    await inPlaces(credentials, async (world, seen) => {
      const body = `${FILLER}&key=${PLACEHOLDER}&${FILLER}&other=${SECOND}`;
      const reply = await world.request(post({ ...FORM, 'Content-Length': String(body.length) }, body));
      expect(reply.status).toBe(200);
      expect(seen[0]?.body.toString()).toBe(
        body.replace(PLACEHOLDER, TOKEN).replace(SECOND, 'second%2Fvalue'),
      );
      expect(seen[0]?.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
      expect(seen[0]?.headers['content-length']).toBe(undefined);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({ credentials: ['TOKEN', 'SECOND'], requestBytes: body.length });
      expect(world.events.map(({ type }) => type)).toEqual([
        'egress.request',
        'credential.used',
        'credential.used',
        'egress.finished',
      ]);
    });
  });

  it('is not sent when its use cannot be recorded, and nothing after it is', async () => {
    await inPlaces([bearer({ inject: [{ form: 'key' }] })], async (world, seen) => {
      world.secrets.delete('TOKEN');
      const reply = await world.request(post(FORM, `${FILLER}&key=${PLACEHOLDER}&end`));
      expect([reply.status, errorOf(reply).code]).toEqual([403, 'vault_credential_missing']);
      expect(seen).toEqual([]);
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
        code: 'vault_credential_missing',
      });
    });
  });
});

describe('a multipart field', () => {
  const body = `${part('a', '1')}${part('key', PLACEHOLDER)}${part('b', '\r\n--X\0')}--XX--\r\n`;
  const big = part('file', 'f'.repeat(200_000)) + body;

  it.each([
    ['a small body', body],
    ['a body that streams', big],
  ])('becomes the key in %s, and every other byte stays', async (_name, sent) => {
    await inPlaces([bearer({ inject: [{ multipart: 'key' }] })], async (world, seen) => {
      expect((await world.request(post(MULTIPART, sent))).status).toBe(200);
      expect(seen[0]?.body.toString()).toBe(sent.replace(PLACEHOLDER, TOKEN));
    });
  });

  it.each(['--XX', 'a\r\n--XX--b'])('never carries %j', async (value) => {
    await inPlaces(
      [bearer({ inject: [{ multipart: 'key' }] })],
      async (world, seen) => {
        for (const sent of [body, big]) {
          const reply = await world.request(post(MULTIPART, sent));
          expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_credential_unusable']);
        }
        expect(seen).toEqual([]);
      },
      { TOKEN: value },
    );
  });
});

describe('a value that is no UTF-8', () => {
  it('is a value in a query and in a form, byte for byte', async () => {
    await inPlaces(
      [bearer({ inject: [{ query: 'k' }, { form: 'k' }] })],
      async (world, seen) => {
        await world.request({ ...post(FORM, `k=${PLACEHOLDER}`), path: `/?k=${PLACEHOLDER}` });
        expect([seen[0]?.url, seen[0]?.body.toString()]).toEqual(['/?k=%00%C3%A9%2A', 'k=%00%C3%A9%2A']);
      },
      { TOKEN: '\0é*' },
    );
  });
});

describe('a signature over the body', () => {
  const hmac = {
    header: 'X-Hub-Signature-256',
    format: 'sha256={signature}',
    over: 'body',
    algorithm: 'sha256',
    encoding: 'hex',
  } as const;
  const signed = (key: string, body: string | Buffer): string =>
    `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  const asked = (signature: string, body: string, more: RequestOptions['headers'] = {}): RequestOptions =>
    post({ 'X-Hub-Signature-256': signature, ...more }, body);

  it.each([
    ['none', ''],
    ['a small one', '{"event":"ping"}'],
    ['a large one', 'x'.repeat(500_000)],
  ])('of %s is made with the key where the server made it with the placeholder', async (_name, body) => {
    await inPlaces([bearer({ inject: [{ hmac }] })], async (world, seen) => {
      for (const more of [{}, { 'Transfer-Encoding': 'chunked' }])
        expect((await world.request(asked(signed(PLACEHOLDER, body), body, more))).status).toBe(200);
      expect(seen.map(({ headers }) => headers['x-hub-signature-256'])).toEqual([
        signed(TOKEN, body),
        signed(TOKEN, body),
      ]);
      expect(seen.map((request) => request.body.toString())).toEqual([body, body]);
      expect(world.uses).toHaveLength(2);
    });
  });

  it.each([
    ['with another key', signed('another', 'body')],
    ['over another body', signed(PLACEHOLDER, 'other')],
    ['in another format', signed(PLACEHOLDER, 'body').slice(7)],
    ['as text', 'sha256='],
  ])('stays as it is when it was made %s, and no key is opened', async (_name, signature) => {
    await inPlaces([bearer({ inject: [{ hmac }] })], async (world, seen) => {
      await world.request(asked(signature, 'body'));
      expect(seen[0]?.headers['x-hub-signature-256']).toBe(signature);
      expect(world.uses).toEqual([]);
    });
  });

  it('is over the body as it leaves, with a key in it', async () => {
    const credentials = [bearer({ inject: [{ hmac }] }), second({ inject: [{ json: '/k' }] })];
    await inPlaces(credentials, async (world, seen) => {
      const body = JSON.stringify({ k: SECOND });
      const type = { 'Content-Type': 'application/json' };
      await world.request(asked(signed(PLACEHOLDER, body), body, type));
      expect(seen[0]?.body.toString()).toBe('{"k":"second/value"}');
      expect(seen[0]?.headers['x-hub-signature-256']).toBe(signed(TOKEN, '{"k":"second/value"}'));
      expect(world.uses.map(({ credential }) => credential).toSorted()).toEqual(['SECOND', 'TOKEN']);
    });
  });

  it('takes other algorithms and base64', async () => {
    const rule = {
      ...hmac,
      header: 'X-S',
      format: '{signature}',
      algorithm: 'sha512',
      encoding: 'base64',
    } as const;
    await inPlaces([bearer({ inject: [{ hmac: rule }] })], async (world, seen) => {
      const by = (key: string): string => createHmac('sha512', key).update('body').digest('base64');
      await world.request(post({ 'X-S': by(PLACEHOLDER) }, 'body'));
      expect(seen[0]?.headers['x-s']).toBe(by(TOKEN));
    });
  });

  it('is refused over a body that is too large to be collected', async () => {
    await inPlaces([bearer({ inject: [{ hmac }] })], async (world) => {
      const text = await world.exchange(
        `POST / HTTP/1.1\r\nHost: ${API}\r\nX-Hub-Signature-256: sha256=0\r\nContent-Length: 9000000\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 413 /);
      expect(errorOf(text).code).toBe('egress_body_too_large');
    });
  });

  it('is no place for the placeholder itself, and no place in a request that is not covered', async () => {
    await inPlaces([bearer({ methods: ['POST'], inject: [{ hmac }] })], async (world, seen) => {
      const literal = await world.request(asked(`sha256=${PLACEHOLDER}`, 'body'));
      expect(errorOf(literal).code).toBe('egress_placeholder_misplaced');
      await world.request({ ...asked(signed(PLACEHOLDER, 'body'), 'body'), method: 'PUT' });
      expect(seen[0]?.headers['x-hub-signature-256']).toBe(signed(PLACEHOLDER, 'body'));
      expect(world.uses).toEqual([]);
    });
  });
});

describe('several credentials', () => {
  it('go into one request, each into its place', async () => {
    const credentials = [
      bearer({ inject: [{ header: 'X-Key', format: '{token}' }, { query: 'k' }] }),
      second({ inject: [{ header: 'X-App', format: 'app {token}' }, { cookie: 'c' }] }),
    ];
    await inPlaces(credentials, async (world, seen) => {
      await world.request({
        path: `/?k=${PLACEHOLDER}`,
        headers: { 'X-App': `app ${SECOND}`, 'X-Key': PLACEHOLDER, Cookie: `c=${SECOND}` },
      });
      expect(seen[0]).toMatchObject({
        url: `/?k=${TOKEN}`,
        headers: { 'x-app': 'app second/value', 'x-key': TOKEN, cookie: 'c=second/value', host: API },
      });
      expect(world.uses).toHaveLength(2);
    });
  });

  it('go into one URL, into both halves of Basic, into one JSON and one form', async () => {
    const credentials = [
      bearer({
        inject: [{ path: '/bot{token}' }, { query: 'a' }, { basic: 'user' }, { json: '/a' }, { form: 'a' }],
      }),
      second({ inject: [{ query: 'b' }, { basic: 'password' }, { json: '/b/0' }, { form: 'b' }] }),
    ];
    await inPlaces(credentials, async (world, seen) => {
      const Authorization = `Basic ${btoa(`${PLACEHOLDER}:${SECOND}`)}`;
      await world.request({
        path: `/bot${PLACEHOLDER}/x?b=${SECOND}&c=1&a=${PLACEHOLDER}`,
        headers: { Authorization },
      });
      await world.request(
        post({ 'Content-Type': 'application/json' }, JSON.stringify({ b: [SECOND], a: PLACEHOLDER, c: 'é' })),
      );
      await world.request(post(FORM, `b=${SECOND}&a=${PLACEHOLDER}`));
      expect(seen.map(({ url, headers, body }) => [url, headers.authorization, body.toString()])).toEqual([
        [`/bot${TOKEN}/x?b=second%2Fvalue&c=1&a=${TOKEN}`, `Basic ${btoa(`${TOKEN}:second/value`)}`, ''],
        ['/', undefined, `{"b":["second/value"],"a":"${TOKEN}","c":"é"}`],
        ['/', undefined, `b=second%2Fvalue&a=${TOKEN}`],
      ]);
      expect(world.uses.map(({ credential }) => credential).toSorted()).toEqual([
        'SECOND',
        'SECOND',
        'SECOND',
        'TOKEN',
        'TOKEN',
        'TOKEN',
      ]);
    });
  });
});

describe('over HTTP/2 on both sides', () => {
  it('a cookie in crumbs, a path segment and a form that streams become what they become over HTTP/1.1', async () => {
    const seen: { path: string; cookie: string; body: string }[] = [];
    const upstream = await http2Upstream(async (stream, headers) => {
      let body = '';
      for await (const piece of stream) body += String(piece);
      seen.push({ path: headers[':path'] ?? '', cookie: headers.cookie ?? '', body });
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
    const credentials = [
      bearer({ inject: [{ cookie: 'sid' }, { form: 'key' }] }),
      second({ inject: [{ path: '/bot{token}' }] }),
    ];
    const secrets = { TOKEN, SECOND: 'second:value' };
    await inWorld({ upstreams: { 'api.test:443': upstream }, credentials, secrets }, async (world) => {
      const session = await connectHttp2(world);
      const filler = `filler=${'f'.repeat(300_000)}`;
      const stream = session.request({
        ':method': 'POST',
        ':path': `/bot${SECOND}/x`,
        cookie: ['a=b', `sid=${PLACEHOLDER}`],
        'content-type': 'application/x-www-form-urlencoded',
      });
      stream.end(`${filler}&key=${PLACEHOLDER}&${filler}`);
      const reply = await replyOf(stream);
      expect([reply.status, reply.body.toString()]).toEqual([200, 'ok']);
      expect(seen).toEqual([
        {
          path: '/botsecond:value/x',
          cookie: `a=b; sid=${TOKEN}`,
          body: `${filler}&key=${TOKEN}&${filler}`,
        },
      ]);
      session.destroy();
    });
  });
});
