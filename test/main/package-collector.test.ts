/** Packages that no server names any more go; what anybody might still need stays. */
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { type Json, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { type CollectorDeps, collectUnused } from '../../src/main/packages/collector.ts';

type Servers = Awaited<ReturnType<CollectorDeps['store']['servers']['list']>>;

function world(packages: Readonly<Record<string, readonly Json[]>>, removed: readonly string[] = []) {
  const kept: string[][] = [];
  const events: AuditEvent[] = [];
  const deps: CollectorDeps = {
    store: {
      workspaces: {
        list: async () =>
          Object.keys(packages).map((name) => ({ id: name as WorkspaceId, name, createdAt: 0 })), // any id will do
      },
      servers: {
        list: async (workspace) =>
          (packages[workspace] ?? []).map((one, index) => ({
            slug: `s${index}`,
            package: one,
          })) as unknown as Servers, // the rest is not read
      },
    },
    packages: {
      async collect(keep) {
        kept.push([...keep].sort());
        return { removed, bytes: 5 };
      },
    },
    audit: {
      async append(event) {
        events.push(event);
        return { ...event, sequence: 1, at: 0, previous: '', hash: '' };
      },
    },
    workspace: 'wsp_a' as WorkspaceId,
    log: silentLog,
  };
  return { deps, kept, events };
}

describe('collecting packages', () => {
  it('keeps what the servers of every workspace name, and records what went', async () => {
    const { deps, kept, events } = world(
      { wsp_a: [{ integrity: 'one' }, null], wsp_b: [{ integrity: 'two' }, { integrity: 'one' }] },
      ['three'],
    );
    await collectUnused(deps);
    expect(kept).toEqual([['one', 'two']]);
    expect(events).toMatchObject([{ type: 'package.removed', data: { removed: ['three'], bytes: 5 } }]);
  });

  it('records nothing where nothing went', async () => {
    const { deps, events } = world({ wsp_a: [] });
    await collectUnused(deps);
    expect(events).toEqual([]);
  });

  it.each([[{}], ['text'], [[]], [{ integrity: 5 }]])(
    'removes nothing where a record reads %j',
    async (record) => {
      const { deps, kept } = world({ wsp_a: [record] });
      await expect(collectUnused(deps)).rejects.toMatchObject({ code: 'package_record_unreadable' });
      expect(kept).toEqual([]);
    },
  );
});
