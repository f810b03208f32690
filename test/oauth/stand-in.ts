/**
 * An authorization server and a server that takes its tokens, over TLS on loopback. It checks whatever can be checked of
 * a request and keeps what was wrong in `faults`: a test that got its token by luck fails all the same. Everything that a
 * specification leaves open can be chosen, and everything that an attacker would say can be said.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createTestAuthority } from '../egress/test-authority.ts';

export const MCP_HOST = 'mcp.login.test';
export const AS_HOST = 'as.login.test';
export const MCP_URL = `https://${MCP_HOST}/v1/mcp`;
export const ISSUER = `https://${AS_HOST}/tenant`;

interface Client {
  readonly id: string;
  readonly secret: string | null;
  readonly method: string;
  readonly redirectUris: readonly string[];
}
interface Code {
  readonly client: string;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly resource: string | null;
  readonly scope: string;
}

/** How the two behave; every field may be changed while they run. */
export interface Behaviour {
  rotate: boolean;
  /** In seconds; null: it does not say. */
  expiresIn: number | null;
  refreshTokens: boolean;
  /** Whether the answer to a renewal repeats the refresh token. */
  repeatRefresh: boolean;
  authMethods: readonly string[];
  registration: boolean;
  metadataDocuments: boolean;
  saysIssuer: boolean;
  /** Scopes that the token needs for the server. */
  needs: readonly string[];
  scopesSupported: readonly string[];
  /** Whether the challenge names the address of the server's description. */
  challengeNames: boolean;
  /** In place of what is usual, by `HOST PATH`. */
  readonly instead: Map<string, (req: IncomingMessage, res: ServerResponse, body: string) => void>;
  /** Told before a token is answered, with what would be. */
  beforeToken: ((answer: unknown) => Promise<void> | void) | null;
}

export interface StandIn {
  readonly caPem: string;
  /** `host:443` → where it listens. */
  readonly resolve: Readonly<Record<string, string>>;
  readonly does: Behaviour;
  readonly faults: string[];
  /** `HOST METHOD PATH` of everything that was asked, in order. */
  readonly asked: string[];
  /** Headers and bodies, for what must not be in them. */
  readonly heard: string[];
  readonly clients: Map<string, Client>;
  /** Tokens that the server takes. */
  readonly valid: Map<string, { readonly scope: string; readonly family: string }>;
  readonly refreshes: Map<
    string,
    { readonly client: string; readonly scope: string; readonly family: string }
  >;
  /** Refresh tokens that were shown after they had been used up. */
  readonly reused: string[];
  readonly tokenRequests: URLSearchParams[];
  /** Does what a person in a browser does: agrees. @returns where the browser is sent then */
  agree(authorizationUrl: string): Promise<URL>;
  /** Access tokens are refused from now on, refresh tokens are not. */
  expire(): void;
  close(): Promise<void>;
}

/** A server that tells everybody what it was shown. */
function resultOf(method: string, shown: string): object {
  if (method === 'initialize')
    return {
      result: {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'login', version: '1' },
      },
    };
  if (method === 'tools/list')
    return {
      result: {
        tools: [{ name: 'tell', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }],
      },
    };
  if (method === 'tools/call')
    return {
      result: {
        content: [{ type: 'text', text: `your token is ${shown}, ${Buffer.from(shown).toString('base64')}` }],
      },
    };
  return { error: { code: -32601, message: 'no such method' } };
}

const token = (kind: string): string => `${kind}_${randomBytes(24).toString('base64url')}`;

