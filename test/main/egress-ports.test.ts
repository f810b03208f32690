/** The data plane's bridge to the vault, over a real one: whose value is put in, and what answers are searched for. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CellIdentity } from '../../src/egress/index.ts';
import { type CellId, Secret } from '../../src/kernel/index.ts';
import { credentialSource } from '../../src/main/egress-ports.ts';
import type { Services } from '../../src/main/services.ts';
import { manifest, row } from './cell-world.ts';
import { type TemporaryHome, temporaryHome } from './temporary-home.ts';

let home: TemporaryHome;
let services: Services;
const slots = manifest(['OWN', 'COMMON', 'THEIRS'].map((name) => ({ name, tier: 'sealed' })));
const server = row('echo', { manifest: slots });

const set = (name: string, owner: string | null, value: string) =>
  services.vault.put(
    { workspace: services.workspace, actor: { kind: 'system', id: 'test' } },
    { server: server.id, serverSlug: 'echo', name, owner },
    Secret.fromString(value),
  );

beforeEach(async () => {
  home = await temporaryHome();
  services = await home.services();
  await services.store.servers.insert(services.workspace, server);
  await set('OWN', null, 'own of all');
  await set('COMMON', null, 'common of all');
  await set('OWN', 'ada', 'own of ada');
  await set('THEIRS', 'bob', 'of bob');
});
afterEach(async () => {
  await services.close();
  home.remove();
});

const source = () =>
  credentialSource(services.workspace, services.vault, {
    serverOf: () => server,
    credentialsOf: () => null,
    checkProxied: async () => undefined,
  });
const identityOf = (owner: string | null): CellIdentity => ({
  cell: 'cell_x' as CellId,
  workspace: services.workspace,
  server: 'echo',
  profile: '',
  owner,
});

describe("a cell's credentials", () => {
  it.each([
    [null, 'own of all'],
    ['ada', 'own of ada'],
    ['bob', 'own of all'],
  ])('of %s are their own, and the shared ones where they have none', async (owner, own) => {
    const used = async (name: string) =>
      (await source().use(identityOf(owner), name, { data: {} } as never)).reveal(); // nothing else of it is looked at
    expect(await used('OWN')).toBe(own);
    expect(await used('COMMON')).toBe('common of all');
  });

  it.each([
    [null, ['own of all', 'common of all']],
    ['ada', ['own of ada', 'common of all']],
    ['bob', ['own of all', 'common of all', 'of bob']],
  ])('of %s are what answers to it are searched for', async (owner, values) => {
    const known = await source().known(identityOf(owner));
    expect(known.map(({ value }) => value.reveal())).toEqual(values);
  });
});
