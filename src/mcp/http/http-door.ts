/**
 * The door of the HTTP endpoint: what has to be right before a byte of a body is read. Path, `Host` and `Origin`
 * against DNS rebinding, then the token, then whether the token may use the profile.
 */
import { AppError } from '../../kernel/index.ts';
import { parseAuthority } from '../../wire/index.ts';
import type { Endpoint, FrontConfig } from '../front-contract.ts';
import type { Authenticate, Principal } from '../ports/callers.ts';
import type { FrontRequest } from './http-message.ts';
import { isLater, type Soon } from '../soon.ts';

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1'];
const PATH = /^\/mcp\/([A-Za-z0-9][A-Za-z0-9._-]{0,62})(?:\/([a-z0-9][a-z0-9-]{0,62}))?\/?$/;
/** RFC 6750 section 2.1. */
const TOKEN = /^[A-Za-z0-9._~+/=-]{1,512}$/;
/** The parameter that a token may stand in. */
export const URL_TOKEN = 'token';
const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{1,512})$/i;

/** @throws AppError `mcp_path_unknown` */
export function endpointOf(url: string): Endpoint {
  const path = url.split('?', 1)[0] ?? '';
  const match = PATH.exec(path);
  const [, profile, server] = match ?? [];
  if (profile === undefined) {
    throw new AppError('mcp_path_unknown', 'There is nothing at this path.', {
      kind: 'not_found',
      hint: 'MCP endpoints are /mcp/<profile> and /mcp/<profile>/<server>.',
    });
  }
  return server === undefined ? { profile } : { profile, server };
}

/** The `Host` that was good last, for whom: clients say the same each time, and it takes a while to read. */
let good: { readonly text: string; readonly allowed: readonly string[] } | null = null;

function isOurHost(text: string, allowed: readonly string[]): boolean {
  if (good?.text === text && good.allowed === allowed) return true;
  const host = parseAuthority(text, 80);
  if (!host.ok || !isAllowed(host.value.host, allowed)) return false;
  good = { text, allowed };
  return true;
}

/** A browser page of another site can reach a local port, but not without telling so in these two headers. */
export function checkOrigin(req: FrontRequest, config: FrontConfig): void {
  if (!isOurHost(req.headers.host ?? '', config.allowedHosts)) {
    throw new AppError(
      'mcp_host_not_allowed',
      'The Host header names a host that this gateway does not serve.',
      {
        kind: 'denied',
        hint: 'Use the address that the gateway listens on, or add the name to its allowed hosts.',
      },
    );
  }
  const { origin } = req.headers;
  if (origin !== undefined && !isAllowed(originHost(origin), config.allowedOrigins)) {
    throw new AppError(
      'mcp_origin_not_allowed',
      'The Origin header names a site that may not use this gateway.',
      {
        kind: 'denied',
        hint: 'Add the site to the allowed origins of the gateway if it is yours.',
      },
    );
  }
}

/** A token that is known to be good, and where it stood. */
export interface Presented {
  readonly principal: Principal;
  /** The token, where it stood in the address; null where it came in a header. */
  readonly urlToken: string | null;
}

/**
 * The token is taken from the Authorization header; where there is none, from `?token=`, which only some profiles allow. One in
 * the address is taken off it, allowed or not, before anybody else sees the address.
 *
 * @throws AppError of kind `unauthenticated`, `limited`, also as a rejection
 */
export function authenticated(req: FrontRequest, authenticate: Authenticate): Soon<Presented> {
  const urlToken = takeUrlToken(req);
  const { authorization } = req.headers;
  const token = authorization === undefined ? urlToken : BEARER.exec(authorization)?.[1];
  if (token === undefined || token === null) throw tokenNeeded();
  const where = authorization === undefined ? urlToken : null;
  const found = authenticate(token, req.socket.remoteAddress ?? '');
  return isLater(found)
    ? found.then((principal) => ({ principal, urlToken: where }))
    : { principal: found, urlToken: where };
}

export const tokenNeeded = (): AppError =>
  new AppError('unauthenticated', 'A token is needed.', {
    kind: 'unauthenticated',
    hint: 'Send it as "Authorization: Bearer sally_…"; make one with: sallyport token create',
  });

/** Null where there is none, or nothing that could be one. */
function takeUrlToken(req: FrontRequest): string | null {
  const [path = '', query] = (req.url ?? '').split('?', 2);
  if (query === undefined) return null;
  const parameters = new URLSearchParams(query);
  const tokens = parameters.getAll(URL_TOKEN);
  if (tokens.length === 0) return null;
  parameters.delete(URL_TOKEN);
  req.url = parameters.size === 0 ? path : `${path}?${parameters.toString()}`;
  const [only = ''] = tokens;
  return tokens.length === 1 && TOKEN.test(only) ? only : null;
}

/** @returns `mcp_profile_mismatch`; null: it may come in */
export function profileFault(principal: Principal, endpoint: Endpoint): AppError | null {
  if (principal.profile === null || principal.profile === endpoint.profile) return null;
  return new AppError('mcp_profile_mismatch', 'This token is for another profile.', {
    kind: 'denied',
    hint: `Use /mcp/${principal.profile}, or a token of the profile that you want.`,
  });
}

const isAllowed = (host: string | null, more: readonly string[]): boolean =>
  host !== null && (LOOPBACK.includes(host) || more.includes(host));

/** The host of an origin; null for `null` and whatever else is no http(s) origin. */
function originHost(origin: string): string | null {
  const match = /^https?:\/\/([^/?#]+)$/i.exec(origin);
  const authority = parseAuthority(match?.[1] ?? '', 80);
  return authority.ok ? authority.value.host : null;
}
