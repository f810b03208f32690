/** What the MCP front asks for, answered by the store, the cells, the audit log and the kill switch. */
import { manifestOf, type ServerRow } from '../api/index.ts';
import type { AuditEvent } from '../audit/index.ts';
import { type JsonObject, systemClock, systemRandom, type WorkspaceId } from '../kernel/index.ts';
import type { Manifest } from '../manifest/index.ts';
import type {
  CallAudit,
  CallFacts,
  KillSwitch,
  Principal,
  ProfileServer,
  ProfileView,
  Upstreams,
} from '../mcp/index.ts';
import type { CellPool } from './cells/pool.ts';
import { profiles, serverRows } from './repositories.ts';
import type { Services } from './services.ts';
import { killActive } from '../vault/index.ts';

export function upstreams({ store }: Pick<Services, 'store'>, pool: Pick<CellPool, 'open'>): Upstreams {
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
    return { name, servers, tokenInUrl: profile?.options.tokenInUrl === true };
  }

  return {
    profile(workspace, name) {
      // Taken before reading: a change in between makes the next request read again.
      const revision = store.revision();
      if (cached.revision !== revision) cached = { revision, views: new Map() };
      const key = JSON.stringify([workspace, name]);
      const { views } = cached;
      const known = views.get(key) ?? view(workspace, name);
      views.set(key, known);
      known.catch(() => views.delete(key));
      return known;
    },
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

export function callAudit({ audit }: Services): CallAudit {
  const event = (
    type: AuditEvent['type'],
    about: { principal: Principal; server: string | null },
    data: JsonObject,
  ): AuditEvent => ({
    workspace: about.principal.workspace,
    type,
    actor: about.principal.actor,
    ...(about.server === null ? {} : { server: about.server }),
    data: {
      agent: about.principal.agent,
      ...(about.principal.tokenInUrl === true ? { tokenInUrl: true } : {}),
      ...data,
    },
  });
  const facts = (call: CallFacts): JsonObject => ({
    call: call.id,
    tool: call.tool,
    profile: call.profile,
    cell: call.cell,
  });
  return {
    async started(call) {
      await audit.record(event('call.started', call, facts(call)));
    },
    async finished(call, { outcome, code, durationMs }) {
      await audit.record(
        event('call.finished', call, {
          ...facts(call),
          outcome,
          code: code ?? null,
          durationMs: Math.round(durationMs),
        }),
      );
    },
    async refused({ principal, profile, server, tool, code }) {
      await audit.record(event('call.refused', { principal, server }, { tool, profile, code }));
    },
  };
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
