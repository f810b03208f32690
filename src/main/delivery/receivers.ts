/**
 * Where the values are that the gateway's own receivers need: in the vault like those of servers, in a row of no server's name
 * that no list of servers shows, so that they are sealed, rotated and recorded like any other.
 */
import type { ReceiverDesk } from '../../api/index.ts';
import { RECEIVERS } from '../../audit/index.ts';
import {
  AppError,
  type Clock,
  newId,
  type Random,
  type Secret,
  type WorkspaceId,
} from '../../kernel/index.ts';
import type { ServerRecord, Store } from '../../store/index.ts';
import type { Caller, CredentialRef, Vault } from '../../vault/index.ts';
import { gatewayCaller } from '../cells/credentials.ts';

export interface ReceiversDeps {
  readonly workspace: WorkspaceId;
  readonly operator: Caller;
  readonly store: Pick<Store, 'servers'>;
  readonly vault: Pick<Vault, 'use' | 'put' | 'remove' | 'list'>;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Receivers extends ReceiverDesk {
  /** @throws AppError `receiver_secret_unknown`, and as the vault */
  open(name: string): Promise<Secret>;
}

export function createReceivers(deps: ReceiversDeps): Receivers {
  const { workspace, operator, store, vault, clock, random } = deps;
  const find = (): Promise<ServerRecord | null> => store.servers.findBySlug(workspace, RECEIVERS);
  const refOf = ({ id }: ServerRecord, name: string): CredentialRef => ({
    server: id,
    serverSlug: RECEIVERS,
    name,
    owner: null,
  });

  async function made(): Promise<ServerRecord> {
    const known = await find();
    if (known !== null) return known;
    const now = clock.now();
    const row: ServerRecord = {
      id: newId<'server'>('srv', random),
      slug: RECEIVERS,
      manifest: {},
      manifestHash: '',
      source: 'gateway',
      package: null,
      enabled: true,
      createdAt: now,
      updatedAt: now,
    };
    await store.servers.insert(workspace, row);
    return row;
  }

  return {
    async list() {
      const row = await find();
      if (row === null) return [];
      const infos = await vault.list(operator, { id: row.id, slug: row.slug });
      return infos.map(({ name, version, updatedAt, updatedBy }) => ({
        name,
        version,
        updatedAt,
        updatedBy,
      }));
    },
    async set(name, value) {
      const { version, updatedAt, updatedBy } = await vault.put(operator, refOf(await made(), name), value);
      return { name, version, updatedAt, updatedBy };
    },
    async remove(name) {
      const row = await find();
      if (row === null) throw unknown(name);
      await vault.remove(operator, refOf(row, name));
    },
    async open(name) {
      const row = await find();
      if (row === null) throw unknown(name);
      return vault.use(gatewayCaller(workspace), refOf(row, name), { kind: 'deliver', data: {} });
    },
  };
}

const unknown = (name: string): AppError =>
  new AppError('receiver_secret_unknown', `No value is set for \`${name}\`.`, {
    kind: 'not_found',
    hint: `Set it: sallyport receiver set ${name}`,
  });
