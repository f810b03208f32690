/** Which requests a probe makes is decided without a socket: nothing that the rules and the binding do not both allow. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EgressRule, InjectRule } from '../../../src/egress/index.ts';
import { type Ask, planProbe, type ProbeScope } from '../../../src/egress/probe/plan.ts';
import { probeRequest } from '../../../src/egress/probe/request.ts';
import { limits } from '../../../src/kernel/index.ts';
import { matchBinding, matchEgress } from '../../../src/policy/index.ts';

const HEADER: InjectRule = { header: 'Authorization', format: 'Bearer {token}' };
const rule = (host: string, over: Partial<EgressRule> = {}): EgressRule => ({
  host,
  port: 443,
  protocol: 'https',
  ...over,
});
const scope = (over: Partial<ProbeScope> = {}): ProbeScope => ({
  rules: [rule('api.test')],
  credentials: [{ name: 'KEY', hosts: ['api.test'], inject: [HEADER] }],
  target: null,
  home: null,
  hosts: [],
  post: false,
  ...over,
});
const credential = (over: Partial<ProbeScope['credentials'][number]>): ProbeScope['credentials'] => [
  { name: 'KEY', hosts: ['api.test'], inject: [HEADER], ...over },
];

/** One line for each entry. */
const told = (over: Partial<ProbeScope>): string[] =>
  planProbe(scope(over)).map((entry) => {
    const { credential: name, place, to } = entry;
    const where = `${name} ${place} ${to.scheme}://${to.host}:${to.port}`;
    return 'code' in entry
      ? `${where} ${entry.code}: ${entry.reason}`
      : `${where} ${entry.method} ${entry.target.raw}`;
  });

const BODY_PLACE = 'probe_body_place: it goes into a body: allow requests with one with --post';

