/** Sessions of the explicit proxy: who gets one, what it is the same for, and everything that ends it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerRow } from '../../src/api/index.ts';
import type { CellEgress, CellEgressSpec } from '../../src/egress/index.ts';
import {
  AppError,
  fixedClock,
  limits,
  silentLog,
  systemRandom,
  type TokenId,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import { createProxySessions, type ProxySessions } from '../../src/main/proxy/sessions.ts';
import { manifest, row } from './cell-world.ts';

const workspace = 'wsp_test' as WorkspaceId;
const KEY = { name: 'API_KEY', tier: 'sealed' } as const;

interface Token {
  readonly profile: string;
  revokedAt: number | null;
  expiresAt: number | null;
}

interface Share {
  readonly spec: CellEgressSpec;
  closed: boolean;
  refreshed: number;
}

class World {
  readonly clock = fixedClock(1_000_000);
  readonly servers = new Map<string, ServerRow>();
  readonly profiles = new Map<string, string[]>([['default', ['one']]]);
  readonly tokens = new Map<string, Token>();
  readonly versions = new Map<string, number>([['API_KEY', 1]]);
  readonly shares: Share[] = [];
  readonly files = new Map<string, string>();
  readonly revoked = new Set<(id: TokenId) => void>();
  readonly killed = new Set<() => void>();
  killOf: string | null = null;
  /** What opening waits for. */
  opening: Promise<void> = Promise.resolve();
  readonly sessions: ProxySessions;

  constructor() {
    this.servers.set('one', row('one', { manifest: manifest([KEY, { name: 'OPEN', tier: 'entrusted' }]) }));
    this.servers.set('two', row('two', { manifest: manifest([KEY]) }));
    this.add('tok_a');
    this.sessions = createProxySessions({
      workspace,
      servers: { find: async (_, slug) => this.servers.get(slug) ?? null },
      profile: async (_, name) => {
        const slugs = this.profiles.get(name);
        if (slugs === undefined) return null;
        return {
          name,
          tokenInUrl: false,
          search: false,
          servers: slugs.map((slug) => ({
            slug,
            title: null,
            tools: '*' as const,
            defaultTools: null,
            callSeconds: null,
          })),
        };
      },
      tokens: {
        verify: async (text) => {
          const token = this.tokens.get(text);
          if (token === undefined || token.revokedAt !== null)
            throw new AppError('token_unknown', 'no', { kind: 'unauthenticated' });
          return { workspace, actor: { kind: 'token', id: text }, profile: token.profile, agent: 'cursor' };
        },
        list: async () =>
          Array.from(this.tokens, ([id, token]) => ({
            ...token,
            id: id as TokenId,
            agent: 'cursor',
            createdAt: 0,
            lastUsedAt: null,
          })),
        onRevoke: (listener) => {
          this.revoked.add(listener);
          return () => this.revoked.delete(listener);
        },
      },
      kills: {
        check: async (_, server) => {
          if (this.killOf === server) throw new AppError('kill_active', 'stopped', { kind: 'denied' });
        },
        onKill: (listener) => {
          this.killed.add(listener);
          return () => this.killed.delete(listener);
        },
      },
      vault: {
        list: async () =>
          Array.from(this.versions, ([name, version]) => ({
            name,
            version,
            owner: null,
            updatedAt: 0,
            updatedBy: 'x',
          })),
        use: () => Promise.reject(new Error('not asked for here')),
      },
      egress: {
        openCell: async (spec) => {
          await this.opening;
          const share: Share & CellEgress = {
            spec,
            closed: false,
            refreshed: 0,
            caPem: `pem of ${spec.identity.server}`,
            ports: [],
            acceptTcp: () => undefined,
            acceptDnsTcp: () => undefined,
            acceptDnsUdp: () => undefined,
            refresh: async () => {
              share.refreshed += 1;
            },
            close: () => {
              share.closed = true;
            },
          };
          this.shares.push(share);
          return share;
        },
      },
      files: {
        write: (name, pem) => {
          this.files.set(name, pem);
          return `/home/proxy/${name}.pem`;
        },
        remove: (name) => void this.files.delete(name),
        clear: () => undefined,
      },
      clock: this.clock,
      random: systemRandom,
      log: silentLog,
    });
  }

  add(id: string, over: Partial<Token> = {}): void {
    this.tokens.set(id, { profile: 'default', revokedAt: null, expiresAt: null, ...over });
  }

  revoke(id: string): void {
    const token = this.tokens.get(id);
    if (token !== undefined) token.revokedAt = 1;
    for (const listener of this.revoked) listener(id as TokenId);
  }

  admit(token = 'tok_a', server: string | null = 'one'): Promise<CellEgress> {
    return this.sessions.admit({ token, server }, '127.0.0.1');
  }

  placeholderOf(share: number): string | undefined {
    return this.shares[share]?.spec.credentials[0]?.placeholder;
  }
}

