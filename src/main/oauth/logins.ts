/** Logins as the rest of the gateway sees them: the operator's desk, and what running servers need of them. */
import {
  manifestOf,
  type LoginDesk,
  type LoginView,
  type ServerRow,
  type ServerRows,
} from '../../api/index.ts';
import type { Actor, AuditLog } from '../../audit/index.ts';
import type { CredentialBinding, Egress } from '../../egress/index.ts';
import { AppError, type Clock, type Log, type Random, Secret, type WorkspaceId } from '../../kernel/index.ts';
import { defaultPlaceholder, makePlaceholder, type Manifest } from '../../manifest/index.ts';
import type { KillSwitch, Principal } from '../../mcp/index.ts';
import { createGrants, type Grants, type GrantRecorder, type GrantServer } from '../../oauth/index.ts';
import type { Store } from '../../store/index.ts';
import type { Vault } from '../../vault/index.ts';
import { createOAuthHttp, type OwnOAuthHttp } from './http.ts';
import { grantRows, grantValues } from './storage.ts';

export interface LoginsDeps {
  readonly workspace: WorkspaceId;
  readonly operator: Principal;
  readonly servers: Pick<ServerRows, 'find'>;
  readonly store: Store;
  readonly vault: Vault;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly egress: () => Pick<Egress, 'openOwn'>;
  readonly kills: Pick<KillSwitch, 'check'>;
  /** Told after a token has changed, before a request is made with it. */
  readonly changed: (slug: string) => Promise<void>;
  readonly documentUrl: string | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ServerLogins {
  readonly desk: LoginDesk;
  readonly grants: Pick<Grants, 'ensure' | 'challenged'>;
  readonly credentialsOf: OwnOAuthHttp['credentialsOf'];
}

const GATEWAY: Actor = { kind: 'system', id: 'gateway' };
/** What the gateway does without being told to. */
const BY_ITSELF: ReadonlySet<Parameters<GrantRecorder>[0]> = new Set(['grant.refreshed', 'grant.refused']);

export function createLogins(deps: LoginsDeps): ServerLogins {
  const { workspace, operator, servers, store, vault, audit, clock, random, log, kills } = deps;
  const http = createOAuthHttp({
    workspace,
    operator,
    kills,
    servers,
    egress: deps.egress,
    random,
  });
  const grants = createGrants({
    http,
    values: grantValues(workspace, vault, deps.changed),
    rows: grantRows(workspace, store),
    async record(type, server, data) {
      const actor = BY_ITSELF.has(type) ? GATEWAY : operator.actor;
      await audit.append({ workspace, type, actor, server: server.slug, data });
    },
    documentUrl: deps.documentUrl,
    clock,
    random,
    log,
  });

  /** @throws AppError `oauth_not_remote` */
  const grantServer = (row: ServerRow): GrantServer => {
    const server = grantServerOf(row, manifestOf(row));
    if (server !== null) return server;
    throw new AppError('oauth_not_remote', `\`${row.slug}\` takes no logins.`, {
      kind: 'invalid',
      hint: 'Only remote servers do, and of those only such without a credential of their own in `Authorization`.',
    });
  };
  const viewOf = async (server: GrantServer): Promise<LoginView | null> => {
    const grant = await grants.show(server);
    if (grant === null) return null;
    const { issuer, clientId, state, granted, expiresAt, refreshable } = grant;
    return { server: server.slug, issuer, clientId, state, scopes: [...granted], expiresAt, refreshable };
  };

  return {
    grants,
    credentialsOf: (cell) => http.credentialsOf(cell),
    desk: {
      async begin(row, { redirectUri, scopes, clientId, clientSecret, acceptIssuer }) {
        const server = grantServer(row);
        await kills.check(operator, row.slug);
        const secret = clientSecret === undefined ? null : Secret.fromString(clientSecret);
        const begun = await grants.begin(server, {
          redirectUri,
          ...(scopes === undefined ? {} : { scopes }),
          ...(clientId === undefined ? {} : { client: { clientId, secret } }),
          ...(acceptIssuer === undefined ? {} : { acceptIssuer }),
        });
        return { ...begun, scopes: [...begun.scopes] };
      },
      async finish(query) {
        const { server } = await grants.finish(new URLSearchParams(query));
        const view = await viewOf(server);
        if (view !== null) return view;
        throw new AppError('oauth_state_unknown', 'It was logged out meanwhile.', { kind: 'conflict' });
      },
      show: async (row) => {
        const server = grantServerOf(row, manifestOf(row));
        return server === null ? null : viewOf(server);
      },
      // Also of a server that takes none any more, since it was given a key: its tokens are there still.
      forget: (row) => {
        const { server } = manifestOf(row);
        return server.kind === 'remote'
          ? grants.forget({ id: row.id, slug: row.slug, url: server.url })
          : grants.forget(grantServer(row));
      },
    },
  };
}

/** Null for a server that takes no logins: no remote one, or one with a key of its own where the token would stand. */
export function grantServerOf({ id, slug }: ServerRow, manifest: Manifest): GrantServer | null {
  const { server, credentials } = manifest;
  const hasKey = credentials.some(({ inject }) =>
    inject.some(
      (rule) => 'basic' in rule || ('header' in rule && rule.header.toLowerCase() === 'authorization'),
    ),
  );
  return server.kind === 'remote' && !hasKey ? { id, slug, url: server.url } : null;
}

/** The token goes to the server that it is for, and nowhere else. */
export function tokenBinding(server: GrantServer, random: Random): CredentialBinding {
  const url = new URL(server.url);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return {
    name: 'OAUTH_ACCESS_TOKEN',
    placeholder: makePlaceholder(defaultPlaceholder, random),
    hosts: [url.hostname],
    ports: [port],
    inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
  };
}
