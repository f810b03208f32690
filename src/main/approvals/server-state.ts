/**
 * What an approval holds a server to: which one it is, its manifest, the package that was installed for it, and the values
 * that were set for it. Whatever of that is another one by the time the request would go, somebody agreed to something else.
 * Tokens of logins are renewed all the time by the gateway itself: of those it is whose authorization server gave them.
 */
import { hash } from 'node:crypto';
import type { Json, WorkspaceId } from '../../kernel/index.ts';
import { GRANT_SLOTS } from '../../oauth/index.ts';
import type { Store } from '../../store/index.ts';

const RENEWED: ReadonlySet<string> = new Set(GRANT_SLOTS);

/** @returns a digest; null where there is no such server */
export function serverState(
  workspace: WorkspaceId,
  store: Pick<Store, 'servers' | 'credentials' | 'grants'>,
): (slug: string) => Promise<string | null> {
  return async (slug) => {
    const row = await store.servers.findBySlug(workspace, slug);
    if (row === null) return null;
    const [values, grants] = await Promise.all([
      store.credentials.list(workspace, row.id),
      store.grants.list(workspace, row.id),
    ]);
    const state = [
      row.id,
      row.manifestHash,
      integrityOf(row.package),
      values
        .filter(({ name }) => !RENEWED.has(name))
        .map(({ id, name, owner, version }) => [name, owner, id, version]),
      grants.map(({ owner, issuer }) => [owner, issuer]),
    ];
    return `sha256-${hash('sha256', JSON.stringify(state), 'hex')}`;
  };
}

const integrityOf = (installed: Json): Json =>
  typeof installed === 'object' && installed !== null && 'integrity' in installed
    ? installed['integrity']
    : null;
