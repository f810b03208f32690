/**
 * The door of the HTTP endpoint: what has to be right before a byte of a body is read. Path, `Host` and `Origin`
 * against DNS rebinding, then the token, then whether the token may use the profile.
 */
import type { IncomingMessage } from 'node:http';
import { AppError } from '../kernel/index.ts';
import { parseAuthority } from '../wire/index.ts';
import type { Endpoint, FrontConfig } from './front-contract.ts';
import type { Authenticate, Principal } from './ports.ts';

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1'];
const PATH = /^\/mcp\/([A-Za-z0-9][A-Za-z0-9._-]{0,62})(?:\/([a-z0-9][a-z0-9-]{0,62}))?\/?$/;
/** RFC 6750 section 2.1. */
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

/** A browser page of another site can reach a local port, but not without telling so in these two headers. */
export function checkOrigin(req: IncomingMessage, config: FrontConfig): void {
  const host = parseAuthority(req.headers.host ?? '', 80);
  if (!host.ok || !isAllowed(host.value.host, config.allowedHosts)) {
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

/** The token is only ever taken from the Authorization header. @throws AppError of kind `unauthenticated`, `limited` */
export async function authenticated(req: IncomingMessage, authenticate: Authenticate): Promise<Principal> {
  const token = BEARER.exec(req.headers.authorization ?? '')?.[1];
  if (token === undefined) {
    throw new AppError('unauthenticated', 'A token is needed.', {
      kind: 'unauthenticated',
      hint: 'Send it as "Authorization: Bearer sally_…"; make one with: sallyport token create',
    });
  }
  return authenticate(token, req.socket.remoteAddress ?? '');
}

/** @throws AppError `mcp_profile_mismatch` */
export function checkProfile(principal: Principal, endpoint: Endpoint): void {
  if (principal.profile === null || principal.profile === endpoint.profile) return;
  throw new AppError('mcp_profile_mismatch', 'This token is for another profile.', {
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
