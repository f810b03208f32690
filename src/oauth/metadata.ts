/**
 * The two documents of a login: what a server says of itself (RFC 9728), and what its authorization server does (RFC
 * 8414, OpenID Connect Discovery). Pure. Of a document only what is checked here is used.
 */
import { err, type JsonObject, ok, type Result } from '../kernel/index.ts';
import { type AddressFault, issuerUrl, loginUrl, sameIssuer } from './addresses.ts';

export interface ResourceMetadata {
  /** As it is written, since it is sent as it is written. */
  readonly resource: string;
  readonly authorizationServers: readonly string[];
  readonly scopes: readonly string[];
}

export interface ServerMetadata {
  readonly issuer: string;
  readonly authorizationEndpoint: URL;
  readonly tokenEndpoint: URL;
  readonly registrationEndpoint: URL | null;
  readonly revocationEndpoint: URL | null;
  readonly scopes: readonly string[];
  /** Empty: it does not say. */
  readonly tokenAuthMethods: readonly string[];
  readonly takesMetadataDocuments: boolean;
  /** Whether every answer of it says whose it is (RFC 9207 section 3). */
  readonly saysIssuer: boolean;
}

export type MetadataFault =
  | { readonly kind: 'field'; readonly field: string; readonly why: string }
  | { readonly kind: 'address'; readonly field: string; readonly text: string; readonly fault: AddressFault }
  | { readonly kind: 'issuer'; readonly said: string };

const wrong = (field: string, why: string): Result<never, MetadataFault> =>
  err({ kind: 'field', field, why });

function list(document: JsonObject, field: string): readonly string[] | null {
  const value = document[field];
  if (value === undefined) return [];
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
}

export function readResourceMetadata(document: JsonObject): Result<ResourceMetadata, MetadataFault> {
  const { resource } = document;
  if (typeof resource !== 'string') return wrong('resource', 'is missing');
  const address = loginUrl(resource);
  if (!address.ok) return err({ kind: 'address', field: 'resource', text: resource, fault: address.error });
  const authorizationServers = list(document, 'authorization_servers');
  if (authorizationServers === null || authorizationServers.length === 0)
    return wrong('authorization_servers', 'names none');
  const scopes = list(document, 'scopes_supported');
  if (scopes === null) return wrong('scopes_supported', 'is no list of names');
  return ok({ resource, authorizationServers, scopes });
}

/** @param expected the issuer that the document was looked up for */
export function readServerMetadata(
  document: JsonObject,
  expected: string,
): Result<ServerMetadata, MetadataFault> {
  const { issuer } = document;
  if (typeof issuer !== 'string') return wrong('issuer', 'is missing');
  // RFC 8414 section 3.3: whoever says to be another is not listened to.
  if (!sameIssuer(issuer, expected) || !issuerUrl(issuer).ok) return err({ kind: 'issuer', said: issuer });
  const addresses = new Map<string, URL>();
  for (const field of [
    'authorization_endpoint',
    'token_endpoint',
    'registration_endpoint',
    'revocation_endpoint',
  ]) {
    const text = document[field];
    if (text === undefined) continue;
    if (typeof text !== 'string') return wrong(field, 'is no address');
    const address = loginUrl(text);
    if (!address.ok) return err({ kind: 'address', field, text, fault: address.error });
    addresses.set(field, address.value);
  }
  const authorizationEndpoint = addresses.get('authorization_endpoint');
  if (authorizationEndpoint === undefined) return wrong('authorization_endpoint', 'is missing');
  const tokenEndpoint = addresses.get('token_endpoint');
  if (tokenEndpoint === undefined) return wrong('token_endpoint', 'is missing');
  const responses = list(document, 'response_types_supported');
  if (responses === null || (responses.length > 0 && !responses.includes('code')))
    return wrong('response_types_supported', 'does not have `code`');
  // Who does not say that it checks proof keys may ignore them: then a stolen code is as good as a login.
  if (list(document, 'code_challenge_methods_supported')?.includes('S256') !== true)
    return wrong('code_challenge_methods_supported', 'does not have `S256`');
  const scopes = list(document, 'scopes_supported') ?? [];
  const tokenAuthMethods = list(document, 'token_endpoint_auth_methods_supported') ?? [];
  return ok({
    issuer,
    authorizationEndpoint,
    tokenEndpoint,
    registrationEndpoint: addresses.get('registration_endpoint') ?? null,
    revocationEndpoint: addresses.get('revocation_endpoint') ?? null,
    scopes,
    tokenAuthMethods,
    takesMetadataDocuments: document['client_id_metadata_document_supported'] === true,
    saysIssuer: document['authorization_response_iss_parameter_supported'] === true,
  });
}

/** Where an authorization server of the revision 2025-03-26 is that says nothing of itself. */
export function usualEndpoints(origin: string): ServerMetadata {
  return {
    issuer: origin,
    authorizationEndpoint: new URL('/authorize', origin),
    tokenEndpoint: new URL('/token', origin),
    registrationEndpoint: new URL('/register', origin),
    revocationEndpoint: null,
    scopes: [],
    tokenAuthMethods: [],
    takesMetadataDocuments: false,
    saysIssuer: false,
  };
}
