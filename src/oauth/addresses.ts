/** Where a server and its authorization server describe themselves, and which addresses are good for a login. Pure. */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { classifyAddress } from '../wire/index.ts';

export type AddressFault =
  | 'not_an_address'
  | 'not_https' /** plain HTTP, and not to this machine */
  | 'not_public' /** of this machine or network, named by a server that is not */
  | 'with_credentials' /** `user:password@` */
  | 'with_fragment'
  | 'with_query';

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);

/** What an address of the usual kinds is made of; readers of addresses pass over some of the rest, others do not. */
const PRINTABLE = /^[\x21-\x7e]*$/;

/**
 * An address that a login may use. Plain HTTP only to this machine, where nobody is in between; whether it may be
 * reached at all is the data plane's to say.
 */
export function loginUrl(text: string): Result<URL, AddressFault> {
  const url = text.length > limits.oauthTextCharsMax || !PRINTABLE.test(text) ? null : URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return err('not_an_address');
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) return err('not_https');
  if (url.username !== '' || url.password !== '') return err('with_credentials');
  return url.hash === '' && !text.includes('#') ? ok(url) : err('with_fragment');
}

/** Whether it says by itself that it is not of the public network. What a name leads to is the data plane's to look at. */
export function isInside({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$|\.$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const kind = classifyAddress(host);
  return kind !== 'invalid' && kind !== 'public';
}

/** RFC 8414 section 2: no query, no fragment. */
export function issuerUrl(text: string): Result<URL, AddressFault> {
  const url = loginUrl(text);
  return url.ok && (url.value.search !== '' || text.includes('?')) ? err('with_query') : url;
}

const withoutSlash = (path: string): string => (path.endsWith('/') ? path.slice(0, -1) : path);

/** RFC 9728 section 3.1: below the well-known name, with the server's path, then without. */
export function resourceMetadataUrls(server: URL): readonly URL[] {
  const root = new URL('/.well-known/oauth-protected-resource', server.origin);
  const path = withoutSlash(server.pathname);
  if (path === '' && server.search === '') return [root];
  return [new URL(`${root.href}${path}${server.search}`), root];
}

/** RFC 8414 section 3.1, then OpenID Connect's way in the one spelling and in the other. */
export function serverMetadataUrls(issuer: URL): readonly URL[] {
  const path = withoutSlash(issuer.pathname);
  const at = (where: string): URL => {
    const url = new URL(issuer.origin);
    // Not by resolving: a path of two slashes would be another host.
    url.pathname = where;
    return url;
  };
  const openid = at(`${path}/.well-known/openid-configuration`);
  const oauth = at(`/.well-known/oauth-authorization-server${path}`);
  return path === '' ? [oauth, openid] : [oauth, at(`/.well-known/openid-configuration${path}`), openid];
}

/** Whether two say the same, apart from one slash at the end, which decides nothing of where they lead. */
export const sameIssuer = (one: string, other: string): boolean => withoutSlash(one) === withoutSlash(other);

/** Whether a resource names this server: its very address, or one that it is below of, at the same origin. */
export function isResourceOf(resource: URL, server: URL): boolean {
  if (resource.origin !== server.origin) return false;
  const path = withoutSlash(resource.pathname);
  const within = server.pathname === path || server.pathname.startsWith(`${path}/`);
  return within && (resource.search === '' || resource.search === server.search);
}
