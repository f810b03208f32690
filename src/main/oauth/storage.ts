/** Where logins are kept: tokens in the vault, as credentials that no manifest lists; the rest in the store. */
import { isAppError, type WorkspaceId } from '../../kernel/index.ts';
import {
  type Grant,
  grantData,
  type GrantRows,
  type GrantServer,
  type GrantSlot,
  type GrantValues,
  readGrant,
} from '../../oauth/index.ts';
import type { GrantRecord, Store } from '../../store/index.ts';
import type { CredentialRef, Vault } from '../../vault/index.ts';
import { gatewayCaller } from '../cells/credentials.ts';

/** @param changed told after a token that requests are made with was stored, before anybody makes one with it */
export function grantValues(
  workspace: WorkspaceId,
  vault: Pick<Vault, 'put' | 'remove' | 'list'>,
  changed: (slug: string) => Promise<void>,
): GrantValues {
  const caller = gatewayCaller(workspace);
  const refOf = ({ id, slug }: GrantServer, name: GrantSlot): CredentialRef => ({
    server: id,
    serverSlug: slug,
    name,
    owner: null,
  });
  return {
    async put(server, slot, value) {
      await vault.put(caller, refOf(server, slot), value);
      if (slot === 'OAUTH_ACCESS_TOKEN') await changed(server.slug);
    },
    async remove(server, slot) {
      try {
        await vault.remove(caller, refOf(server, slot));
      } catch (error) {
        if (isAppError(error) && error.code === 'vault_credential_missing') return;
        throw error;
      }
      if (slot === 'OAUTH_ACCESS_TOKEN') await changed(server.slug);
    },
    async version(server, slot) {
      const infos = await vault.list(caller, { id: server.id, slug: server.slug });
      return infos.find(({ name, owner }) => name === slot && owner === null)?.version ?? null;
    },
  };
}

export function grantRows(workspace: WorkspaceId, store: Store): GrantRows {
  const known = new Map<string, { readonly revision: number; readonly grant: Grant | null }>();
  const grantIn = (records: readonly GrantRecord[]): Grant | null => {
    const [record] = records.filter(({ owner }) => owner === null);
    return record === undefined ? null : readGrant(record.issuer, record.data);
  };
  return {
    async find({ id }) {
      // Taken before it is read: a change in between is found the next time.
      const revision = store.revision();
      const had = known.get(id);
      if (had?.revision === revision) return had.grant;
      const grant = grantIn(await store.grants.list(workspace, id));
      known.delete(id);
      known.set(id, { revision, grant });
      for (const oldest of known.keys()) if (known.size > KNOWN_MAX) known.delete(oldest);
      return grant;
    },
    edit: ({ id }, change) =>
      store.transaction(async ({ grants }) => {
        const records = await grants.list(workspace, id);
        const before = grantIn(records);
        const after = change(before);
        if (after === before) return;
        for (const { owner, issuer } of records)
          if (owner === null && issuer !== after?.issuer)
            await grants.remove(workspace, { server: id, owner, issuer });
        if (after === null) return;
        await grants.save(workspace, {
          server: id,
          owner: null,
          issuer: after.issuer,
          data: grantData(after),
          updatedAt: after.refreshedAt,
        });
      }),
  };
}

const KNOWN_MAX = 1_000;
