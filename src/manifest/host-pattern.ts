/**
 * Host patterns of a manifest: a lower-case DNS name in A-label form, or `*.` and a suffix of at least two
 * labels. Says which may be written, and why not; what a pattern matches at run time is `wire`'s to decide.
 */
import { parse as parseDomain } from 'tldts';
import { type HostnameError, matchHost, parseHostname } from '../wire/index.ts';
import type { Complaint } from './report.ts';

/** Why a host pattern may not be written; undefined when it may. */
export function hostPatternFault(pattern: string): Complaint | undefined {
  const wildcard = pattern.startsWith('*.');
  const host = wildcard ? pattern.slice(2) : pattern;
  if (host.includes('*')) {
    return complain(
      'manifest_host_wildcard',
      `${shown(pattern)} has a wildcard in a place where none may be`,
      WILDCARD,
    );
  }
  const fault = nameFault(pattern, host);
  if (fault !== undefined || !wildcard) return fault;
  if (!host.includes('.')) {
    return complain('manifest_host_wildcard', `${shown(pattern)} covers a whole top-level domain`, WILDCARD);
  }
  return publicSuffixFault(host);
}

const WILDCARD = 'one leading "*." over at least two labels, e.g. "*.example.com", or none';
const LABELS = 'labels of a-z, 0-9 and inner hyphens, at most 63 characters each, joined by dots';

const EXPLAINED: Readonly<Record<HostnameError, { code: string; message: string; expected: string }>> = {
  hostname_empty: { code: 'manifest_host_invalid', message: 'is empty', expected: LABELS },
  hostname_too_long: {
    code: 'manifest_host_invalid',
    message: 'is too long',
    expected: 'at most 253 characters',
  },
  hostname_character: {
    code: 'manifest_host_invalid',
    message: 'has a character that no host name has',
    expected: LABELS,
  },
  hostname_label_empty: { code: 'manifest_host_invalid', message: 'has an empty label', expected: LABELS },
  hostname_label_too_long: {
    code: 'manifest_host_invalid',
    message: 'has a label that is too long',
    expected: LABELS,
  },
  hostname_label_hyphen: {
    code: 'manifest_host_invalid',
    message: 'has a label with a hyphen at its end',
    expected: LABELS,
  },
  hostname_idna: {
    code: 'manifest_host_invalid',
    message: 'is not a valid internationalised name',
    expected: LABELS,
  },
  hostname_ip_literal: { code: 'manifest_host_address', message: 'is an address', expected: 'a DNS name' },
  hostname_numeric: {
    code: 'manifest_host_address',
    message: 'is read as an address',
    expected: 'a DNS name',
  },
};

function nameFault(pattern: string, host: string): Complaint | undefined {
  if (/^\d+(?:\.\d+){3}:\d+$|^\[.*\]/.test(host)) {
    return complain('manifest_host_address', `${shown(pattern)} is an address`, 'a DNS name');
  }
  const parsed = parseHostname(host);
  if (!parsed.ok) {
    if (parsed.error === 'hostname_character' && /[:/@?#]/.test(host)) {
      const expected = 'the host name alone; port and paths have keys of their own';
      return complain('manifest_host_not_a_name', `${shown(pattern)} is more than a host name`, expected);
    }
    const { code, message, expected } = EXPLAINED[parsed.error];
    return complain(code, `${shown(pattern)} ${message}`, expected);
  }
  if (parsed.value === host) return undefined;
  const canonical = pattern.startsWith('*.') ? `*.${parsed.value}` : parsed.value;
  return complain(
    'manifest_host_not_canonical',
    `${shown(pattern)} is not in its canonical form`,
    shown(canonical),
  );
}

/** Where the large clouds hand out names below their own, as far as the public suffix list knows them. */
const TENANT_LABELS = [
  's3',
  'elb',
  'compute',
  'execute-api',
  'lambda-url.us-east-1',
  'blob',
  'blob.core',
  'web.core',
  'cloudapp',
];

/**
 * A wildcard over a public suffix (the list's private section included) reaches names that anybody may
 * register: `*.co.uk`, `*.github.io`. So does one over a name that has such suffixes below: `*.amazonaws.com`.
 *
 * @param suffix what stands after `*.`
 */
function publicSuffixFault(suffix: string): Complaint | undefined {
  const open = [suffix, ...TENANT_LABELS.map((label) => `${label}.${suffix}`)].find(isPublicSuffix);
  if (open === undefined) return undefined;
  return complain(
    'manifest_host_public_suffix',
    `anybody can register a name under ${shown(open)}, so "*.${suffix}" would reach strangers`,
    `the exact hosts, or a wildcard over one owner's name, e.g. "*.owner.${open}"`,
  );
}

const isPublicSuffix = (name: string): boolean =>
  parseDomain(name, { allowPrivateDomains: true, validateHostname: false }).publicSuffix === name;

/** Whether every host that `inner` matches is matched by `outer` too. Both must be free of faults. */
export function covers(outer: string, inner: string): boolean {
  if (outer === inner) return true;
  return inner.startsWith('*.')
    ? outer.startsWith('*.') && matchHost(outer, inner.slice(2))
    : matchHost(outer, inner);
}

/** Names that lead into the machine or its neighbourhood rather than to a service on the internet. */
export const isInternalName = (host: string): boolean =>
  !host.includes('.') || /(?:^|\.)(?:localhost|local|localdomain|internal|home\.arpa)$/.test(host);

const shown = (text: string): string => JSON.stringify(text);
const complain = (code: string, message: string, expected: string): Complaint => ({
  code,
  message,
  expected,
});
