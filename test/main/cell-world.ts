/** A cell pool over a sandbox, a data plane and a vault that only remember what they were told. */
import { PassThrough } from 'node:stream';
import { expect } from 'vitest';
import type { ServerRow } from '../../src/api/index.ts';
import type { AuditEvent } from '../../src/audit/index.ts';
import {
  AppError,
  type CellId,
  fixedClock,
  type Json,
  type Log,
  Secret,
  type ServerId,
  systemRandom,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import { type CellPool, type CellPoolDeps, createCellPool } from '../../src/main/cells/pool.ts';
import { createApiCompiler } from '../../src/main/upstreams/api-compiler.ts';
import { createEras } from '../../src/main/upstreams/eras.ts';
import type { Ending } from '../../src/main/cells/start.ts';
import type { CellIdentity } from '../../src/egress/index.ts';
import type { CellActivity } from '../../src/mcp/index.ts';
import type { CellExit, CellSpec } from '../../src/sandbox/index.ts';
import type { CredentialInfo } from '../../src/vault/index.ts';

const workspace = 'wsp_test' as WorkspaceId;

interface FakeCell {
  readonly id: CellId;
  readonly spec: CellSpec;
  readonly stderr: PassThrough;
  /** The server ends on its own. */
  end(exit?: Partial<CellExit>): void;
  /** How it was told to end last; null: it was not. */
  ending: Ending | null;
  egressClosed: boolean;
  refreshed: number;
}

interface Slot {
  readonly name: string;
  readonly tier: 'sealed' | 'entrusted';
  readonly required?: boolean;
}

export function manifest(credentials: readonly Slot[] = [], more: Readonly<Record<string, Json>> = {}): Json {
  return {
    schemaVersion: 2,
    name: 'echo',
    version: '1.0.0',
    server: { kind: 'sandboxed', command: ['node', '/srv/echo.mjs'], ...more },
    egress: [{ host: 'api.test.example' }],
    credentials: credentials.map(({ name, tier, required = false }) => ({
      name,
      tier,
      required,
      env: name,
      ...(tier === 'sealed'
        ? {
            placeholder: 'key_{alnum:32}',
            hosts: ['api.test.example'],
            inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
          }
        : {}),
    })),
  };
}

export function row(slug: string, over: Partial<ServerRow> = {}): ServerRow {
  return {
    id: `srv_${slug}` as ServerId,
    slug,
    manifest: manifest(),
    manifestHash: 'hash',
    source: 'echo.json',
    package: null,
    enabled: true,
    createdAt: 0,
    updatedAt: 0,
    ...over,
  };
}

export interface World {
  readonly pool: CellPool;
  readonly clock: ReturnType<typeof fixedClock>;
  /** By slug. */
  readonly servers: Map<string, ServerRow>;
  /** Servers that were taken out of every profile but the operator's own. */
  readonly unselected: Set<string>;
  /** Versions by name of what is set, the same for every server. */
  readonly secrets: Map<string, number>;
  /** Values of single users. */
  readonly owned: { readonly name: string; readonly owner: string; readonly version: number }[];
  /** What the data plane was told about each cell. */
  readonly identities: CellIdentity[];
  readonly activity: Map<CellId, CellActivity>;
  readonly cells: FakeCell[];
  readonly events: AuditEvent[];
  readonly logged: string[];
  /** The logs of the servers. */
  readonly said: string[];
  /** Run when the sandbox is asked for a cell, before it answers. */
  onLaunch: () => Promise<void> | void;
  /** Why the data plane cannot take new values. */
  refreshFails: AppError | null;
  /** Servers end when they are asked to; otherwise only when they are killed. */
  obedient: boolean;
}

const SLEEPLESS_IDLE_SECONDS = 600;

export function makeWorld(): World {
  const clock = fixedClock(1_000_000);
  const servers = new Map([['echo', row('echo')]]);
  const unselected = new Set<string>();
  const secrets = new Map<string, number>();
  const owned: World['owned'] = [];
  const identities: CellIdentity[] = [];
  const activity = new Map<CellId, CellActivity>();
  const cells: FakeCell[] = [];
  const events: AuditEvent[] = [];
  const logged: string[] = [];
  const said: string[] = [];
  const note = (event: string): void => void logged.push(event);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const egresses = new Map<CellId, { closed: boolean; refreshed: number }>();

  const deps: CellPoolDeps = {
    workspace,
    clock,
    random: systemRandom,
    log,
    idleSeconds: SLEEPLESS_IDLE_SECONDS,
    stopGraceMs: 2_000,
    unisolated: null,
    logs: {
      append: (slug, { from, text }) => void said.push(`${slug} ${from}: ${text}`),
      remove: (slug) => void said.push(`${slug} forgotten`),
      flush: () => undefined,
    },
    grants: { ensure: async () => null, challenged: async () => false },
    eras: createEras({ workspace, rows: { find: async () => null, save: async () => undefined }, log }),
    servers: { find: async (_, slug) => servers.get(slug) ?? null },
    offers: async (profile, slug) => profile === null || !unselected.has(slug),
    activity: (cell) => activity.get(cell) ?? null,
    vault: {
      list: async () =>
        [...Array.from(secrets, ([name, version]) => ({ name, owner: null, version })), ...owned].map(
          (info): CredentialInfo => ({ ...info, updatedAt: 0, updatedBy: 'x' }),
        ),
      use: async (_, { name, owner }) => {
        const own = owned.find((info) => info.name === name && info.owner === owner);
        return Secret.fromString(
          own === undefined
            ? `value-${secrets.get(name)}-of-${name}`
            : `${own.owner}'s value-${own.version}-of-${name}`,
        );
      },
    },
    packages: {
      open: async () => {
        throw new AppError('package_missing', 'No package here.', { kind: 'failed' });
      },
    },
    audit: {
      append: async (event: AuditEvent) => {
        events.push(event);
        const place = { sequence: events.length, at: clock.now(), previous: '', hash: '' };
        return { ...event, ...place };
      },
    },
    documents: { find: async () => null },
    apis: createApiCompiler(),
    egress: {
      openOwn: async ({ identity }) => {
        identities.push(identity);
        return {
          request: () =>
            Promise.reject(new AppError('egress_closed', 'Nobody is there.', { kind: 'unavailable' })),
          refresh: async () => undefined,
          close: () => {
            if (!said.includes(`${identity.server} cut`)) said.push(`${identity.server} cut`);
          },
        };
      },
      openCell: async ({ identity }) => {
        const state = { closed: false, refreshed: 0 };
        identities.push(identity);
        egresses.set(identity.cell, state);
        return {
          caPem: 'PEM',
          ports: [443],
          close: () => {
            state.closed = true;
          },
          refresh: async () => {
            if (world.refreshFails !== null) throw world.refreshFails;
            state.refreshed += 1;
          },
          acceptTcp: () => undefined,
          acceptDnsUdp: () => undefined,
          acceptDnsTcp: () => undefined,
        };
      },
    },
    sandbox: {
      launch: async (spec) => {
        await world.onLaunch();
        const { promise: exited, resolve } = Promise.withResolvers<CellExit>();
        const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
        const egress = egresses.get(spec.id);
        const cell: FakeCell = {
          id: spec.id,
          spec,
          stderr,
          ending: null,
          end(exit = {}) {
            stderr.end();
            const reason = 'it ended with code 1';
            resolve({ started: true, code: 1, signal: null, reason, limit: null, ...exit });
          },
          get egressClosed() {
            return egress?.closed === true;
          },
          get refreshed() {
            return egress?.refreshed ?? 0;
          },
        };
        cells.push(cell);
        return {
          id: spec.id,
          stdin,
          stdout,
          stderr,
          exited,
          kill: async () => {
            cell.ending = 'kill';
            cell.end({ code: null, signal: 'SIGKILL', reason: 'it was killed' });
          },
          stop: async (graceMs) => {
            expect(graceMs).toBe(deps.stopGraceMs);
            cell.ending = cell.egressClosed ? 'cut' : 'ask';
            if (world.obedient) cell.end({ code: 0, reason: 'it ended by itself' });
            await exited;
          },
          signal: () => true,
        };
      },
    },
  };
  const world: World = {
    pool: createCellPool(deps),
    clock,
    servers,
    unselected,
    secrets,
    owned,
    identities,
    activity,
    cells,
    events,
    logged,
    said,
    onLaunch: () => undefined,
    refreshFails: null,
    obedient: true,
  };
  return world;
}
