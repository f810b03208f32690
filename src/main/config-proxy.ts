/**
 * The settings of the company's own proxy: `egress.proxy` and what goes with it. The URL may hold a password, so
 * nothing here repeats it in a message.
 */
import { z } from 'zod';
import type { ProxyConfig } from '../egress/index.ts';
import { err, ok, type Result, Secret } from '../kernel/index.ts';
import { parseAuthority, parseHostname } from '../wire/index.ts';

const SHAPE = 'is not of the form http://[USER:PASSWORD@]HOST:PORT';
const HTTP_PORT = 80;

type Address = Pick<ProxyConfig, 'host' | 'port' | 'credentials'>;

/** @param text `http://[user:password@]host:port`, user and password percent-encoded where they must be */
function parseProxyUrl(text: string): Result<Address, string> {
  if (!URL.canParse(text)) return err(SHAPE);
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  const isBare = (pathname === '/' || pathname === '') && search === '' && hash === '';
  const place = parseAuthority(hostname, HTTP_PORT);
  if (protocol !== 'http:' || !isBare || !place.ok) return err(SHAPE);
  const [user, secret] = [decoded(username), decoded(password)];
  if (user === null || secret === null || user.includes(':')) return err(SHAPE);
  return ok({
    host: place.value.host,
    port: port === '' ? HTTP_PORT : Number(port),
    credentials: user === '' && secret === '' ? null : Secret.fromString(`${user}:${secret}`),
  });
}

/** Null where it could not be sent: malformed, or with control characters in it. */
function decoded(text: string): string | null {
  try {
    const plain = decodeURIComponent(text);
    return /[\x00-\x1f\x7f]/.test(plain) ? null : plain;
  } catch {
    return null;
  }
}

export const proxyUrl = z.string().transform((text, context) => {
  const parsed = parseProxyUrl(text);
  if (parsed.ok) return parsed.value;
  context.addIssue(parsed.error);
  return z.NEVER;
});

/** A name, or a name with everything below it: `*.corp.example`, or `.corp.example` as other programs write it. */
export const namePattern = z.string().transform((text, context) => {
  const below = /^(?:\*\.|\.)(.+)$/.exec(text)?.[1];
  const parsed = parseHostname(below ?? text);
  if (parsed.ok && below === undefined) return parsed.value;
  if (parsed.ok && parsed.value.includes('.')) return `*.${parsed.value}`;
  context.addIssue(`\`${text}\` is not a host name, nor \`*.\` and a name of two labels or more`);
  return z.NEVER;
});
