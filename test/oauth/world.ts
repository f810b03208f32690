/** Logins with everything real below them: data plane, vault, store, audit log; only who is logged in at is a stand-in. */
import { NO_RULES } from '../../src/policy/index.ts';
import type { ServerRow } from '../../src/api/index.ts';
import { createEgress, type Egress, NO_CALLS, type OwnShare } from '../../src/egress/index.ts';
import { type Clock, newId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { credentialSource } from '../../src/main/egress-ports.ts';
import { operatorOf } from '../../src/main/front-ports.ts';
import { createOAuthHttp } from '../../src/main/oauth/http.ts';
import { grantRows, grantValues } from '../../src/main/oauth/storage.ts';
import { serverRows } from '../../src/main/repositories.ts';
import type { Services } from '../../src/main/services.ts';
import { createGrants, type Grants, type GrantServer, type LoginRefusal } from '../../src/oauth/index.ts';
import { temporaryHome, type TemporaryHome } from '../main/temporary-home.ts';
import { MCP_HOST, MCP_URL, type StandIn } from './stand-in.ts';

export const REDIRECT = 'http://127.0.0.1:7802/oauth/callback';

/** What a test may put in the way of the network. */
export interface Network {
  readonly resolve: Readonly<Record<string, string>>;
  readonly extraCa: readonly string[];
  readonly allowNetworks: readonly string[];
}

export const networkOf = ({ resolve, caPem }: Pick<StandIn, 'resolve' | 'caPem'>): Network => ({
  resolve,
  extraCa: [caPem],
  allowNetworks: ['127.0.0.0/8'],
});

export interface OAuthWorld {
  readonly home: TemporaryHome;
  readonly services: Services;
  readonly server: GrantServer;
  readonly grants: Grants;
  readonly egress: Egress;
  /** Servers whose credentials have changed. */
  readonly changed: string[];
  /** A request to the server, with the token where there is one. */
  ask(): Promise<{ status: number; challenge: string | null; text: string }>;
  /** Types and data of what is on record. */
  events(): Promise<{ type: string; data: Record<string, unknown> }[]>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly clock?: Clock;
  readonly documentUrl?: string;
  /** Where it is; absent: a new home, which is removed at the end. */
  readonly home?: TemporaryHome;
}

export async function openOAuthWorld(network: Network, options: WorldOptions = {}): Promise<OAuthWorld> {
  const home = options.home ?? (await temporaryHome());
  const clock = options.clock ?? systemClock;
  const services = await home.services();
  const { workspace, store, vault, audit } = services;
  const servers = serverRows(store);
  let row = await servers.find(workspace, 'it');
  if (row === null) {
    row = serverRow();
    await servers.insert(workspace, row);
  }
  const stored = row;
  const http = createOAuthHttp({
    workspace,
    operator: operatorOf(workspace),
    kills: { check: async () => undefined },
    servers,
    egress: () => egress,
    random: systemRandom,
  });
  const cell = newId<'cell'>('rmt', systemRandom);
  const token = { row: stored, name: 'OAUTH_ACCESS_TOKEN' };
  const egress: Egress = createEgress({
    credentials: credentialSource(workspace, vault, {
      serverOf: (of) => (of === cell ? stored : null),
      credentialsOf: (of) => (of === cell ? new Map([[token.name, token]]) : http.credentialsOf(of)),
      checkProxied: () => Promise.resolve(),
    }),
    calls: { callsIn: () => NO_CALLS },
    rules: { current: () => NO_RULES },
    limits: { count: async () => null },
    audit,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    config: network,
  });
  const changed: string[] = [];
  let share: OwnShare | null = null;
  const grants = createGrants({
    http,
    values: grantValues(workspace, vault, async (slug) => {
      changed.push(slug);
      await share?.refresh();
    }),
    rows: grantRows(workspace, store),
    record: async (type, server, data) => {
      await audit.append({ workspace, type, actor: { kind: 'local', id: '0' }, server: server.slug, data });
    },
    documentUrl: options.documentUrl ?? null,
    clock,
    random: systemRandom,
    log: silentLog,
  });

  return {
    home,
    services,
    server: { id: stored.id, slug: 'it', url: MCP_URL },
    grants,
    egress,
    changed,
    async ask() {
      share ??= await egress.openOwn({
        identity: { cell, workspace, server: 'it', profile: '', owner: null },
        rules: [{ host: MCP_HOST, port: 443, protocol: 'https' }],
        credentials: [
          {
            name: token.name,
            placeholder: 'stand-in-of-the-access-token-0123456789',
            hosts: [MCP_HOST],
            inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
          },
        ],
      });
      const answer = await share.request(
        {
          method: 'POST',
          scheme: 'https',
          host: MCP_HOST,
          port: 443,
          target: '/v1/mcp',
          fields: [['Content-Type', 'application/json']],
          body: Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/list"}'),
        },
        new AbortController().signal,
      );
      const text = (await answer.body.toArray()).join('');
      return { status: answer.status, challenge: answer.fields.get('www-authenticate') ?? null, text };
    },
    async events() {
      const found: { type: string; data: Record<string, unknown> }[] = [];
      for await (const { type, data } of audit.export(workspace, {})) found.push({ type, data: { ...data } });
      return found;
    },
    async close() {
      share?.close();
      await egress.close();
      await services.close();
      if (options.home === undefined) home.remove();
    },
  };
}

function serverRow(): ServerRow {
  return {
    id: newId<'server'>('srv', systemRandom),
    slug: 'it',
    manifest: {
      schemaVersion: 2,
      name: 'it',
      version: '1.0.0',
      server: { kind: 'remote', url: MCP_URL },
      egress: [{ host: MCP_HOST }],
    },
    manifestHash: 'hash',
    source: MCP_URL,
    package: null,
    enabled: true,
    createdAt: 1,
    updatedAt: 1,
  };
}

/** A refusal of which it is not known what was shown. */
export const refusal = (status: 401 | 403, wwwAuthenticate: string | null): LoginRefusal => ({
  status,
  wwwAuthenticate,
  shown: null,
});

/** A person who agrees, from the beginning to the end. */
export async function logIn(world: OAuthWorld, standIn: StandIn, redirectUri = REDIRECT): Promise<void> {
  const { authorizationUrl } = await world.grants.begin(world.server, { redirectUri });
  await world.grants.finish((await standIn.agree(authorizationUrl)).searchParams);
}
