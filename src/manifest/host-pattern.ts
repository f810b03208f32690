/**
 * Host patterns of a manifest: a lower-case DNS name in A-label form, or `*.` and a suffix of at least two
 * labels. Pure; what a pattern matches at run time is decided in `wire`, this says which may be written.
 */
import { parse as parseDomain } from 'tldts';
import type { Complaint } from './report.ts';

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 1035 section 2.3.4. */
const NAME_CHARS_MAX = 253;

/** A last label of digits, or 0x and hex digits, makes the URL standard read the whole name as an IPv4 address. */
const NUMERIC_LABEL = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/** Why a host pattern may not be written; undefined when it may. */
export function hostPatternFault(pattern: string): Complaint | undefined {
  const wildcard = pattern.startsWith('*.');
  const host = wildcard ? pattern.slice(2) : pattern;
  const shapeFault = hostShapeFault(pattern, host);
  if (shapeFault !== undefined) return shapeFault;
  if (!wildcard) return undefined;
  return host.includes('.') ? publicSuffixFault(host) : tooBroad(pattern);
}

function hostShapeFault(pattern: string, host: string): Complaint | undefined {
  const shown = JSON.stringify(pattern);
  const fault = (code: string, message: string, expected: string): Complaint => ({ code, message, expected });
  if (host.includes('*')) {
    return fault(
      'manifest_host_wildcard',
      `${shown} has a wildcard in a place where none may be`,
      'one leading "*." or none, e.g. "*.example.com"',
    );
  }
  if (looksLikeAddress(host)) {
    return fault('manifest_host_address', `${shown} is an address`, 'a DNS name');
  }
  if (/[:/@?#]/.test(host)) {
    return fault(
      'manifest_host_not_a_name',
      `${shown} is more than a host name`,
      'the host name alone; port, paths and methods have keys of their own',
    );
  }
  if (/[A-Z]/.test(host)) {
    return fault(
      'manifest_host_not_canonical',
      `${shown} has upper-case letters`,
      JSON.stringify(pattern.toLowerCase()),
    );
  }
  if (/[^\x20-\x7e]/.test(host)) {
    return fault(
      'manifest_host_not_canonical',
      `${shown} has letters beyond ASCII`,
      'the A-label form, e.g. "xn--bcher-kva.example"',
    );
  }
  if (host.endsWith('.') && host.length > 1) {
    return fault(
      'manifest_host_not_canonical',
      `${shown} ends with a dot`,
      JSON.stringify(pattern.slice(0, -1)),
    );
  }
  const labels = host.split('.');
  const bad = labels.find((label) => !LABEL.test(label));
  if (bad !== undefined || host.length > NAME_CHARS_MAX) {
    const reason =
      bad === undefined
        ? `is longer than ${NAME_CHARS_MAX} characters`
        : `has the label ${JSON.stringify(bad)}`;
    return fault(
      'manifest_host_invalid',
      `${shown} ${reason}`,
      'labels of a-z, 0-9 and inner hyphens, at most 63 characters each, joined by dots',
    );
  }
  if (NUMERIC_LABEL.test(labels.at(-1) ?? '')) {
    return fault('manifest_host_address', `${shown} is read as an address by many programs`, 'a DNS name');
  }
  return undefined;
}

/** IPv4 in four numbers, or IPv6 with or without brackets. */
const looksLikeAddress = (host: string): boolean =>
  /^[0-9]+(?:\.[0-9]+){3}(?::[0-9]+)?$/.test(host) ||
  /^\[[0-9a-f:.]*\](?::[0-9]+)?$/i.test(host) ||
  (/^[0-9a-f:.]+$/i.test(host) && host.split(':').length > 2);

const tooBroad = (pattern: string): Complaint => ({
  code: 'manifest_host_wildcard',
  message: `${JSON.stringify(pattern)} covers a whole top-level domain`,
  expected: 'a suffix of at least two labels, e.g. "*.example.com"',
});

/**
 * A wildcard over a public suffix (the list's private section included) reaches names that anybody may
 * register: `*.co.uk`, `*.github.io`.
 *
 * @param suffix what stands after `*.`
 */
export function publicSuffixFault(suffix: string): Complaint | undefined {
  if (parseDomain(suffix, { allowPrivateDomains: true, validateHostname: false }).publicSuffix !== suffix)
    return undefined;
  return {
    code: 'manifest_host_public_suffix',
    message: `anybody can register a name under ${JSON.stringify(suffix)}, so "*.${suffix}" would reach strangers`,
    expected: `the exact hosts, or a wildcard over one owner's name, e.g. "*.owner.${suffix}"`,
  };
}

/** Whether every host that `inner` matches is matched by `outer` too. */
export function covers(outer: string, inner: string): boolean {
  if (outer === inner) return true;
  if (!outer.startsWith('*.')) return false;
  const suffix = outer.slice(1);
  return inner.startsWith('*.') ? inner.slice(1).endsWith(suffix) : inner.endsWith(suffix);
}

/** Names that lead into the machine or its neighbourhood rather than to a service on the internet. */
export const isInternalName = (host: string): boolean =>
  !host.includes('.') || /(?:^|\.)(?:localhost|local|localdomain|internal|home\.arpa)$/.test(host);