const failing = (code: string) => expect.objectContaining({ code }) as unknown;

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.sessions.close());

describe('a session of the proxy', () => {
  it('is one for each token with a server, with what is sealed, and known by the token', async () => {
    const share = await world.admit();
    expect(await world.admit()).toBe(share);
    expect(await world.admit('tok_a', null)).toBe(share);
    expect(world.shares).toHaveLength(1);
    const spec = world.shares[0]?.spec;
    expect(spec).toMatchObject({
      identity: {
        server: 'one',
        profile: 'default',
        owner: null,
        proxy: { token: 'tok_a', agent: 'cursor' },
      },
      rules: [{ host: 'api.test.example', port: 443 }],
      addresses: 'synthetic',
    });
    expect(spec?.credentials.map(({ name }) => name)).toEqual(['API_KEY']);
    world.add('tok_b');
    expect(await world.admit('tok_b')).not.toBe(share);
    expect(world.placeholderOf(1)).not.toBe(world.placeholderOf(0));
    const id = spec?.identity.cell;
    if (id === undefined) throw new Error('no session');
    expect(world.sessions.serverOf(id)?.slug).toBe('one');
    await world.sessions.checkProxied(id);
  });

  it('is opened once for all who ask at the same time', async () => {
    const shares = await Promise.all([world.admit(), world.admit(), world.admit()]);
    expect(new Set(shares).size).toBe(1);
    expect(world.shares).toHaveLength(1);
  });

  it('tells what its program needs, the same each time', async () => {
    const settings = await world.sessions.settings(null, null);
    expect(settings).toEqual({
      server: 'one',
      tokenId: 'tok_a',
      profile: 'default',
      agent: 'cursor',
      variables: { API_KEY: world.placeholderOf(0) },
      unset: [],
      caFile: '/home/proxy/one-tok_a.pem',
    });
    expect(world.files).toEqual(new Map([['one-tok_a', 'pem of one']]));
    expect(await world.sessions.settings('tok_a', 'one')).toEqual(settings);
    world.versions.clear();
    expect(await world.sessions.settings('tok_a', 'one')).toMatchObject({
      variables: {},
      unset: ['API_KEY'],
    });
  });

  it('keeps its placeholders when the server changes, under rules that are the new ones', async () => {
    const before = await world.admit();
    world.servers.set('one', row('one', { manifest: manifest([KEY]), manifestHash: 'other', updatedAt: 2 }));
    expect(await world.admit()).not.toBe(before);
    expect(world.shares.map(({ closed }) => closed)).toEqual([true, false]);
    expect(world.placeholderOf(1)).toBe(world.placeholderOf(0));
  });

  it('is brought up to date with a value that was changed, once', async () => {
    await world.admit();
    world.versions.set('API_KEY', 2);
    await world.sessions.settle();
    await world.sessions.settle();
    expect(world.shares).toMatchObject([{ closed: false, refreshed: 1 }]);
  });
});

