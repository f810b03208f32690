/**
 * Under which name the gateway is known to an authorization server: the name that somebody registered for it, the
 * address of a document that describes it, or one that it registers for itself (RFC 7591), in this order.
 */
import { AppError, Secret } from '../kernel/index.ts';
import { jsonObject } from './discovery.ts';
import { errorName, notFound } from './errors.ts';
import type { ClientAuth, ClientFrom, Grant } from './grant.ts';
import type { ServerMetadata } from './metadata.ts';
import type { GrantServer, OAuthHttp } from './ports.ts';

export interface Client {
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  readonly clientFrom: ClientFrom;
  /** New, and not stored yet; null: there is none, or it is stored. */
  readonly secret: Secret | null;
}

export interface ClientWanted {
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  /** What somebody registered. */
  readonly given: { readonly clientId: string; readonly secret: Secret | null } | null;
  /** Address of a document that describes this gateway as a client. */
  readonly documentUrl: string | null;
  /** Of the login before. */
  readonly before: Grant | null;
}

/** In the body of the request before in a header, because there every character can stand. */
const SECRET_AUTHS: readonly ClientAuth[] = ['client_secret_post', 'client_secret_basic'];

/** How a client with a secret proves itself; `client_secret_basic` where nothing is said (RFC 8414 section 2). */
function authWithSecret(methods: readonly string[]): ClientAuth {
  return SECRET_AUTHS.find((one) => methods.includes(one)) ?? 'client_secret_basic';
}

/** @throws AppError `oauth_not_offered`, `oauth_registration_refused`, and as `OAuthHttp.send` */
export async function clientFor(
  http: OAuthHttp,
  server: GrantServer,
  metadata: ServerMetadata,
  wanted: ClientWanted,
): Promise<Client> {
  const { given, before, documentUrl, redirectUri } = wanted;
  if (given !== null) {
    const clientAuth = given.secret === null ? 'none' : authWithSecret(metadata.tokenAuthMethods);
    return { clientId: given.clientId, clientAuth, clientFrom: 'given', secret: given.secret };
  }
  // A name is good at the authorization server that gave it, and for the address that it was given for.
  const isKnown = before?.issuer === metadata.issuer;
  if (before !== null && isKnown && (before.clientFrom === 'given' || before.redirectUri === redirectUri)) {
    const { clientId, clientAuth, clientFrom } = before;
    return { clientId, clientAuth, clientFrom, secret: null };
  }
  if (documentUrl !== null && metadata.takesMetadataDocuments)
    return { clientId: documentUrl, clientAuth: 'none', clientFrom: 'document', secret: null };
  if (metadata.registrationEndpoint === null) {
    throw notFound(
      `The authorization server of \`${server.slug}\` knows no client of this name, and takes no registrations.`,
      'Register one there with the redirect address that `sallyport server login --help` names, then add --client-id ID.',
    );
  }
  return register(http, server, metadata, metadata.registrationEndpoint, wanted);
}

async function register(
  http: OAuthHttp,
  server: GrantServer,
  { tokenAuthMethods }: ServerMetadata,
  url: URL,
  { redirectUri, scopes }: ClientWanted,
): Promise<Client> {
  const asPublic = tokenAuthMethods.length === 0 || tokenAuthMethods.includes('none');
  const request = {
    client_name: 'Sallyport',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    // Back to a port of the person's own machine (RFC 8252).
    application_type: 'native',
    token_endpoint_auth_method: asPublic ? 'none' : authWithSecret(tokenAuthMethods),
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
  };
  const answer = await http.send(server, {
    method: 'POST',
    url,
    headers: [
      ['Content-Type', 'application/json'],
      ['Accept', 'application/json'],
    ],
    body: JSON.stringify(request),
    slots: [],
  });
  const document = jsonObject(answer.text);
  const clientId = document?.['client_id'];
  if (
    (answer.status !== 200 && answer.status !== 201) ||
    document === null ||
    typeof clientId !== 'string' ||
    clientId === ''
  ) {
    const error = document?.['error'];
    throw new AppError(
      'oauth_registration_refused',
      `The authorization server of \`${server.slug}\` did not register this gateway: HTTP ${answer.status}, ${errorName(typeof error === 'string' ? error : null)}.`,
      { kind: 'unavailable', hint: 'Register a client there by hand, then add --client-id ID.' },
    );
  }
  const secret = document['client_secret'];
  if (typeof secret !== 'string' || secret === '')
    return { clientId, clientAuth: 'none', clientFrom: 'registered', secret: null };
  const method = document['token_endpoint_auth_method'];
  const said: ClientAuth | undefined = (['none', ...SECRET_AUTHS] as const).find((one) => one === method);
  return {
    clientId,
    clientAuth: said ?? authWithSecret(tokenAuthMethods),
    clientFrom: 'registered',
    secret: said === 'none' ? null : Secret.fromString(secret),
  };
}
