/**
 * The tools that somebody agreed to, server by server, for whoever searches them: read when something in the store has
 * changed, and the very same array as long as that was not about them. A gateway that nobody searches at keeps nothing here.
 */
import type { WorkspaceId } from '../kernel/index.ts';
import type { ApprovedTool } from '../mcp/index.ts';
import type { Store } from '../store/index.ts';

type Tools = readonly ApprovedTool[] | null;

/** @returns asks for the tools of a server; null: nobody has looked at it yet */
export function approvedTools(
  workspace: WorkspaceId,
  store: Pick<Store, 'definitions' | 'servers' | 'revision'>,
): (slug: string) => Promise<Tools> {
  const known = new Map<string, { readonly revision: number; readonly tools: Promise<Tools> }>();

  async function read(slug: string, before: Promise<Tools>): Promise<Tools> {
    const row = await store.servers.findBySlug(workspace, slug);
    const approved = row === null ? [] : await store.definitions.list(workspace, row.id, 'approved');
    if (approved.length === 0) {
      known.delete(slug);
      return null;
    }
    const tools = approved.filter(({ kind }) => kind === 'tool');
    const last = await before.catch(() => null);
    if (last !== null && isSame(last, tools)) return last;
    return tools.map(({ name, text, hash }) => ({ name, text, hash }));
  }

  return (slug) => {
    // Taken before reading: a change in between makes the next question read again.
    const revision = store.revision();
    const last = known.get(slug);
    if (last?.revision === revision) return last.tools;
    const tools = read(slug, last?.tools ?? Promise.resolve(null));
    known.set(slug, { revision, tools });
    tools.catch(() => {
      if (known.get(slug)?.tools === tools) known.delete(slug);
    });
    return tools;
  };
}

const isSame = (
  before: readonly ApprovedTool[],
  now: readonly Pick<ApprovedTool, 'name' | 'hash'>[],
): boolean =>
  before.length === now.length &&
  before.every(({ name, hash }, at) => now[at]?.name === name && now[at].hash === hash);