export async function openStandIn(change: Partial<Behaviour> = {}): Promise<StandIn> {
  const does: Behaviour = {
    rotate: true,
    expiresIn: 3_600,
    refreshTokens: true,
    repeatRefresh: false,
    authMethods: ['none', 'client_secret_post', 'client_secret_basic'],
    registration: true,
    metadataDocuments: false,
    saysIssuer: true,
    needs: [],
    scopesSupported: ['read', 'write', 'admin', 'offline_access'],
    challengeNames: true,
    instead: new Map(),
    beforeToken: null,
    ...change,
  };
  const authority = createTestAuthority(['login.test', 'other.test']);
  const faults: string[] = [];
  const asked: string[] = [];
  const heard: string[] = [];
  const clients = new Map<string, Client>();
  const codes = new Map<string, Code>();
  const valid: StandIn['valid'] = new Map();
  const refreshes: StandIn['refreshes'] = new Map();
  const used = new Map<string, string>();
  const reused: string[] = [];
  const tokenRequests: URLSearchParams[] = [];
  const fault = (what: string): void => void faults.push(what);
  const json = (res: ServerResponse, status: number, body: unknown): void => {
    res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    res.end(JSON.stringify(body));
  };

  const metadata = (): object => ({
    issuer: ISSUER,
    authorization_endpoint: `https://${AS_HOST}/authorize?tenant=1`,
    token_endpoint: `https://${AS_HOST}/token`,
    ...(does.registration ? { registration_endpoint: `https://${AS_HOST}/register` } : {}),
    revocation_endpoint: `https://${AS_HOST}/revoke`,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: does.authMethods,
    scopes_supported: does.scopesSupported,
    client_id_metadata_document_supported: does.metadataDocuments,
    authorization_response_iss_parameter_supported: does.saysIssuer,
  });

  function register(res: ServerResponse, body: string): void {
    const wanted = JSON.parse(body) as Record<string, unknown>;
    const uris = wanted['redirect_uris'];
    const method = String(wanted['token_endpoint_auth_method']);
    if (!Array.isArray(uris) || uris.length !== 1) return json(res, 400, { error: 'invalid_redirect_uri' });
    if (wanted['application_type'] !== 'native') fault('register: a loopback address, and not native');
    if (!does.authMethods.includes(method)) fault(`register: ${method}`);
    if (JSON.stringify(wanted['grant_types']) !== '["authorization_code","refresh_token"]')
      fault('register: grant types');
    const secret = method === 'none' ? null : token('secret');
    const client = { id: token('client'), secret, method, redirectUris: uris.map(String) };
    clients.set(client.id, client);
    json(res, 201, {
      ...wanted,
      client_id: client.id,
      ...(secret === null ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    });
  }

  function authorize(url: URL, res: ServerResponse): void {
    const one = (name: string): string => {
      const values = url.searchParams.getAll(name);
      if (values.length !== 1) fault(`authorize: ${name} ${values.length} times`);
      return values[0] ?? '';
    };
    const client = clients.get(one('client_id'));
    const redirectUri = one('redirect_uri');
    if (client === undefined || !client.redirectUris.includes(redirectUri))
      return json(res, 400, { error: 'unauthorized_client' });
    if (one('tenant') !== '1') fault('authorize: the query of the endpoint is gone');
    if (one('response_type') !== 'code') fault('authorize: response_type');
    if (one('code_challenge_method') !== 'S256') fault('authorize: code_challenge_method');
    const challenge = one('code_challenge');
    if (!/^[\w-]{43}$/.test(challenge)) fault('authorize: code_challenge');
    const state = one('state');
    if (state.length < 32) fault('authorize: state is short');
    const resource = one('resource');
    if (resource !== MCP_URL) fault(`authorize: resource ${resource}`);
    const scope = url.searchParams.get('scope') ?? '';
    if (scope.split(' ').includes('offline_access') && url.searchParams.get('prompt') !== 'consent')
      fault('authorize: offline_access without consent');
    const code = token('code');
    codes.set(code, { client: client.id, redirectUri, challenge, resource, scope });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', state);
    if (does.saysIssuer) back.searchParams.set('iss', ISSUER);
    res.writeHead(302, { location: back.href }).end();
  }

  /** @returns the client that has proved to be it */
  function clientOf(req: IncomingMessage, form: URLSearchParams): Client | null {
    const basic = /^Basic (.+)$/.exec(req.headers.authorization ?? '')?.[1];
    const [user, password] =
      basic === undefined
        ? [form.get('client_id'), form.get('client_secret')]
        : Buffer.from(basic, 'base64').toString('latin1').split(':').map(decodeURIComponent);
    const client = clients.get(user ?? '') ?? null;
    const method =
      basic !== undefined ? 'client_secret_basic' : password === null ? 'none' : 'client_secret_post';
    if (client !== null && method !== client.method) fault(`token: ${method} in place of ${client.method}`);
    if (basic !== undefined && form.has('client_secret')) fault('token: two ways to prove it');
    return client !== null && client.secret === (password ?? null) ? client : null;
  }

  async function issue(
    res: ServerResponse,
    client: string,
    scope: string,
    family: string,
    refresh: string | null,
  ): Promise<void> {
    const access = token('access');
    const next = !does.refreshTokens ? null : refresh === null || does.rotate ? token('refresh') : refresh;
    const answer = {
      access_token: access,
      token_type: 'bearer',
      ...(does.expiresIn === null ? {} : { expires_in: does.expiresIn }),
      ...(next === null || (next === refresh && !does.repeatRefresh) ? {} : { refresh_token: next }),
      ...(scope === '' ? {} : { scope }),
    };
    valid.set(access, { scope, family });
    if (next !== null) {
      if (refresh !== null && next !== refresh) {
        used.set(refresh, family);
        refreshes.delete(refresh);
      }
      refreshes.set(next, { client, scope, family });
    }
    await does.beforeToken?.(answer);
    json(res, 200, answer);
  }

  async function tokens(req: IncomingMessage, res: ServerResponse, body: string): Promise<void> {
    const form = new URLSearchParams(body);
    tokenRequests.push(form);
    if (req.headers['content-type'] !== 'application/x-www-form-urlencoded') fault('token: content type');
    for (const name of new Set(form.keys()))
      if (form.getAll(name).length !== 1) fault(`token: ${name} twice`);
    const client = clientOf(req, form);
    if (client === null) return json(res, 401, { error: 'invalid_client' });
    if (form.get('resource') !== MCP_URL) fault(`token: resource ${form.get('resource')}`);
    if (form.get('grant_type') === 'authorization_code') {
      const code = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      if (form.has('refresh_token')) fault('token: a refresh token beside a code');
      const verifier = form.get('code_verifier') ?? '';
      const proof = createHash('sha256').update(verifier).digest('base64url');
      if (
        code === undefined ||
        code.client !== client.id ||
        code.redirectUri !== form.get('redirect_uri') ||
        proof !== code.challenge
      )
        return json(res, 400, { error: 'invalid_grant' });
      return issue(res, client.id, code.scope, token('family'), null);
    }
    const refresh = form.get('refresh_token') ?? '';
    const family = used.get(refresh);
    if (family !== undefined) {
      // A thief, or one whom a thief was before: nobody has it any more.
      reused.push(refresh);
      for (const [one, { family: other }] of valid) if (other === family) valid.delete(one);
      for (const [one, { family: other }] of refreshes) if (other === family) refreshes.delete(one);
      return json(res, 400, { error: 'invalid_grant' });
    }
    const known = refreshes.get(refresh);
    if (known === undefined || known.client !== client.id) return json(res, 400, { error: 'invalid_grant' });
    return issue(res, client.id, known.scope, known.family, refresh);
  }

  function revoke(req: IncomingMessage, res: ServerResponse, body: string): void {
    const form = new URLSearchParams(body);
    if (clientOf(req, form) === null) return json(res, 401, { error: 'invalid_client' });
    const gone = form.get('token') ?? '';
    const family = refreshes.get(gone)?.family ?? valid.get(gone)?.family;
    if (family === undefined) fault('revoke: of nothing');
    for (const [one, { family: other }] of valid) if (other === family) valid.delete(one);
    for (const [one, { family: other }] of refreshes) if (other === family) refreshes.delete(one);
    res.writeHead(200).end();
  }

  function serve(req: IncomingMessage, res: ServerResponse, body: string): void {
    const challenge = (error: string, scopes: readonly string[]): string =>
      [
        `Bearer realm="mcp"${error}`,
        ...(does.challengeNames ? [`resource_metadata="https://${MCP_HOST}/about/resource"`] : []),
        ...(scopes.length === 0 ? [] : [`scope="${scopes.join(' ')}"`]),
      ].join(', ');
    const shown = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1];
    const grant = valid.get(shown ?? '');
    if (grant === undefined) {
      const error = shown === undefined ? '' : ', error="invalid_token"';
      res.writeHead(401, { 'www-authenticate': challenge(error, does.needs) }).end();
      return;
    }
    const missing = does.needs.filter((scope) => !grant.scope.split(' ').includes(scope));
    if (missing.length > 0) {
      res.writeHead(403, { 'www-authenticate': challenge(', error="insufficient_scope"', missing) }).end();
      return;
    }
    if (req.method !== 'POST') return void res.writeHead(req.method === 'GET' ? 405 : 204).end();
    const message = JSON.parse(body) as { id?: number; method?: string };
    if (message.id === undefined) return void res.writeHead(202).end();
    const result = resultOf(message.method ?? '', shown ?? '');
    json(res, 200, { jsonrpc: '2.0', id: message.id, ...result });
  }

  async function handle(host: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    const url = new URL(req.url ?? '/', `https://${host}`);
    asked.push(`${host} ${req.method} ${url.pathname}`);
    heard.push(`${req.url} ${JSON.stringify(req.headers)} ${body}`);
    const instead = does.instead.get(`${host} ${url.pathname}`);
    if (instead !== undefined) return instead(req, res, body);
    const route = `${host} ${req.method} ${url.pathname}`;
    const description = {
      resource: MCP_URL,
      authorization_servers: [ISSUER],
      scopes_supported: does.scopesSupported.filter((scope) => scope !== 'offline_access').slice(0, 1),
    };
    if (route === `${MCP_HOST} GET /about/resource`) return json(res, 200, description);
    if (route === `${MCP_HOST} GET /.well-known/oauth-protected-resource/v1/mcp`)
      return json(res, 200, description);
    if (url.pathname === '/v1/mcp' && host === MCP_HOST) return serve(req, res, body);
    if (route === `${AS_HOST} GET /.well-known/oauth-authorization-server/tenant`)
      return json(res, 200, metadata());
    if (route === `${AS_HOST} POST /register` && does.registration) return register(res, body);
    if (route === `${AS_HOST} GET /authorize`) return authorize(url, res);
    if (route === `${AS_HOST} POST /token`) return tokens(req, res, body);
    if (route === `${AS_HOST} POST /revoke`) return revoke(req, res, body);
    res.writeHead(404).end();
  }

  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const resolve: Record<string, string> = {};
  for (const host of [MCP_HOST, AS_HOST]) {
    const server = createServer(authority.issue(host), (req, res) => {
      void handle(host, req, res).catch((error: unknown) => {
        fault(`${host} ${req.url}: ${String(error)}`);
        res.destroy();
      });
    });
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    resolve[`${host}:443`] = `127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
    servers.push(server);
  }

  return {
    caPem: authority.caPem,
    resolve,
    does,
    faults,
    asked,
    heard,
    clients,
    valid,
    refreshes,
    reused,
    tokenRequests,
    async agree(authorizationUrl) {
      const url = new URL(authorizationUrl);
      if (url.host !== AS_HOST) throw new Error(`a person would be sent to ${url.host}`);
      let location: string | null = null;
      let status = 0;
      const res = {
        writeHead(code: number, headers?: Record<string, string>) {
          status = code;
          location = headers?.['location'] ?? null;
          return this;
        },
        end: () => undefined,
      };
      authorize(url, res as unknown as ServerResponse); // the browser's way there is no part of this
      if (location === null) throw new Error(`the authorization server answered ${status}`);
      return new URL(location);
    },
    expire: () => valid.clear(),
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    },
  };
}
