/**
 * Every value that a workspace has stored, those of the gateway's own receivers too, for whoever takes them out of texts. Opened when one of them has changed, and not
 * kept. Asking for them is on record, as every use of a value is.
 */
import type { Secret, WorkspaceId } from '../../kernel/index.ts';
import type { StoredValues } from '../../recording/index.ts';
import type { Store } from '../../store/index.ts';
import type { Vault } from '../../vault/index.ts';
import { gatewayCaller } from '../cells/credentials.ts';

export interface StoredValuesDeps {
  readonly vault: Pick<Vault, 'list' | 'use'>;
  /** As they are stored: what holds the values of receivers is in no list of servers. */
  readonly servers: Pick<Store['servers'], 'list'>;
  readonly revision: () => number;
}

export function storedValues({ vault, servers, revision }: StoredValuesDeps): StoredValues {
  let known: { workspace: WorkspaceId; revision: number; versions: string } | null = null;

  async function slotsOf(workspace: WorkspaceId) {
    const caller = gatewayCaller(workspace);
    const rows = await servers.list(workspace);
    const slots = rows.map(async ({ id, slug }) =>
      (await vault.list(caller, { id, slug })).map(({ name, owner, version }) => ({
        id,
        slug,
        name,
        owner,
        version,
      })),
    );
    return (await Promise.all(slots)).flat();
  }

  return {
    async version(workspace) {
      // Taken before reading: a change in between is read again.
      const now = revision();
      if (known?.workspace !== workspace || known.revision !== now)
        known = { workspace, revision: now, versions: JSON.stringify(await slotsOf(workspace)) };
      return known.versions;
    },
    async open(workspace) {
      const secrets: Secret[] = [];
      try {
        for (const { id, slug, name, owner } of await slotsOf(workspace)) {
          const ref = { server: id, serverSlug: slug, name, owner };
          const purpose = { kind: 'scrub', data: { for: 'recording' } } as const;
          secrets.push(await vault.use(gatewayCaller(workspace), ref, purpose));
        }
        return secrets;
      } catch (error) {
        for (const secret of secrets) secret.destroy();
        throw error;
      }
    },
  };
}
