/**
 * From a server to its authorization server. What is read on the way was written by whoever runs the one or the other,
 * and may be written by an attacker: an address in it is asked only through the data plane, which refuses special ranges,
 * without any credential, and no redirect is followed.
 */
import type { AppError, JsonObject } from '../kernel/index.ts';
import { limits } from '../kernel/index.ts';
import { parseStrictJson } from '../wire/index.ts';
import {
  isInside,
  isResourceOf,
  issuerUrl,
  loginUrl,
  resourceMetadataUrls,
  serverMetadataUrls,
} from './addresses.ts';
import type { Challenge } from './challenge.ts';
import { addressRefused, issuerMismatch, metadataInvalid, notFound, resourceMismatch } from './errors.ts';
import {
  type MetadataFault,
  readResourceMetadata,
  readServerMetadata,
  type ServerMetadata,
  usualEndpoints,
} from './metadata.ts';
import type { GrantServer, OAuthHttp } from './ports.ts';

export interface Discovered {
  readonly metadata: ServerMetadata;
  /** Null for a server that does not describe itself: it is of a revision that knows no resources. */
  readonly resource: string | null;
  /** That the server says it has. */
  readonly scopes: readonly string[];
}

/** With what requests for metadata go out, as the specification asks. */
const HEADERS = [
  ['Accept', 'application/json'],
  ['MCP-Protocol-Version', '2025-11-25'],
] as const;

/**
 * @param preferred the issuer of the login before, chosen again where the server still names it
 * @throws AppError `oauth_address_refused`, `oauth_metadata_invalid`, `oauth_resource_mismatch`, `oauth_issuer_mismatch`,
 *   `oauth_not_offered`, and as `OAuthHttp.send`
 */
export async function discover(
  http: OAuthHttp,
  server: GrantServer,
  challenge: Challenge,
  preferred: string | null,
): Promise<Discovered> {
  const url = new URL(server.url);
  const described = await resourceMetadata(http, server, url, challenge.metadataUrl);
  if (described === null) {
    const found = await serverMetadata(http, server, url.origin);
    return { metadata: found ?? usualEndpoints(url.origin), resource: null, scopes: [] };
  }
  const { authorizationServers, resource, scopes } = described;
  const issuer =
    authorizationServers.find((one) => one === preferred) ?? authorizationServers[0] ?? url.origin;
  const metadata = await serverMetadata(http, server, issuer);
  if (metadata === null)
    throw notFound(
      `The authorization server of \`${server.slug}\` does not describe itself.`,
      'It is the server that has to be set up rightly.',
    );
  return { metadata, resource, scopes };
}

async function resourceMetadata(http: OAuthHttp, server: GrantServer, url: URL, named: string | null) {
  const places = [...resourceMetadataUrls(url)];
  if (named !== null) {
    const address = loginUrl(named);
    if (!address.ok) throw addressRefused('The address of its description', named, address.error);
    places.unshift(address.value);
  }
  for (const place of places) {
    const document = await documentAt(http, server, place);
    if (document === null) continue;
    const read = readResourceMetadata(document);
    if (!read.ok) throw faultError(place, read.error);
    if (!isResourceOf(new URL(read.value.resource), url))
      throw resourceMismatch(read.value.resource, server.url);
    return read.value;
  }
  return null;
}

async function serverMetadata(http: OAuthHttp, server: GrantServer, issuer: string) {
  const address = issuerUrl(issuer);
  if (!address.ok) throw addressRefused('The authorization server', issuer, address.error);
  for (const place of serverMetadataUrls(address.value)) {
    const document = await documentAt(http, server, place);
    if (document === null) continue;
    const read = readServerMetadata(document, issuer);
    if (!read.ok)
      throw read.error.kind === 'issuer'
        ? issuerMismatch(issuer, read.error.said)
        : faultError(place, read.error);
    assertOutside(server, read.value);
    return read.value;
  }
  return null;
}

/**
 * A server elsewhere has no business with what is on this machine or network: a page there would be opened in a person's
 * browser, who is let in by it. @throws AppError `oauth_address_refused`
 */
function assertOutside(server: GrantServer, metadata: ServerMetadata): void {
  if (isInside(new URL(server.url))) return;
  const { authorizationEndpoint, tokenEndpoint, registrationEndpoint, revocationEndpoint } = metadata;
  for (const url of [authorizationEndpoint, tokenEndpoint, registrationEndpoint, revocationEndpoint])
    if (url !== null && isInside(url))
      throw addressRefused('An address of its authorization server', url.href, 'not_public');
}

/** Null where there is nothing; a redirect is nothing. */
async function documentAt(http: OAuthHttp, server: GrantServer, url: URL): Promise<JsonObject | null> {
  const answer = await http.send(server, { method: 'GET', url, headers: HEADERS, body: null, slots: [] });
  if (answer.status !== 200) {
    if (answer.status < 500) return null;
    throw metadataInvalid(url.host, `it answers ${answer.status}`);
  }
  return jsonObject(answer.text) ?? fail(metadataInvalid(url.host, 'it is no JSON object'));
}

function fail(error: AppError): never {
  throw error;
}

/** An object with one reading only; null for anything else. */
export function jsonObject(text: string): JsonObject | null {
  const parsed = parseStrictJson(text, { charsMax: limits.oauthAnswerBytesMax });
  if (!parsed.ok) return null;
  const { value } = parsed;
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null; // narrowing does not tell lists that are read only from objects
}

function faultError(place: URL, fault: Exclude<MetadataFault, { kind: 'never' }>): AppError {
  if (fault.kind === 'address') return addressRefused(`\`${fault.field}\``, fault.text, fault.fault);
  if (fault.kind === 'issuer') return issuerMismatch(place.origin, fault.said);
  return metadataInvalid(place.host, `\`${fault.field}\` ${fault.why}`);
}
