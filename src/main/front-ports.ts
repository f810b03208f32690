/** What the MCP front asks for, answered by the store, the cells, the audit log and the kill switch. */
import { manifestOf, type ServerRow } from '../api/index.ts';
import type { AuditEvent } from '../audit/index.ts';
import {
  type Json,
  type JsonObject,
  limits,
  type Log,
  systemClock,
  systemRandom,
  type WorkspaceId,
} from '../kernel/index.ts';
import type { Manifest } from '../manifest/index.ts';
import type {
  CallAudit,
  CallFacts,
  CallOutcome,
  KillSwitch,
  Principal,
  ProfileServer,
  ProfileView,
  RuleBook,
  Upstreams,
} from '../mcp/index.ts';
import type { CellPool } from './cells/pool.ts';
import { profiles, serverRows } from './repositories.ts';
import { ProfileWatch } from './profile-watch.ts';
import type { Services } from './services.ts';
import type { Store } from '../store/index.ts';
import { killActive } from '../vault/index.ts';

/** Another number after the store or the owner's rules, some of which are in a file, may have changed. Before listeners of sessions. */
export function revisionOf(store: Pick<Store, 'revision'>, rules: Pick<RuleBook, 'onChange'>): () => number {
  let ruled = 0;
  rules.onChange(() => {
    ruled += 1;
  });
  return () => store.revision() + ruled;
}

export interface WatchedUpstreams extends Upstreams {
  /** The store has changed, by this process or another. */
  storeChanged(): Promise<void>;
}

export function upstreams(
  { store }: Pick<Services, 'store'>,
  pool: Pick<CellPool, 'open'>,
  log: Log,
): WatchedUpstreams {
  const rows = serverRows(store);
  const stored = profiles(store, systemClock, systemRandom);
  /** Views as of one revision of the store: asked for at every request, and worth a parse of every manifest. */
  let cached = { revision: -1, views: new Map<string, Promise<ProfileView | null>>() };

  async function view(workspace: WorkspaceId, name: string | null): Promise<ProfileView | null> {
    const enabled = (await rows.list(workspace)).filter((row) => row.enabled);
    const profile = name === null ? null : await stored.find(workspace, name);
    if (name !== null && profile === null) return null;
    const entries = profile?.entries ?? enabled.map((row) => ({ server: row.slug, tools: '*' as const }));
    const servers = entries.flatMap((entry): ProfileServer[] => {
      const row = enabled.find((candidate) => candidate.slug === entry.server);
      if (row === undefined) return [];
      const { title, tools, server } = presentation(row);
      return [
        {
          slug: row.slug,
          title: title ?? null,
          tools: entry.tools,
          defaultTools: tools?.default ?? null,
          callSeconds: server?.kind === 'sandboxed' ? (server.limits.callSeconds ?? null) : null,
        },
      ];
    });
    const { tokenInUrl = false, search = false } = profile?.options ?? {};
    return { name, servers, tokenInUrl, search };
  }

  function current(workspace: WorkspaceId, name: string | null): Promise<ProfileView | null> {
    // Taken before reading: a change in between makes the next request read again.
    const revision = store.revision();
    if (cached.revision !== revision) cached = { revision, views: new Map() };
    const key = JSON.stringify([workspace, name]);
    const { views } = cached;
    const known = views.get(key) ?? view(workspace, name);
    views.set(key, known);
    known.catch(() => views.delete(key));
    return known;
  }

  const watch = new ProfileWatch(current, log);
  return {
    profile: current,
    onProfile: (workspace, name, listener) => watch.watch(workspace, name, listener),
    storeChanged: () => watch.storeChanged(),
    open: ({ actor }, profile, slug) => pool.open(slug, profile, actor.kind === 'user' ? actor.id : null),
  };
}

/**
 * A server whose stored manifest is no longer valid stays in its profile, so that its own error is what its clients are
 * told (it cannot start), and the profile's other servers go on.
 */