describe('a plan', () => {
  it.each<[string, Partial<ProbeScope>, string[]]>([
    ['one request for one place', {}, ['KEY header Authorization https://api.test:443 GET /']],
    [
      "the server's own address first, at its own host and where it is allowed",
      {
        rules: [rule('api.test', { paths: ['/mcp', '/x'] }), rule('other.test', { paths: ['/y'] })],
        credentials: [{ name: 'KEY', hosts: ['api.test', 'other.test'], inject: [HEADER] }],
        home: { host: 'api.test', port: 443, target: { path: '/mcp/v1', query: 'a=1', raw: '/mcp/v1?a=1' } },
      },
      [
        'KEY header Authorization https://api.test:443 GET /mcp/v1?a=1',
        'KEY header Authorization https://other.test:443 GET /y',
      ],
    ],
    [
      'another where its own is not allowed',
      {
        rules: [rule('api.test', { paths: ['/x'] })],
        home: { host: 'api.test', port: 443, target: { path: '/mcp', query: null, raw: '/mcp' } },
      },
      ['KEY header Authorization https://api.test:443 GET /x'],
    ],
    [
      'one for each credential, host and place',
      {
        rules: [rule('api.test'), rule('up.test', { port: 8080, protocol: 'http' })],
        credentials: [
          { name: 'A', hosts: ['api.test', 'up.test'], inject: [HEADER, { query: 'k' }] },
          { name: 'B', hosts: ['up.test'], inject: [{ basic: 'user' }] },
        ],
      },
      [
        'A header Authorization https://api.test:443 GET /',
        'A query k https://api.test:443 GET /',
        'A header Authorization http://up.test:8080 GET /',
        'A query k http://up.test:8080 GET /',
        'B basic user http://up.test:8080 GET /',
      ],
    ],
    ['nothing where the credential is not bound', { rules: [rule('other.test')] }, []],
    ['nothing at a port that it is not bound to', { credentials: credential({ ports: [8443] }) }, []],
    [
      'one for a place that two rules allow',
      { rules: [rule('api.test', { methods: ['GET'] }), rule('api.test', { methods: ['POST'] })] },
      ['KEY header Authorization https://api.test:443 GET /'],
    ],
    [
      'HEAD where GET is not allowed',
      { rules: [rule('api.test', { methods: ['POST', 'OPTIONS', 'HEAD'] })] },
      ['KEY header Authorization https://api.test:443 HEAD /'],
    ],
    [
      'OPTIONS where the binding allows nothing better',
      { credentials: credential({ methods: ['OPTIONS', 'POST'] }) },
      ['KEY header Authorization https://api.test:443 OPTIONS /'],
    ],
    [
      'no POST unless it was asked for',
      { rules: [rule('api.test', { methods: ['POST'] })] },
      ['KEY header Authorization https://api.test:443 probe_method: only POST allowed'],
    ],
    [
      'POST when it was',
      { rules: [rule('api.test', { methods: ['POST'] })], post: true },
      ['KEY header Authorization https://api.test:443 POST /'],
    ],
    [
      'never DELETE',
      { rules: [rule('api.test', { methods: ['DELETE'] })], post: true },
      ['KEY header Authorization https://api.test:443 probe_method: only DELETE allowed'],
    ],
    [
      "the first path that both allow, the binding's own first",
      {
        rules: [rule('api.test', { paths: ['/v1', '/v2/users'] })],
        credentials: credential({ paths: ['/v2'] }),
      },
      ['KEY header Authorization https://api.test:443 GET /v2/users'],
    ],
    [
      'the path that was asked for, with its query',
      { target: { path: '/me', query: 'a=1', raw: '/me?a=1' } },
      ['KEY header Authorization https://api.test:443 GET /me?a=1'],
    ],
    [
      'not a path that is not allowed',
      {
        rules: [rule('api.test', { paths: ['/v1'] })],
        target: { path: '/v2', query: null, raw: '/v2' },
      },
      [
        'KEY header Authorization https://api.test:443 probe_path: no request to /v2 is allowed: choose another path with --path',
      ],
    ],
    [
      'no wildcard',
      { rules: [rule('*.api.test')], credentials: credential({ hosts: ['*.api.test'] }) },
      [
        'KEY header Authorization https://*.api.test:443 probe_wildcard: *.api.test is a wildcard: name a host below it with --host',
      ],
    ],
    [
      'names below a wildcard that were given, and those alone',
      {
        rules: [rule('*.api.test')],
        credentials: credential({ hosts: ['*.eu.api.test'] }),
        hosts: ['us.api.test', 'a.eu.api.test', 'b.eu.api.test'],
      },
      [
        'KEY header Authorization https://a.eu.api.test:443 GET /',
        'KEY header Authorization https://b.eu.api.test:443 GET /',
      ],
    ],
    [
      'the exact host of a rule below a wildcard of the binding, and the other way round',
      {
        rules: [rule('a.api.test'), rule('*.up.test')],
        credentials: credential({ hosts: ['*.api.test', 'b.up.test'] }),
      },
      [
        'KEY header Authorization https://a.api.test:443 GET /',
        'KEY header Authorization https://b.up.test:443 GET /',
      ],
    ],
    [
      'no bodies, no messages and no signatures',
      {
        credentials: credential({
          inject: [
            { json: '/k' },
            { form: 'k' },
            { multipart: 'k' },
            { websocket: 'text' },
            {
              hmac: {
                header: 'X-Sum',
                format: '{signature}',
                over: 'body',
                algorithm: 'sha256',
                encoding: 'hex',
              },
            },
          ],
        }),
      },
      [
        `KEY json /k https://api.test:443 ${BODY_PLACE}`,
        `KEY form k https://api.test:443 ${BODY_PLACE}`,
        `KEY multipart k https://api.test:443 ${BODY_PLACE}`,
        'KEY websocket text https://api.test:443 probe_websocket: messages on WebSocket connections are not probed',
        'KEY hmac X-Sum https://api.test:443 probe_signature: it only signs: the value itself is never sent',
      ],
    ],
    [
      'bodies when they were asked for, with a method that has one',
      {
        rules: [rule('api.test', { methods: ['GET', 'PUT'] })],
        credentials: credential({ inject: [{ json: '/k' }, { query: 'k' }] }),
        post: true,
      },
      ['KEY json /k https://api.test:443 PUT /', 'KEY query k https://api.test:443 GET /'],
    ],
    [
      'no body where no method with one is allowed',
      {
        rules: [rule('api.test', { methods: ['GET'] })],
        credentials: credential({ inject: [{ form: 'k' }] }),
        post: true,
      },
      ['KEY form k https://api.test:443 probe_method: only GET allowed'],
    ],
    [
      "a path rule's own path, whatever other path was asked for",
      {
        credentials: credential({ inject: [{ path: '/v1/*/bot{token}' }] }),
        target: { path: '/me', query: null, raw: '/me' },
      },
      ['KEY path /v1/*/bot{token} https://api.test:443 GET /v1/probe/bot{token}'],
    ],
  ])('has %s', (_name, over, expected) => {
    expect(told(over)).toEqual(expected);
  });

  it('is bounded, and says what it leaves out', () => {
    const hosts = Array.from({ length: limits.probeRequestsMax + 2 }, (_, at) => `h${at}.api.test`);
    const plan = planProbe(
      scope({ rules: [rule('*.api.test')], credentials: credential({ hosts: ['*.api.test'] }), hosts }),
    );
    expect(plan.map((entry) => ('code' in entry ? entry.code : 'ask')).slice(-3)).toEqual([
      'ask',
      'probe_too_many',
      'probe_too_many',
    ]);
  });

  it('asks nothing that the rules or the binding would not allow', () => {
    const host = fc.constantFrom('api.test', 'a.api.test', '*.api.test', '*.a.api.test', 'up.test');
    const methods = fc.option(
      fc.subarray(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'], { minLength: 1 }),
      { nil: undefined },
    );
    const paths = fc.option(fc.subarray(['/', '/a', '/a/b', '/c'], { minLength: 1 }), { nil: undefined });
    const ports = fc.option(fc.subarray([80, 443], { minLength: 1 }), { nil: undefined });
    const defined = <T extends object>(given: T) =>
      Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
        [Name in keyof T]: Exclude<T[Name], undefined>;
      };
    const rules = fc.array(
      fc
        .record({
          host,
          port: fc.constantFrom(80, 443),
          protocol: fc.constantFrom<'http' | 'https'>('http', 'https'),
          methods,
          paths,
        })
        .map(defined),
      { maxLength: 4 },
    );
    const inject: InjectRule[] = [HEADER, { query: 'k' }, { json: '/k' }, { path: '/a/x{token}' }];
    const binding = fc
      .record({ hosts: fc.array(host, { minLength: 1, maxLength: 3 }), ports, methods, paths })
      .map((given) => ({ name: 'KEY', inject, ...defined(given) }));
    let asked = 0;
    fc.assert(
      fc.property(rules, binding, fc.boolean(), (given, bound, post) => {
        const plan = planProbe(
          scope({ rules: given, credentials: [bound], post, hosts: ['a.api.test', 'b.a.api.test'] }),
        );
        for (const entry of plan) {
          if ('code' in entry) continue;
          asked += 1;
          const { to, method, target } = entry;
          const request = { host: to.host, port: to.port, method, path: target.path };
          expect(matchEgress(given, { ...request, protocol: to.scheme }).allow).toBe(true);
          expect(matchBinding(bound, request).allow).toBe(true);
          expect(method).not.toBe('DELETE');
          if (!post) expect(['GET', 'HEAD', 'OPTIONS']).toContain(method);
        }
      }),
      { numRuns: 500, seed: 20_261_121 },
    );
    expect(asked).toBeGreaterThan(100);
  });
});

