/**
 * A login: from a server that wants one to tokens in the vault. Between the two is a person with a browser, through which
 * anything may come back: only what fits the login that waits for it is looked at, and of that first whose it is.
 */
import { AppError, type Secret } from '../kernel/index.ts';
import { type Challenge, NO_CHALLENGE, parseChallenge } from './challenge.ts';
import { discover, jsonObject } from './discovery.ts';
import { errorName, issuerChanged, issuerMismatch, shown, stateUnknown } from './errors.ts';
import type { Grant } from './grant.ts';
import { clear, putToken, settle } from './keep-tokens.ts';
import { type PendingLogin, PendingLogins } from './pending-logins.ts';
import { challengeOf, randomText } from './pkce.ts';
import type { GrantDeps, GrantServer } from './ports.ts';
import { type Client, clientFor } from './registration.ts';
import { sameIssuer } from './addresses.ts';
import { unionOf } from './scopes.ts';
import { readTokens, type TokenAnswer } from './token-answer.ts';
import { postForm } from './token-endpoint.ts';
import { Turns } from './turns.ts';

export interface LoginWanted {
  /** Where the browser is sent back to. */
  readonly redirectUri: string;
  /** In place of what the server asks for. */
  readonly scopes?: readonly string[];
  /** What somebody registered at the authorization server. */
  readonly client?: { readonly clientId: string; readonly secret: Secret | null };
  /** Another authorization server than at the last login is all right. */
  readonly acceptIssuer?: boolean;
}

export interface LoginBegun {
  /** Where the person's browser goes. */
  readonly authorizationUrl: string;
  readonly issuer: string;
  readonly clientFrom: Client['clientFrom'];
  readonly scopes: readonly string[];
}

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'sallyport', version: '0' },
  },
});

const OFFLINE = 'offline_access';

export class Logins {
  readonly #deps: GrantDeps;
  readonly #pending: PendingLogins;
  readonly #renewed: (server: GrantServer) => Promise<void>;
  /** There is one place for the secret of a server's client, and each login may have a client of its own. */
  readonly #turns = new Turns();

  /** @param renewed resolves when no renewal of this server's login is on its way in this process; never rejects */
  constructor(deps: GrantDeps, renewed: (server: GrantServer) => Promise<void>) {
    this.#deps = deps;
    this.#renewed = renewed;
    this.#pending = new PendingLogins(deps.clock);
  }

