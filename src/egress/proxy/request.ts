/**
 * What a program says to the explicit proxy before it may use it: who it is and where it wants to go. Pure. Whatever
 * has two readings is refused.
 */
import { err, ok, type Result } from '../../kernel/index.ts';
import {
  type Authority,
  type AuthorityError,
  type Fields,
  type Http1Reason,
  parseAuthority,
  type RequestHead,
} from '../../wire/index.ts';
import type { ProxyLogin } from '../ports.ts';

/** Where a request to the proxy leads. */
export interface ProxyTarget {
  readonly kind: 'tunnel' | 'request';
  readonly host: string;
  readonly port: number;
}

/** Why it does not say so, as a stable word. */
export type ProxyTargetReason =
  | 'target_is_a_path' /** whoever sent it took this for a web server */
  | 'target_scheme' /** https:// goes through a tunnel */
  | 'target_address' /** rules are about names */
  | 'target_host_differs'
  | 'port_missing'
  | AuthorityError
  | Http1Reason;

/** RFC 7617 and RFC 6750, with what a token and a slug are made of. */
const BASIC = /^basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i;
const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{1,512})$/i;
const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * What Proxy-Authorization says: `Bearer TOKEN`, or Basic with `SERVER:TOKEN`, `TOKEN:` or `:TOKEN`. Null when there is
 * nothing, or nothing that could be meant.
 */
export function loginOf(fields: Fields): ProxyLogin | null {
  if (fields.count('proxy-authorization') !== 1) return null;
  const value = fields.get('proxy-authorization') ?? '';
  const token = BEARER.exec(value)?.[1];
  if (token !== undefined) return { server: null, token };
  const coded = BASIC.exec(value)?.[1];
  if (coded === undefined) return null;
  const text = Buffer.from(coded, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  if (password === '' || user === '') {
    return user + password === '' ? null : { server: null, token: user + password };
  }
  return SLUG.test(user) ? { server: user, token: password } : null;
}

const ABSOLUTE = /^([a-z]+):\/\/([^/?#]*)/i;
const HTTP_PORT = 80;

/** Authority form of CONNECT, absolute form of everything else (RFC 9112 section 3.2). */
export function targetOf(head: RequestHead): Result<ProxyTarget, ProxyTargetReason> {
  return head.method === 'CONNECT' ? tunnelTarget(head) : requestTarget(head);
}

function tunnelTarget(head: RequestHead): Result<ProxyTarget, ProxyTargetReason> {
  /* A tunnel begins behind the head: one of two readers would take its first bytes for a body (RFC 9110 section 9.3.6). */
  const { fields } = head;
  const length = fields.get('content-length');
  if (fields.count('transfer-encoding') > 0 || (length !== undefined && length !== '0')) {
    return err('connect_with_body');
  }
  if (!/:[0-9]+$/.test(head.target)) return err('port_missing');
  const named = nameIn(head.target, 0);
  if (!named.ok) return named;
  const { host, port } = named.value;
  /* Host repeats the target (RFC 9110 section 7.2), where there is one: another would leave it open which is meant. */
  if (fields.count('host') > 1) return err('host_repeated');
  const said = parseAuthority(fields.get('host') ?? head.target, port);
  if (!said.ok || said.value.host !== host || said.value.port !== port) return err('target_host_differs');
  return ok({ kind: 'tunnel', host, port });
}

/** Whether Host agrees is for the request's own steps to say. */
function requestTarget({ target }: RequestHead): Result<ProxyTarget, ProxyTargetReason> {
  const [, scheme, authority = ''] = ABSOLUTE.exec(target) ?? [];
  if (scheme === undefined) return err('target_is_a_path');
  if (scheme.toLowerCase() !== 'http') return err('target_scheme');
  const named = nameIn(authority, HTTP_PORT);
  return named.ok ? ok({ kind: 'request', host: named.value.host, port: named.value.port }) : named;
}

function nameIn(authority: string, defaultPort: number): Result<Authority, ProxyTargetReason> {
  const parsed = parseAuthority(authority, defaultPort);
  return parsed.ok && parsed.value.kind !== 'name' ? err('target_address') : parsed;
}