describe('the request of a probe', () => {
  const ask = (given: InjectRule, over: Partial<Ask> = {}): Ask => ({
    credential: 'KEY',
    rule: given,
    place: '',
    to: { scheme: 'https', host: 'api.test', port: 443 },
    method: 'GET',
    target: { path: '/x', query: null, raw: '/x' },
    ...over,
  });
  const CANARY = 'key_a+b/c=';
  const shown = (given: Ask) => {
    const { target, fields, body } = probeRequest(given, CANARY);
    const own = fields.names
      .map((name, at) => `${name}: ${fields.values[at]}`)
      .filter((line) => !/^(?:User-Agent|Accept|Accept-Encoding): (?:Sallyport|\*|gzip)/.test(line));
    return [target, ...own, ...(body.kind === 'whole' ? [body.bytes.toString()] : [])];
  };
  const post: Partial<Ask> = { method: 'POST' };

  it.each<[Ask, string[]]>([
    [ask(HEADER), ['/x', `Authorization: Bearer ${CANARY}`]],
    [ask({ header: 'User-Agent', format: 'me {token}' }), ['/x', `User-Agent: me ${CANARY}`]],
    [
      ask({ basic: 'user' }),
      ['/x', `Authorization: Basic ${Buffer.from(`${CANARY}:probe`).toString('base64')}`],
    ],
    [
      ask({ basic: 'password' }),
      ['/x', `Authorization: Basic ${Buffer.from(`probe:${CANARY}`).toString('base64')}`],
    ],
    [ask({ query: 'a b' }), ['/x?a%20b=key_a%2Bb%2Fc%3D']],
    [
      ask({ query: 'k' }, { target: { path: '/x', query: 'a=1', raw: '/x?a=1' } }),
      ['/x?a=1&k=key_a%2Bb%2Fc%3D'],
    ],
    [ask({ cookie: 'sid' }), ['/x', `Cookie: sid=${CANARY}`]],
    [ask({ path: '/v1/*/bot{token}' }), ['/v1/probe/botkey_a%2Bb%2Fc%3D']],
    [
      ask({ json: '/a~1b/__proto__/c~0' }, post),
      ['/x', 'Content-Type: application/json', `{"a/b":{"__proto__":{"c~":"${CANARY}"}}}`],
    ],
    [
      ask({ form: 'a&b' }, post),
      ['/x', 'Content-Type: application/x-www-form-urlencoded', 'a%26b=key_a%2Bb%2Fc%3D'],
    ],
    [ask({ query: 'k' }, post), ['/x?k=key_a%2Bb%2Fc%3D', '']],
  ])('has the canary in its place: %#', (given, expected) => {
    expect(shown(given)).toEqual(expected);
  });

  it('has it in a part of a form with files', () => {
    const [, type, body = ''] = shown(ask({ multipart: 'a"b' }, post));
    const boundary = /^Content-Type: multipart\/form-data; boundary=(\S+)$/.exec(type ?? '')?.[1];
    expect(body).toBe(
      `--${boundary}\r\nContent-Disposition: form-data; name="a%22b"\r\n\r\n${CANARY}\r\n--${boundary}--\r\n`,
    );
  });

  it('names a port that is not the usual one', () => {
    const { authority, scheme } = probeRequest(
      ask(HEADER, { to: { scheme: 'http', host: 'api.test', port: 443 } }),
      CANARY,
    );
    expect([scheme, authority]).toEqual(['http', 'api.test:443']);
  });
});