function presentation(row: ServerRow): Partial<Pick<Manifest, 'title' | 'tools' | 'server'>> {
  try {
    return manifestOf(row);
  } catch {
    return {};
  }
}

/** @param admit asked before a call is put on record: what it throws is why there is none; null: nothing is in the way */
export function callAudit({ audit }: Services, admit: (() => Promise<void>) | null): CallAudit {
  const event = (
    type: AuditEvent['type'],
    about: { readonly principal: Principal; readonly server: string | null },
    data: JsonObject,
  ): AuditEvent => {
    const { workspace, actor } = about.principal;
    return about.server === null
      ? { workspace, type, actor, data }
      : { workspace, type, actor, server: about.server, data };
  };
  const said = ({ agent, tokenInUrl }: Principal, data: JsonObject): JsonObject => {
    const named = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, shortened(value)]));
    return tokenInUrl === true ? { agent, tokenInUrl, ...named } : { agent, ...named };
  };
  return {
    started(call) {
      const record = (): Promise<void> => audit.record(event('call.started', call, startOf(call)));
      return admit === null ? record() : admit().then(record);
    },
    finished(call, outcome) {
      // It has happened, and nobody waits: it is written with what comes next, or in a few milliseconds.
      return audit.note(event('call.finished', call, endOf(call, outcome)));
    },
    async refused({ principal, profile, server, ...data }) {
      await audit.record(event('call.refused', { principal, server }, said(principal, { ...data, profile })));
    },
    async alerted({ principal, profile, server, ...data }) {
      await audit.record(
        event('policy.alerted', { principal, server }, said(principal, { ...data, profile })),
      );
    },
    async masked({ principal, profile, server, hits, ...about }) {
      const masked = hits.slice(0, limits.maskingHitsRecorded).map(({ where, ...hit }) => ({
        ...hit,
        where: where.slice(0, limits.maskingWhereCharsMax),
      }));
      const more = hits.length - masked.length;
      const data = { ...about, profile, masked, ...(more > 0 ? { more } : {}) };
      await audit.record(event('mask.applied', { principal, server }, said(principal, data)));
    },
  };
}

/** A name that a caller chose may be longer than an event. */
const shortened = (value: Json): Json =>
  typeof value === 'string' && value.length > limits.auditNameCharsMax
    ? `${value.slice(0, limits.auditNameCharsMax)}… (${value.length} characters)`
    : value;

/** Two for each call: written in the order of their keys, which is their canonical form already. */
function startOf({ id, cell, principal: { agent, tokenInUrl }, profile, tool }: CallFacts): JsonObject {
  return tokenInUrl === true
    ? { agent, call: id, cell, profile, tokenInUrl, tool }
    : { agent, call: id, cell, profile, tool };
}

function endOf(
  { id, cell, principal: { agent, tokenInUrl }, profile, tool }: CallFacts,
  { outcome, code, durationMs: exactMs }: CallOutcome,
): JsonObject {
  const durationMs = Math.round(exactMs);
  const why = code ?? null;
  return tokenInUrl === true
    ? { agent, call: id, cell, code: why, durationMs, outcome, profile, tokenInUrl, tool }
    : { agent, call: id, cell, code: why, durationMs, outcome, profile, tool };
}

/** @param listeners told after a switch was set */
export function killSwitch({ kills }: Services, listeners: Set<() => void>): KillSwitch {
  return {
    async check(principal, slug) {
      const kill = await kills.active({
        workspace: principal.workspace,
        server: slug,
        actor: principal.actor,
      });
      if (kill !== null) throw killActive(kill);
    },
    async isStopped({ workspace, actor }) {
      const kill = await kills.active({ workspace, server: null, actor });
      return kill !== null && (kill.scope === 'token' || kill.scope === 'user');
    },
    onKill(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The operator at the local socket. */
export const operatorOf = (workspace: WorkspaceId): Principal => ({
  workspace,
  actor: { kind: 'local', id: String(process.getuid?.() ?? 0) },
  profile: null,
  agent: 'local',
});
