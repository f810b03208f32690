/**
 * `host`, `host:port` and `[v6]:port` as in Host headers, `:authority`, CONNECT targets and settings. What
 * comes out names exactly one host and one port in canonical form; anything with two readings is refused.
 */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { addressFamily, canonicalAddress } from './address.ts';
import { type HostnameError, parseHostname } from './hostname.ts';

export interface Authority {
  /** Canonical name, dotted quad, or RFC 5952 text without brackets. */
  readonly host: string;
  readonly port: number;
  readonly kind: 'name' | 'ipv4' | 'ipv6';
}

export type AuthorityError =
  | HostnameError
  | 'authority_empty'
  | 'authority_too_long'
  | 'authority_userinfo'
  | 'authority_bracket' /** unbalanced brackets, or something other than an IPv6 address in them */
  | 'authority_port'; /** empty, not decimal, leading zero, or outside 1 to 65535 */

const PORT = /^[1-9][0-9]{0,4}$/;

/** A decimal port without sign, space or leading zero; `null` when it is none. */
export function parsePort(text: string): number | null {
  if (!PORT.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}

/** @param defaultPort the port where the text names none */
export function parseAuthority(raw: string, defaultPort: number): Result<Authority, AuthorityError> {
  if (raw === '') return err('authority_empty');
  if (raw.length > limits.hostnameRawCharsMax) return err('authority_too_long');
  if (raw.includes('@')) return err('authority_userinfo');
  const split = splitPort(raw, defaultPort);
  if (!split.ok) return split;
  const { host, port, bracketed } = split.value;

  if (bracketed) {
    const address = addressFamily(host) === 6 ? canonicalAddress(host) : null;
    return address === null ? err('authority_bracket') : ok({ host: address, port, kind: 'ipv6' });
  }
  if (host === '') return err('authority_empty');
  if (addressFamily(host) === 4) return ok({ host, port, kind: 'ipv4' });
  const name = parseHostname(host);
  return name.ok ? ok({ host: name.value, port, kind: 'name' }) : name;
}

interface Split {
  readonly host: string;
  readonly port: number;
  readonly bracketed: boolean;
}

function splitPort(raw: string, defaultPort: number): Result<Split, AuthorityError> {
  const bracketed = raw.startsWith('[');
  const end = bracketed ? raw.indexOf(']') : raw.indexOf(':');
  if (bracketed && end < 0) return err('authority_bracket');
  const host = bracketed ? raw.slice(1, end) : end < 0 ? raw : raw.slice(0, end);
  const rest = bracketed ? raw.slice(end + 1) : end < 0 ? '' : raw.slice(end);
  if (rest === '') return ok({ host, port: defaultPort, bracketed });
  if (!rest.startsWith(':')) return err('authority_bracket');
  const port = parsePort(rest.slice(1));
  return port === null ? err('authority_port') : ok({ host, port, bracketed });
}
