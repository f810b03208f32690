/**
 * DNS host names as they arrive in SNI, Host headers, DNS questions and configuration. Trusts nothing: what
 * comes out is the one lower-case A-label form without a trailing dot, or a reason. Never resolves.
 */
import { domainToASCII, domainToUnicode } from 'node:url';
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { addressFamily } from './address.ts';

export type HostnameError =
  | 'hostname_empty'
  | 'hostname_too_long'
  | 'hostname_character' /** outside letters, digits, hyphen and dot, underscore included */
  | 'hostname_label_empty'
  | 'hostname_label_too_long'
  | 'hostname_label_hyphen' /** a label starts or ends with a hyphen */
  | 'hostname_idna' /** not a valid internationalised name */
  | 'hostname_ip_literal' /** an address, not a name */
  | 'hostname_numeric'; /** an address in disguise: `127.1`, `0x7f.1`, `2130706433` */

/** ASCII that must never reach the IDNA mapping, which would decode, drop or stop at it. */
const FORBIDDEN_ASCII = /[\x00-\x2c/:-@[-`{-\x7f]/;
const NON_ASCII = /[^\x00-\x7f]/;
const LABEL = /^[a-z0-9-]+$/;
/** What the WHATWG URL standard takes for an IPv4 address by its last label. */
const NUMERIC_LABEL = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/**
 * The canonical form of a host name: lower-case, A-labels, no trailing dot. Homographs stay distinct from what
 * they imitate, because they become `xn--` labels.
 */
export function parseHostname(raw: string): Result<string, HostnameError> {
  if (raw === '' || raw === '.') return err('hostname_empty');
  if (raw.length > limits.hostnameRawCharsMax) return err('hostname_too_long');
  if (raw.startsWith('[') || addressFamily(raw) === 6) return err('hostname_ip_literal');
  if (FORBIDDEN_ASCII.test(raw)) return err('hostname_character');

  let name = NON_ASCII.test(raw) ? domainToASCII(raw) : raw.toLowerCase();
  if (name === '') return err('hostname_idna');
  if (name.endsWith('.')) name = name.slice(0, -1);
  if (addressFamily(name) === 4) {
    return err(addressFamily(raw) === 4 ? 'hostname_ip_literal' : 'hostname_numeric');
  }
  return checkLabels(name);
}

function checkLabels(name: string): Result<string, HostnameError> {
  if (name === '') return err('hostname_label_empty');
  if (name.length > limits.hostnameCharsMax) return err('hostname_too_long');
  const labels = name.split('.');
  for (const label of labels) {
    if (label === '') return err('hostname_label_empty');
    if (label.length > limits.hostnameLabelCharsMax) return err('hostname_label_too_long');
    if (!LABEL.test(label)) return err('hostname_character');
    if (label.startsWith('-') || label.endsWith('-')) return err('hostname_label_hyphen');
  }
  if (NUMERIC_LABEL.test(labels.at(-1) ?? '')) return err('hostname_numeric');
  if (!labels.every(isReversible)) return err('hostname_idna');
  return ok(name);
}

/** Whether an `xn--` label stands for something, and is the only way to write it. */
function isReversible(label: string): boolean {
  if (!label.startsWith('xn--')) return true;
  const unicode = domainToUnicode(label);
  return unicode !== label && domainToASCII(unicode) === label;
}

/**
 * Whether a pattern covers a host. A pattern is a name, or `*.` before at least two labels, which covers
 * every name below it but not itself. Both must be in canonical form; anything else covers nothing.
 */
export function matchHost(pattern: string, host: string): boolean {
  if (pattern === '' || host === '') return false;
  if (!pattern.startsWith('*')) return pattern === host;
  if (!pattern.startsWith('*.')) return false;
  const suffix = pattern.slice(1);
  if (suffix.includes('*') || suffix.endsWith('.') || suffix.indexOf('.', 1) < 0) return false;
  return (
    host.length > suffix.length &&
    host.endsWith(suffix) &&
    !host.startsWith('.') &&
    addressFamily(host) === null
  );
}
