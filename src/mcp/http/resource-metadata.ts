/**
 * What the gateway says of itself as a protected resource (RFC 9728): at `/.well-known/oauth-protected-resource`, and below it
 * for each endpoint. Anybody may read it, so it says nothing of what there is: a profile that does not exist has one too.
 */
import { parseAuthority } from '../../wire/index.ts';
import type { FrontConfig } from '../front-contract.ts';
import { endpointOf } from './http-door.ts';
import type { FrontRequest } from './http-message.ts';

type ResourceConfig = Pick<FrontConfig, 'publicUrl' | 'authorizationServers'>;

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

const pathOf = (req: FrontRequest): string => req.url?.split('?', 1)[0] ?? '';

export const asksForMetadata = (req: FrontRequest): boolean => {
  if (req.url?.startsWith(WELL_KNOWN) !== true) return false;
  const path = pathOf(req);
  return path === WELL_KNOWN || path.startsWith(`${WELL_KNOWN}/`);
};

/** @throws AppError `mcp_path_unknown` */
export function metadataText(req: FrontRequest, config: ResourceConfig): string {
  const path = pathOf(req).slice(WELL_KNOWN.length).replace(/\/$/, '');
  if (path !== '') endpointOf(path);
  const { authorizationServers } = config;
  return JSON.stringify({
    resource: baseOf(req, config) + path,
    ...(authorizationServers.length === 0 ? {} : { authorization_servers: authorizationServers }),
    bearer_methods_supported: ['header'],
    resource_name: 'Sallyport',
  });
}

/**
 * Where a client that is turned away learns how to get a token; null where nobody gives out any: a client would begin
 * what cannot end.
 *
 * @param req of an endpoint, with a `Host` that has been checked
 */
export function metadataAddress(req: FrontRequest, config: ResourceConfig): string | null {
  if (config.authorizationServers.length === 0) return null;
  return baseOf(req, config) + WELL_KNOWN + pathOf(req).replace(/\/$/, '');
}

/** What clients call the gateway: as it is set, or as this one does. */
function baseOf(req: FrontRequest, { publicUrl }: ResourceConfig): string {
  if (publicUrl !== null) return publicUrl;
  const authority = parseAuthority(req.headers.host ?? '', 80);
  if (!authority.ok) return 'http://localhost';
  const { host, port } = authority.value;
  return `http://${host.includes(':') ? `[${host}]` : host}${port === 80 ? '' : `:${port}`}`;
}
