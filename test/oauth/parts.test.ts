/** What is pure: challenges, addresses, proof keys, scopes, documents. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import {
  isResourceOf,
  issuerUrl,
  loginUrl,
  resourceMetadataUrls,
  sameIssuer,
  serverMetadataUrls,
} from '../../src/oauth/addresses.ts';
import { parseChallenge } from '../../src/oauth/challenge.ts';
import { type Grant, grantData, readGrant } from '../../src/oauth/grant.ts';
import { readResourceMetadata, readServerMetadata } from '../../src/oauth/metadata.ts';
import { challengeOf } from '../../src/oauth/pkce.ts';
import { beyond, scopesIn, unionOf } from '../../src/oauth/scopes.ts';
import { readTokens } from '../../src/oauth/token-answer.ts';

describe('a challenge', () => {
  const none = { metadataUrl: null, scopes: [], error: null };
  it.each<[string, ReturnType<typeof parseChallenge>]>([
    ['Bearer', none],
    ['bearer realm="x"', none],
    ['Bearer resource_metadata="https://a.test/x"', { ...none, metadataUrl: 'https://a.test/x' }],
    [
      'Bearer scope="a b", error=insufficient_scope',
      { ...none, scopes: ['a', 'b'], error: 'insufficient_scope' },
    ],
    ['Basic realm="Bearer scope=no", Bearer scope="a"', { ...none, scopes: ['a'] }],
    ['Bearer scope="a", Basic scope="b"', { ...none, scopes: ['a'] }],
    ['Negotiate YWJj==, Bearer error="x"', { ...none, error: 'x' }],
    ['Bearer realm="a\\"b", scope="c"', { ...none, scopes: ['c'] }],
    ['Bearer scope = "a" , error = "b"', { ...none, scopes: ['a'], error: 'b' }],
    ['Bearer scope="a", scope="b"', { ...none, scopes: ['a'] }],
    ['Bearer SCOPE="a"', { ...none, scopes: ['a'] }],
    ['Bearer xresource_metadata="https://evil.test"', none],
    ['Basic realm="x"', null],
    ['', null],
    [`Bearer ${'a'.repeat(limits.oauthChallengeCharsMax)}`, null],
  ])('%s', (header, expected) => {
    expect(parseChallenge(header)).toEqual(expected);
  });

  it('of any text whatever takes no time and throws nothing', () => {
    const piece = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'scope', 'a', '\u00e9', '\t');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 400 }), (pieces) => {
        const read = parseChallenge(pieces.join(''));
        return read === null || Array.isArray(read.scopes);
      }),
    );
  });
});

describe('addresses', () => {
  const hrefs = (urls: readonly URL[]): string[] => urls.map(({ href }) => href);

  // RFC 9728 section 3.1; RFC 8414 section 3.1; OpenID Connect Discovery 1.0 section 4.
  it('of a server are with its path, then without', () => {
    expect(hrefs(resourceMetadataUrls(new URL('https://a.test/public/mcp')))).toEqual([
      'https://a.test/.well-known/oauth-protected-resource/public/mcp',
      'https://a.test/.well-known/oauth-protected-resource',
    ]);
    expect(hrefs(resourceMetadataUrls(new URL('https://a.test/')))).toEqual([
      'https://a.test/.well-known/oauth-protected-resource',
    ]);
    expect(hrefs(resourceMetadataUrls(new URL('https://a.test//evil.test/x')))[0]).toBe(
      'https://a.test/.well-known/oauth-protected-resource//evil.test/x',
    );
  });

  it('of an authorization server are three with a path, and two without', () => {
    expect(hrefs(serverMetadataUrls(new URL('https://a.test/tenant1')))).toEqual([
      'https://a.test/.well-known/oauth-authorization-server/tenant1',
      'https://a.test/.well-known/openid-configuration/tenant1',
      'https://a.test/tenant1/.well-known/openid-configuration',
    ]);
    expect(hrefs(serverMetadataUrls(new URL('https://a.test')))).toEqual([
      'https://a.test/.well-known/oauth-authorization-server',
      'https://a.test/.well-known/openid-configuration',
    ]);
  });

  it('stay at the host of the issuer, whatever its path', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('/', '.', '\\', '%2f', 'a', '@', ':', 'evil.test') }),
        fc.constantFrom('', '/', '//evil.test', '/\\evil.test'),
        (path, begin) => {
          const issuer = URL.parse(`https://a.test${begin}${path}`);
          return (
            issuer === null || serverMetadataUrls(issuer).every(({ origin }) => origin === issuer.origin)
          );
        },
      ),
    );
  });

  it.each<[string, string | true]>([
    ['https://a.test/x?y', true],
    ['http://127.0.0.1:9/x', true],
    ['http://localhost/', true],
    ['http://[::1]:80/', true],
    ['http://a.test/', 'not_https'],
    ['http://127.0.0.1.evil.test/', 'not_https'],
    ['http://localhost.evil.test/', 'not_https'],
    ['ftp://a.test/', 'not_an_address'],
    ['javascript:alert(1)', 'not_an_address'],
    ['data:text/html,x', 'not_an_address'],
    ['file:///etc/passwd', 'not_an_address'],
    ['/relative', 'not_an_address'],
    ['https://user:pass@a.test/', 'with_credentials'],
    ['https://a.test/#x', 'with_fragment'],
    ['https://a.test/#', 'with_fragment'],
    [`https://a.test/${'x'.repeat(limits.oauthTextCharsMax)}`, 'not_an_address'],
  ])('are good for a login or not: %s', (text, expected) => {
    const read = loginUrl(text);
    expect(read.ok ? true : read.error).toBe(expected);
  });

  it('of an issuer have no query', () => {
    expect(issuerUrl('https://a.test/?')).toEqual({ ok: false, error: 'with_query' });
    expect(issuerUrl('https://a.test/?x')).toEqual({ ok: false, error: 'with_query' });
    expect(sameIssuer('https://a.test', 'https://a.test/')).toBe(true);
    expect(sameIssuer('https://a.test/x', 'https://a.test/X')).toBe(false);
    expect(sameIssuer('https://a.test//', 'https://a.test')).toBe(false);
  });

  it.each<[string, boolean]>([
    ['https://a.test/v1/mcp', true],
    ['https://a.test/v1', true],
    ['https://a.test', true],
    ['https://a.test/v1/mcp/deeper', false],
    ['https://a.test/v', false],
    ['https://a.test/v1/mcp?x', false],
    ['https://b.test/v1/mcp', false],
    ['http://a.test/v1/mcp', false],
    ['https://a.test:8443/v1/mcp', false],
  ])('of a resource name a server or not: %s', (resource, expected) => {
    expect(isResourceOf(new URL(resource), new URL('https://a.test/v1/mcp'))).toBe(expected);
  });
});

it('the proof key is that of RFC 7636 appendix B', () => {
  expect(challengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  );
});

it('scopes keep their order, and each is there once', () => {
  expect(scopesIn('b a  b "x" c\u0000')).toEqual(['b', 'a']);
  expect(scopesIn(null)).toEqual([]);
  expect(unionOf(['a', 'b'], ['c', 'a'])).toEqual(['a', 'b', 'c']);
  expect(beyond(['a'], ['a', 'b'])).toEqual(['b']);
  expect(unionOf(Array.from({ length: 1_000 }, (_, at) => String(at)))).toHaveLength(limits.oauthScopesMax);
});

describe('documents', () => {
  const server = {
    issuer: 'https://as.test',
    authorization_endpoint: 'https://as.test/a',
    token_endpoint: 'https://as.test/t',
    code_challenge_methods_supported: ['plain', 'S256'],
  };
  const faultOf = (over: object): unknown => {
    const read = readServerMetadata({ ...server, ...over }, 'https://as.test');
    return read.ok ? null : read.error;
  };
  it.each<[string, object, object | null]>([
    ['that are right', {}, null],
    ['of another issuer', { issuer: 'https://evil.test' }, { kind: 'issuer', said: 'https://evil.test' }],
    ['without an issuer', { issuer: 1 }, { kind: 'field', field: 'issuer' }],
    [
      'without proof keys',
      { code_challenge_methods_supported: ['plain'] },
      { field: 'code_challenge_methods_supported' },
    ],
    [
      'that do not say so',
      { code_challenge_methods_supported: undefined },
      { field: 'code_challenge_methods_supported' },
    ],
    ['without codes', { response_types_supported: ['token'] }, { field: 'response_types_supported' }],
    ['without a token endpoint', { token_endpoint: undefined }, { field: 'token_endpoint' }],
    [
      'without a page to log in at',
      { authorization_endpoint: undefined },
      { field: 'authorization_endpoint' },
    ],
    [
      'with a plain token endpoint',
      { token_endpoint: 'http://as.test/t' },
      { kind: 'address', fault: 'not_https' },
    ],
    [
      'that run a script',
      { authorization_endpoint: 'javascript:x' },
      { kind: 'address', fault: 'not_an_address' },
    ],
    [
      'with a plain registration',
      { registration_endpoint: 'http://as.test/r' },
      { kind: 'address', fault: 'not_https' },
    ],
  ])('of authorization servers %s', (_name, over, expected) => {
    if (expected === null) expect(faultOf(over)).toBeNull();
    else expect(faultOf(over)).toMatchObject(expected);
  });

  it.each<[string, object, boolean]>([
    ['that are right', {}, true],
    ['without a name', { resource: undefined }, false],
    ['of no authorization server', { authorization_servers: [] }, false],
    ['of none either', { authorization_servers: undefined }, false],
    ['of something else', { authorization_servers: [1] }, false],
    ['with scopes that are none', { scopes_supported: 'a' }, false],
    ['without TLS', { resource: 'http://a.test/' }, false],
  ])('of servers %s', (_name, over, expected) => {
    const document = { resource: 'https://a.test/', authorization_servers: ['https://as.test'], ...over };
    expect(readResourceMetadata(document).ok).toBe(expected);
  });

  it.each<[string, Record<string, string | number>, object | string]>([
    ['a token', {}, { accessToken: 't', refreshToken: null, expiresIn: null, scopes: null }],
    ['seconds as text', { expires_in: '60' }, { expiresIn: 60 }],
    ['seconds that are none', { expires_in: -1 }, { expiresIn: null }],
    ['scopes', { scope: 'a b' }, { scopes: ['a', 'b'] }],
    ['another kind', { token_type: 'mac' }, 'token_type'],
    ['a token of two lines', { access_token: 'a\r\nX: y' }, 'access_token'],
    ['a token that is too long', { access_token: 'a'.repeat(limits.oauthTokenCharsMax + 1) }, 'access_token'],
    ['a refresh token that is none', { refresh_token: '' }, 'refresh_token'],
  ])('of tokens: %s', (_name, over, expected) => {
    const read = readTokens({ access_token: 't', token_type: 'Bearer', ...over });
    if (typeof expected === 'string') expect(read.ok ? '' : read.error).toContain(expected);
    else expect(read.ok && read.value).toMatchObject(expected);
  });
});

describe('what is kept of a login', () => {
  const grant: Grant = {
    issuer: 'https://as.test',
    tokenEndpoint: 'https://as.test/t',
    revocationEndpoint: null,
    clientId: 'c',
    clientAuth: 'none',
    clientFrom: 'registered',
    redirectUri: 'http://127.0.0.1:1/',
    resource: null,
    asked: ['a'],
    wanted: ['a', 'b'],
    granted: ['a'],
    state: 'ready',
    expiresAt: 1,
    refreshable: true,
    rotates: null,
    refreshedAt: 2,
    refreshing: { by: 'me', at: 3, version: 4 },
    stepUps: 1,
    steppedUpAt: 5,
  };
  it('comes back as it was', () => {
    expect(readGrant(grant.issuer, grantData(grant))).toEqual(grant);
  });
  it('is nothing where anything is missing that nothing can be done without', () => {
    for (const field of ['tokenEndpoint', 'clientId', 'redirectUri', 'clientAuth'])
      expect(readGrant('x', { ...grantData(grant), [field]: 1 }), field).toBeNull();
    expect(readGrant('x', [])).toBeNull();
  });
  it('that cannot be read is as used up as can be', () => {
    expect(readGrant('x', { ...grantData(grant), refreshing: {} })?.refreshing).toEqual({
      by: '',
      at: 0,
      version: Number.MAX_SAFE_INTEGER,
    });
    expect(readGrant('x', { ...grantData(grant), state: 'nonsense' })?.state).toBe('login_needed');
  });
});
