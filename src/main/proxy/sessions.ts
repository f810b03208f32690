/**
 * Programs outside of cells that use the explicit proxy: one session for each token with a server. A session is a share
 * of the data plane like a cell's, with placeholders and a certificate authority of its own; but who uses it is known
 * by the token alone. It lasts until the token, the profile or the server changes, and everything in it ends with it.
 */
import { manifestOf, type ServerRow } from '../../api/index.ts';
import type { CellEgress, Egress, ProxyAdmission, ProxyIdentity, ProxyLogin } from '../../egress/index.ts';
import type { Tokens } from '../../identity/index.ts';
import {
  AppError,
  type CellId,
  type Clock,
  isAppError,
  limits,
  type Log,
  newId,
  type Random,
  type WorkspaceId,
} from '../../kernel/index.ts';
import { makePlaceholder, type Manifest } from '../../manifest/index.ts';
import type { KillSwitch, Principal, ProfileView } from '../../mcp/index.ts';
import type { Vault } from '../../vault/index.ts';
import { bindingOf } from '../cells/binding.ts';
import { type CredentialVersions, credentialVersions } from '../cells/credentials.ts';
import type { AuthorityFiles } from './authority-files.ts';

export interface ProxySessionsDeps {
  readonly workspace: WorkspaceId;
  readonly servers: { find(workspace: WorkspaceId, slug: string): Promise<ServerRow | null> };
  readonly profile: (workspace: WorkspaceId, name: string) => Promise<ProfileView | null>;
  readonly tokens: Pick<Tokens, 'verify' | 'list' | 'onRevoke'>;
  readonly kills: Pick<KillSwitch, 'check' | 'onKill'>;
  readonly vault: Pick<Vault, 'list' | 'use'>;
  readonly egress: Pick<Egress, 'openCell'>;
  readonly files: AuthorityFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What a program needs to use the proxy. */
interface ProxySettings {
  readonly server: string;
  readonly tokenId: string;
  readonly profile: string;
  readonly agent: string;
  /** Placeholders by variable, of the credentials whose value is set. */
  readonly variables: Readonly<Record<string, string>>;
  /** Sealed credentials that no value is set for. */
  readonly unset: readonly string[];
  /** Path of the certificate to trust. */
  readonly caFile: string;
}

export interface ProxySessions extends ProxyAdmission {
  /** @param server null: the only one of the token's profile @throws AppError `token_not_found`, `proxy_*`, `kill_active` */
  settings(tokenId: string | null, server: string | null): Promise<ProxySettings>;
  serverOf(session: CellId): ServerRow | null;
  /** @throws AppError when the session may not go on */
  checkProxied(session: CellId): Promise<void>;
  /** Anything may have changed: ends what may not go on, and brings the rest up to date. */
  settle(): Promise<void>;
  close(): void;
}

/** A token's principal always names a profile. */
interface Client extends Principal {
  readonly profile: string;
}

type Slot = Manifest['credentials'][number];

interface Session {
  readonly id: CellId;
  readonly key: string;
  readonly client: Client;
  readonly row: ServerRow;
  readonly share: CellEgress;
  readonly caFile: string;
  versions: CredentialVersions;
}

export function createProxySessions(deps: ProxySessionsDeps): ProxySessions {
  const sessions = new Map<string, Session>();
  const opening = new Map<string, Promise<Session>>();
  const byId = new Map<CellId, { readonly row: ServerRow; readonly client: Client }>();
  /** By token, then by server and credential: they stay as long as the token, whatever becomes of the session. */
  const placeholders = new Map<string, Map<string, string>>();
  let closed = false;

  const keyOf = (client: Client, slug: string): string => JSON.stringify([client.actor.id, slug]);
  const fileOf = ({ client, row }: Pick<Session, 'client' | 'row'>): string =>
    `${row.slug}-${client.actor.id}`;

  function end(session: Session): void {
    if (sessions.get(session.key) !== session) return;
    sessions.delete(session.key);
    byId.delete(session.id);
    session.share.close();
    deps.files.remove(fileOf(session));
  }

  function placeholderFor(client: Client, slug: string, { name, placeholder: pattern }: Slot): string {
    const token = client.actor.id;
    const known = placeholders.get(token) ?? new Map<string, string>();
    placeholders.set(token, known);
    const slot = JSON.stringify([slug, name, pattern]);
    const placeholder = known.get(slot) ?? makePlaceholder(pattern, deps.random);
    known.set(slot, placeholder);
    return placeholder;
  }

  async function openAnew(client: Client, row: ServerRow, key: string): Promise<Session> {
    if (sessions.size + opening.size >= limits.proxySessionsMax) {
      throw new AppError('proxy_sessions_limit', 'Too many programs use the proxy.', {
        kind: 'limited',
        hint: `It serves ${limits.proxySessionsMax} tokens and servers at a time. Revoke tokens that are not used.`,
      });
    }
    const manifest = manifestOf(row);
    const id = newId<'cell'>('pxs', deps.random);
    const proxy: ProxyIdentity = { token: client.actor.id, agent: client.agent };
    const { workspace, profile } = client;
    byId.set(id, { row, client });
    try {
      const versions = await credentialVersions(deps, row);
      const share = await deps.egress.openCell({
        identity: { cell: id, workspace, server: row.slug, profile, owner: null, proxy },
        rules: manifest.egress,
        credentials: manifest.credentials
          .filter(({ tier }) => tier === 'sealed')
          .map((slot) => bindingOf(slot, placeholderFor(client, row.slug, slot))),
        tools: { rules: [], readOnly: 'off' },
        addresses: 'synthetic',
      });
      if (closed) {
        share.close();
        throw stopping();
      }
      const caFile = deps.files.write(fileOf({ client, row }), share.caPem);
      const session: Session = { id, key, client, row, share, caFile, versions };
      sessions.set(key, session);
      return session;
    } catch (error) {
      byId.delete(id);
      throw error;
    }
  }

  /** The session as the store has it now. */
  async function open(client: Client, slug: string): Promise<Session> {
    const key = keyOf(client, slug);
    const row = await deps.servers.find(deps.workspace, slug);
    if (row === null || !row.enabled) throw serverGone(slug);
    const known = sessions.get(key);
    if (known !== undefined && isSame(known.row, row)) return known;
    if (known !== undefined) end(known);
    const underWay = opening.get(key) ?? openAnew(client, row, key).finally(() => opening.delete(key));
    opening.set(key, underWay);
    return underWay;
  }

  /** @throws AppError when this client may not use this server now */
  async function check(client: Client, slug: string): Promise<void> {
    const token = (await deps.tokens.list(client.workspace)).find(({ id }) => id === client.actor.id);
    const isExpired = (token?.expiresAt ?? Infinity) <= deps.clock.now();
    if (token === undefined || token.revokedAt !== null || isExpired) {
      throw new AppError('token_revoked', 'The token is not valid any more.', { kind: 'unauthenticated' });
    }
    await deps.kills.check(client, slug);
    await serverFor(client, slug);
  }

  /** The server that is meant. @throws AppError `proxy_server_*` */
  async function serverFor(client: Client, asked: string | null): Promise<string> {
    const view = await deps.profile(client.workspace, client.profile);
    const slugs = view?.servers.map(({ slug }) => slug) ?? [];
    if (asked !== null) {
      if (slugs.includes(asked)) return asked;
      throw new AppError('proxy_server_unknown', `The profile of this token has no server \`${asked}\`.`, {
        kind: 'denied',
        hint: slugs.length === 0 ? 'It has none.' : `It has: ${slugs.join(', ')}.`,
      });
    }
    const [only] = slugs;
    if (only !== undefined && slugs.length === 1) return only;
    throw new AppError('proxy_server_needed', 'It is not certain which server is meant.', {
      kind: 'denied',
      hint: `Say so in the URL of the proxy, http://SERVER:TOKEN@HOST:PORT. There are: ${slugs.join(', ') || 'none'}.`,
    });
  }

  /**
   * Checked after it was opened, and not before: what ends sessions finds this one, and what was changed before is
   * found here.
   */
  async function admitted(client: Client, asked: string | null): Promise<Session> {
    if (closed) throw stopping();
    const slug = await serverFor(client, asked);
    await deps.kills.check(client, slug);
    const session = await open(client, slug);
    try {
      await check(client, slug);
    } catch (error) {
      end(session);
      throw error;
    }
    return session;
  }

  async function bringUpToDate(session: Session): Promise<void> {
    try {
      await check(session.client, session.row.slug);
      const row = await deps.servers.find(deps.workspace, session.row.slug);
      if (row === null || !isSame(session.row, row)) {
        end(session);
        return;
      }
      const versions = await credentialVersions(deps, row);
      if (sameVersions(versions, session.versions)) return;
      await session.share.refresh();
      session.versions = versions;
    } catch (error) {
      if (!isAppError(error))
        deps.log.error('proxy.settle_failed', { session: session.id, error: String(error) });
      end(session);
    }
  }

  async function settle(): Promise<void> {
    await Promise.all([...sessions.values()].map(bringUpToDate));
  }

  const settleNow = (): void => void settle();
  const stopListening = [
    deps.kills.onKill(settleNow),
    deps.tokens.onRevoke((id) => {
      placeholders.delete(id);
      for (const session of sessions.values()) if (session.client.actor.id === id) end(session);
    }),
  ];
  const timer = setInterval(settleNow, limits.proxySessionsCheckMs).unref();

  return {
    workspace: deps.workspace,
    async admit({ server, token }: ProxyLogin, remoteAddress) {
      const client = clientOf(await deps.tokens.verify(token, remoteAddress), deps.workspace);
      return (await admitted(client, server)).share;
    },
    async settings(tokenId, server) {
      const session = await admitted(await clientFor(deps, tokenId), server);
      const { client, row, caFile } = session;
      const versions = await credentialVersions(deps, row);
      const sealed = manifestOf(row).credentials.filter(({ tier }) => tier === 'sealed');
      const set = sealed.filter(({ name }) => versions.has(name));
      return {
        server: row.slug,
        tokenId: client.actor.id,
        profile: client.profile,
        agent: client.agent,
        variables: Object.fromEntries(
          set.flatMap((slot) =>
            slot.env === undefined ? [] : [[slot.env, placeholderFor(client, row.slug, slot)]],
          ),
        ),
        unset: sealed.filter(({ name }) => !versions.has(name)).map(({ name }) => name),
        caFile,
      };
    },
    serverOf: (session) => byId.get(session)?.row ?? null,
    async checkProxied(session) {
      const known = byId.get(session);
      if (known === undefined) throw serverGone('');
      await check(known.client, known.row.slug);
    },
    settle,
    close() {
      closed = true;
      clearInterval(timer);
      for (const stop of stopListening) stop();
      for (const session of sessions.values()) end(session);
    },
  };
}

/** @throws AppError `proxy_token_foreign` */
function clientOf(principal: Principal, workspace: WorkspaceId): Client {
  const { profile } = principal;
  if (profile !== null && principal.workspace === workspace) return { ...principal, profile };
  throw new AppError('proxy_token_foreign', 'This token is not for the proxy.', { kind: 'denied' });
}

/** @param id null: the only one that is valid @throws AppError `token_not_found`, `proxy_token_needed` */
async function clientFor(
  { tokens, workspace, clock }: ProxySessionsDeps,
  id: string | null,
): Promise<Client> {
  const now = clock.now();
  const valid = (await tokens.list(workspace)).filter(
    ({ revokedAt, expiresAt }) => revokedAt === null && (expiresAt ?? Infinity) > now,
  );
  const [found, another] = id === null ? valid : valid.filter((token) => token.id === id);
  if (found === undefined || another !== undefined) throw tokenNeeded(id);
  const { profile, agent } = found;
  return { workspace, actor: { kind: 'token', id: found.id }, profile, agent };
}

const tokenNeeded = (id: string | null): AppError =>
  id === null
    ? new AppError('proxy_token_needed', 'It is not certain which token is meant.', {
        kind: 'invalid',
        hint: 'Name it: --token ID. See: sallyport token list; make one: sallyport token create',
      })
    : new AppError('token_not_found', 'There is no such token, or it is not valid any more.', {
        kind: 'not_found',
        hint: 'See: sallyport token list',
      });

const stopping = (): AppError =>
  new AppError('gateway_stopping', 'The gateway is stopping.', { kind: 'unavailable' });

const serverGone = (slug: string): AppError =>
  new AppError('proxy_server_unknown', `The server \`${slug}\` is not there any more, or disabled.`, {
    kind: 'denied',
    hint: 'See: sallyport server list',
  });

const isSame = (before: ServerRow, now: ServerRow): boolean =>
  now.enabled &&
  now.id === before.id &&
  now.updatedAt === before.updatedAt &&
  now.manifestHash === before.manifestHash;

const sameVersions = (one: CredentialVersions, other: CredentialVersions): boolean =>
  one.size === other.size && [...one].every(([name, version]) => other.get(name) === version);
