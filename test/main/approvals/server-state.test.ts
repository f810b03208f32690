import { expect, it } from 'vitest';
import { newId, systemRandom } from '../../../src/kernel/index.ts';
import { serverState } from '../../../src/main/approvals/server-state.ts';
import type { Store } from '../../../src/store/index.ts';

const workspace = newId<'workspace'>('ws', systemRandom);
const server = newId<'server'>('srv', systemRandom);
const credential = newId<'credential'>('crd', systemRandom);

const value = (name: string, version = 1) => ({
  id: credential,
  server,
  name,
  owner: null,
  version,
  updatedAt: 1,
  updatedBy: 'local:0',
});

/** What a store says of one server. */
function stored({
  manifestHash = 'sha256-m',
  integrity = 'sha512-p',
  id = server,
  updatedAt = 1,
  values = [value('KEY'), value('OAUTH_ACCESS_TOKEN')],
  issuer = 'https://login.example',
} = {}): Pick<Store, 'servers' | 'credentials' | 'grants'> {
  const row = {
    id,
    slug: 'bank',
    manifest: {},
    manifestHash,
    source: 'npm:bank',
    package: { kind: 'npm', integrity },
    enabled: true,
    createdAt: 1,
    updatedAt,
  };
  const none = () => Promise.reject(new Error('nobody asks for this'));
  return {
    servers: {
      list: none,
      insert: none,
      update: none,
      remove: none,
      find: none,
      findBySlug: async (_, slug) => (slug === 'bank' ? row : null),
    },
    credentials: {
      find: none,
      insert: none,
      update: none,
      remove: none,
      index: none,
      replaceIndex: none,
      list: async () => values,
    },
    grants: {
      save: none,
      remove: none,
      list: async () => [{ server, owner: null, issuer, data: { at: updatedAt }, updatedAt }],
    },
  };
}

const stateOf = (store: ReturnType<typeof stored>, slug = 'bank') => serverState(workspace, store)(slug);

it.each([
  ['manifest', { manifestHash: 'sha256-n' }],
  ['package', { integrity: 'sha512-q' }],
  ['server of the same name', { id: newId<'server'>('srv', systemRandom) }],
  ['value of a credential', { values: [value('KEY', 2), value('OAUTH_ACCESS_TOKEN')] }],
  ['credential', { values: [value('OAUTH_ACCESS_TOKEN')] }],
  ['authorization server', { issuer: 'https://evil.example' }],
])('another %s is another state', async (_, change) => {
  expect(await stateOf(stored(change))).not.toBe(await stateOf(stored()));
});

it('a renewed login is the same state, and no server is none', async () => {
  const renewed = stored({ updatedAt: 9, values: [value('KEY'), value('OAUTH_ACCESS_TOKEN', 7)] });
  expect(await stateOf(renewed)).toBe(await stateOf(stored()));
  expect(await stateOf(stored(), 'other')).toBeNull();
});