describe('nobody gets a session', () => {
  it.each<[string, (world: World) => void, string | null, string]>([
    ['whose profile lacks the server', () => undefined, 'two', 'proxy_server_unknown'],
    [
      'who does not say which of several',
      (w) => w.profiles.set('default', ['one', 'two']),
      null,
      'proxy_server_needed',
    ],
    ['whose profile is empty', (w) => w.profiles.set('default', []), null, 'proxy_server_needed'],
    ['whose profile is gone', (w) => w.profiles.delete('default'), 'one', 'proxy_server_unknown'],
    ['while the kill switch is set', (w) => (w.killOf = 'one'), 'one', 'kill_active'],
    ['when the server is gone', (w) => w.servers.delete('one'), 'one', 'proxy_server_unknown'],
    [
      'when the server is disabled',
      (w) => w.servers.set('one', row('one', { enabled: false })),
      'one',
      'proxy_server_unknown',
    ],
    ['whose token was revoked', (w) => w.revoke('tok_a'), 'one', 'token_unknown'],
  ])('%s', async (_name, change, server, code) => {
    change(world);
    await expect(world.admit('tok_a', server)).rejects.toEqual(failing(code));
    expect(world.shares).toEqual([]);
  });

  it('beyond so many', async () => {
    for (let index = 0; index < limits.proxySessionsMax; index += 1) {
      world.add(`tok_${index}`);
      await world.admit(`tok_${index}`);
    }
    await expect(world.admit()).rejects.toEqual(failing('proxy_sessions_limit'));
    world.revoke('tok_0');
    await world.admit();
  });

  it('of whom it is not certain which token is meant', async () => {
    world.add('tok_b');
    await expect(world.sessions.settings(null, 'one')).rejects.toEqual(failing('proxy_token_needed'));
    await expect(world.sessions.settings('tok_c', 'one')).rejects.toEqual(failing('token_not_found'));
    world.add('tok_b', { expiresAt: world.clock.now() });
    await expect(world.sessions.settings('tok_b', 'one')).rejects.toEqual(failing('token_not_found'));
    expect((await world.sessions.settings(null, 'one')).tokenId).toBe('tok_a');
  });
});

describe('a session ends', () => {
  const ended = async (change: (world: World) => void): Promise<void> => {
    await world.admit();
    const id = world.shares[0]?.spec.identity.cell;
    if (id === undefined) throw new Error('no session');
    change(world);
    await world.sessions.settle();
    expect(world.shares[0]?.closed).toBe(true);
    expect(world.files.size).toBe(0);
    expect(world.sessions.serverOf(id)).toBeNull();
    await expect(world.sessions.checkProxied(id)).rejects.toEqual(failing('proxy_server_unknown'));
  };

  it.each<[string, (world: World) => void]>([
    ['its token expires', (w) => w.add('tok_a', { expiresAt: w.clock.now() })],
    ['its token was revoked by another process', (w) => w.add('tok_a', { revokedAt: 1 })],
    ['its token is gone', (w) => w.tokens.clear()],
    ['its server leaves the profile', (w) => w.profiles.set('default', [])],
    ['its profile is gone', (w) => w.profiles.clear()],
    ['its server is disabled', (w) => w.servers.set('one', row('one', { enabled: false }))],
    ['its server is removed', (w) => w.servers.clear()],
    ['its server is another one', (w) => w.servers.set('one', row('one', { updatedAt: 5 }))],
    ['the kill switch is set', (w) => (w.killOf = 'one')],
  ])('when %s', async (_name, change) => {
    await ended(change);
  });

  it('at once when its token is revoked here, and its placeholders with it', async () => {
    world.add('tok_b');
    await world.admit();
    await world.admit('tok_b');
    world.revoke('tok_a');
    expect(world.shares.map(({ closed }) => closed)).toEqual([true, false]);
    world.add('tok_a');
    await world.admit();
    expect(world.placeholderOf(2)).not.toBe(world.placeholderOf(0));
  });

  it('when the kill switch says so, without anybody asking', async () => {
    await world.admit();
    world.killOf = 'one';
    for (const listener of world.killed) listener();
    while (world.shares[0]?.closed !== true) await new Promise((resolve) => setImmediate(resolve));
  });

  it.each<[string, (world: World) => void, string]>([
    ['its token is revoked', (w) => w.revoke('tok_a'), 'token_revoked'],
    ['the kill switch is set', (w) => (w.killOf = 'one'), 'kill_active'],
    ['the gateway stops', (w) => w.sessions.close(), 'gateway_stopping'],
  ])('before it has begun, where %s while it is opened', async (_name, change, code) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    world.opening = promise;
    const admitted = world.admit();
    await new Promise((done) => setImmediate(done));
    change(world);
    resolve();
    await expect(admitted).rejects.toEqual(failing(code));
    expect(world.shares.map(({ closed }) => closed)).toEqual([true]);
  });

  it('with the gateway', async () => {
    await world.admit();
    world.sessions.close();
    expect(world.shares[0]?.closed).toBe(true);
    expect([world.revoked.size, world.killed.size]).toEqual([0, 0]);
    await expect(world.admit()).rejects.toEqual(failing('gateway_stopping'));
  });
});