  /**
   * @param known what the server said when it refused a request; null: it is asked
   * @throws AppError `oauth_*`, `egress_*`, `audit_unavailable`
   */
  async begin(server: GrantServer, wanted: LoginWanted, known: Challenge | null): Promise<LoginBegun> {
    const { http, rows, record, random, documentUrl } = this.#deps;
    const before = await rows.find(server);
    const challenge = known ?? (await this.#ask(server));
    const discovered = await discover(http, server, challenge, before?.issuer ?? null);
    const { metadata, resource } = discovered;
    if (before !== null && !sameIssuer(before.issuer, metadata.issuer) && wanted.acceptIssuer !== true)
      throw issuerChanged(server.slug, before.issuer, metadata.issuer);
    const scopes = scopesFor(wanted, challenge, before, discovered);
    const { redirectUri } = wanted;
    const client = await clientFor(http, server, metadata, {
      redirectUri,
      scopes,
      given: wanted.client ?? null,
      documentUrl,
      before,
    });
    const [state, verifier] = [randomText(random), randomText(random)];
    const url = new URL(metadata.authorizationEndpoint);
    const query: readonly (readonly [string, string | null])[] = [
      ['response_type', 'code'],
      ['client_id', client.clientId],
      ['redirect_uri', redirectUri],
      ['state', state],
      ['code_challenge', challengeOf(verifier)],
      ['code_challenge_method', 'S256'],
      ['scope', scopes.length === 0 ? null : scopes.join(' ')],
      ['resource', resource],
      // OpenID Connect Core section 11: without it the scope is ignored.
      ['prompt', scopes.includes(OFFLINE) ? 'consent' : null],
    ];
    for (const [name, value] of query) if (value !== null) url.searchParams.set(name, value);
    await record('grant.begun', server, {
      issuer: metadata.issuer,
      client: client.clientId,
      clientFrom: client.clientFrom,
      scopes,
      resource,
    });
    this.#pending.add(state, { server, discovered, client, redirectUri, scopes, verifier });
    return {
      authorizationUrl: url.href,
      issuer: metadata.issuer,
      clientFrom: client.clientFrom,
      scopes,
    };
  }

  /**
   * @param query as it came back through the browser
   * @throws AppError `oauth_state_unknown`, `oauth_issuer_mismatch`, `oauth_denied`, `oauth_token_refused`,
   *   `oauth_login_undone`
   */
  async finish(query: URLSearchParams): Promise<{ readonly server: GrantServer; readonly grant: Grant }> {
    const login = this.#pending.take(single(query, 'state') ?? '');
    if (login === null) throw stateUnknown();
    const { server } = login;
    try {
      const code = codeIn(query, login);
      const redeem = (): Promise<Grant> => this.#redeem(login, code);
      const isAlone = login.client.clientAuth === 'none';
      return { server, grant: await (isAlone ? redeem() : this.#turns.take(server.id, redeem)) };
    } catch (error) {
      const reason = error instanceof AppError ? error.code : 'internal_error';
      await this.#deps.record('grant.refused', server, {
        issuer: login.discovered.metadata.issuer,
        reason,
      });
      throw error;
    } finally {
      login.client.secret?.destroy();
    }
  }

  /** A request as a client would make it, without any credential: what it is refused with says where to log in. */
  async #ask(server: GrantServer): Promise<Challenge> {
    const answer = await this.#deps.http.send(server, {
      method: 'POST',
      url: new URL(server.url),
      headers: [
        ['Content-Type', 'application/json'],
        ['Accept', 'application/json, text/event-stream'],
      ],
      body: INITIALIZE,
      slots: [],
    });
    return answer.status === 401 || answer.status === 403
      ? (parseChallenge(answer.wwwAuthenticate) ?? NO_CHALLENGE)
      : NO_CHALLENGE;
  }

  async #redeem(login: PendingLogin, code: string): Promise<Grant> {
    const { http, rows, record, clock, random } = this.#deps;
    const { server, discovered, client, redirectUri, scopes, verifier } = login;
    const { metadata, resource } = discovered;
    const before = await rows.find(server);
    // Its client's secret is the stored one, and that is another client's by now.
    if (countsOnStored(client) && before?.clientId !== client.clientId) throw undone(server.slug);
    const now = clock.now();
    const by = randomText(random);
    const isMine = (stored: Grant | null): boolean => stored?.refreshing?.by === by;
    const grant: Grant = {
      issuer: metadata.issuer,
      tokenEndpoint: metadata.tokenEndpoint.href,
      revocationEndpoint: metadata.revocationEndpoint?.href ?? null,
      clientId: client.clientId,
      clientAuth: client.clientAuth,
      clientFrom: client.clientFrom,
      redirectUri,
      resource,
      asked: scopes,
      wanted: scopes,
      granted: scopes,
      state: 'login_needed',
      expiresAt: null,
      refreshable: false,
      rotates: null,
      refreshedAt: now,
      refreshing: { by, at: now, version: 0 },
      stepUps: before?.stepUps ?? 0,
      steppedUpAt: before?.steppedUpAt ?? 0,
    };
    // From here until both tokens are stored, nothing of what was there before goes with what is there now.
    await rows.edit(server, () => grant);
    if (client.secret !== null) {
      // A renewal that began before goes with the secret that it began with.
      await this.#renewed(server);
      await this.#deps.values.put(server, 'OAUTH_CLIENT_SECRET', client.secret);
    }
    if (!isMine(await rows.find(server))) {
      // Another process has begun or forgotten one meanwhile: whose secret is there now, nobody can say.
      if (client.secret !== null) await clear(this.#deps, server);
      throw undone(server.slug);
    }
    const answer = await postForm(http, server, metadata.tokenEndpoint, {
      client,
      fields: {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        ...(resource === null ? {} : { resource }),
      },
      slots: [],
    });
    const document = jsonObject(answer.text);
    const tokens = answer.status === 200 && document !== null ? readTokens(document) : null;
    if (tokens === null || !tokens.ok) {
      const error = document?.['error'];
      throw tokenRefused(
        server.slug,
        tokens === null
          ? `HTTP ${answer.status}, ${errorName(typeof error === 'string' ? error : null)}`
          : tokens.error,
      );
    }
    // Somebody logged out meanwhile, or in: what came is not kept.
    if (!isMine(await rows.find(server))) throw undone(server.slug);
    const granted = grantedBy(grant, tokens.value, now);
    await record('grant.granted', server, {
      issuer: granted.issuer,
      client: granted.clientId,
      scopes: granted.granted,
      resource,
      expiresAt: granted.expiresAt,
      refreshable: granted.refreshable,
    });
    await storeTokens(this.#deps, server, tokens.value);
    if (!(await settle(this.#deps, server, (stored) => (isMine(stored) ? granted : null))))
      throw undone(server.slug);
    return granted;
  }
}

const countsOnStored = ({ clientAuth, secret }: Client): boolean => clientAuth !== 'none' && secret === null;

function grantedBy(grant: Grant, tokens: TokenAnswer, now: number): Grant {
  return {
    ...grant,
    granted: tokens.scopes ?? grant.asked,
    state: 'ready',
    expiresAt: tokens.expiresIn === null ? null : now + tokens.expiresIn * 1_000,
    refreshable: tokens.refreshToken !== null,
    refreshing: null,
  };
}

/** The refresh token first: with it, the other can be had again. */
async function storeTokens(
  { values }: Pick<GrantDeps, 'values'>,
  server: GrantServer,
  { accessToken, refreshToken }: TokenAnswer,
): Promise<void> {
  if (refreshToken === null) await values.remove(server, 'OAUTH_REFRESH_TOKEN');
  else await putToken(values, server, 'OAUTH_REFRESH_TOKEN', refreshToken);
  await putToken(values, server, 'OAUTH_ACCESS_TOKEN', accessToken);
}

/** What the specification says: what the server asks for, else what it has; more than once, all of it together. */
function scopesFor(
  wanted: LoginWanted,
  challenge: Challenge,
  before: Grant | null,
  {
    metadata,
    scopes,
  }: { readonly metadata: { readonly scopes: readonly string[] }; readonly scopes: readonly string[] },
): readonly string[] {
  if (wanted.scopes !== undefined) return unionOf(wanted.scopes);
  const asked = challenge.scopes.length > 0 ? challenge.scopes : scopes;
  const all = unionOf(before?.wanted ?? [], asked);
  return all.length > 0 && metadata.scopes.includes(OFFLINE) ? unionOf(all, [OFFLINE]) : all;
}

/** A parameter that is there twice has no reading that everybody shares. */
function single(query: URLSearchParams, name: string): string | null {
  const [value, another] = query.getAll(name);
  return value === undefined || another !== undefined ? null : value;
}

/** @throws AppError `oauth_issuer_mismatch`, `oauth_denied`, `oauth_answer_invalid` */
function codeIn(query: URLSearchParams, { server, discovered }: PendingLogin): string {
  const { issuer, saysIssuer } = discovered.metadata;
  // RFC 9207 section 2.4: before anything else of the answer is believed, its error included.
  const said = single(query, 'iss');
  if (query.has('iss') ? said !== issuer : saysIssuer) throw issuerMismatch(issuer, said);
  if (query.has('error')) {
    const description = single(query, 'error_description');
    const why = description === null ? '' : `: ${shown(description)}`;
    throw new AppError(
      'oauth_denied',
      `${issuer} did not grant it: ${errorName(single(query, 'error'))}${why}`,
      { kind: 'denied', hint: `Begin anew: sallyport server login ${server.slug}` },
    );
  }
  const code = single(query, 'code');
  if (code === null || code === '')
    throw new AppError('oauth_answer_invalid', `The answer of ${issuer} has neither a code nor an error.`, {
      kind: 'invalid',
      hint: `Begin anew: sallyport server login ${server.slug}`,
    });
  return code;
}

const undone = (slug: string): AppError =>
  new AppError(
    'oauth_login_undone',
    `\`${slug}\` was logged out, or in again, while this login was completed.`,
    {
      kind: 'conflict',
      hint: `See what holds now: sallyport server show ${slug}`,
    },
  );

const tokenRefused = (slug: string, why: string): AppError =>
  new AppError('oauth_token_refused', `The authorization server of \`${slug}\` gave no token: ${why}.`, {
    kind: 'unavailable',
    hint: `Begin anew: sallyport server login ${slug}`,
  });
