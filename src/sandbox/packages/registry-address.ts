/**
 * Addresses of package registries, as they are configured and as an install cell sees them. Pure.
 *
 * A cell reaches names only: for a registry that is configured by its address the gateway makes up a name, which it alone
 * resolves, to that address.
 */
import { err, ok, type Result } from '../../kernel/index.ts';
import { addressFamily, parseAuthority } from '../../wire/index.ts';
import type { RegistryHost } from './install-cell.ts';

export interface RegistryAddress {
  /** What the installer in the cell is given; ends with a slash, has no login in it. */
  readonly url: string;
  readonly host: RegistryHost;
}

const DEFAULT_PORTS = { 'https:': 443, 'http:': 80 } as const;

/** @param text `https://HOST[:PORT]/[PATH]`, or the same with http. @returns what is wrong with it, in words */
export function registryAddress(text: string): Result<RegistryAddress, string> {
  if (!URL.canParse(text)) return err('is not an address such as https://registry.example.com/');
  const url = new URL(text);
  const { protocol, username, password, search, hash } = url;
  if (protocol !== 'https:' && protocol !== 'http:') return err('begins with neither https:// nor http://');
  if (username !== '' || password !== '') return err('must not hold a user name or a password');
  if (search !== '' || hash !== '') return err('must not have a part after ? or #');
  const place = parseAuthority(url.hostname, DEFAULT_PORTS[protocol]);
  if (!place.ok) return err('does not name a host');
  const port = url.port === '' ? DEFAULT_PORTS[protocol] : Number(url.port);
  const named = reachableName(place.value.host, port);
  url.hostname = named.host;
  return ok({
    url: url.href.endsWith('/') ? url.href : `${url.href}/`,
    host: { ...named, port, protocol: protocol === 'https:' ? 'https' : 'http' },
  });
}

/** The host itself, or a name for it where it is an address. */
export function reachableName(host: string, port: number): Pick<RegistryHost, 'host' | 'dial'> {
  const family = addressFamily(host);
  if (family === null) return { host };
  const label = `ip${family}-${host.replaceAll(/[.:]/g, '-')}-x`;
  return {
    host: `${label}.sallyport.internal`,
    dial: family === 6 ? `[${host}]:${port}` : `${host}:${port}`,
  };
}
