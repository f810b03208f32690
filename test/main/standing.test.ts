import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../../src/kernel/index.ts';
import { upstreams } from '../../src/main/front-ports.ts';
import type { Services } from '../../src/main/services.ts';
import { createStanding } from '../../src/main/standing.ts';
import type { Principal } from '../../src/mcp/index.ts';
import { gatewayCaller } from '../../src/main/cells/credentials.ts';
import { type TemporaryHome, temporaryHome } from './temporary-home.ts';

let home: TemporaryHome;
let services: Services;

beforeEach(async () => {
  home = await temporaryHome();
  services = await home.services();
});
afterEach(async () => {
  await services.close();
  home.remove();
});

/** What `profile set work --token-in-url on|off` stores. */
async function allowInUrl(tokenInUrl: boolean): Promise<void> {
  const { store, workspace } = services;
  const profile = {
    id: 'prf_x' as never,
    name: 'work',
    entries: [],
    options: { tokenInUrl },
    createdAt: 0,
    updatedAt: 0,
  };
  const isKnown = (await store.profiles.findByName(workspace, 'work')) !== null;
  await (isKnown ? store.profiles.update(workspace, profile) : store.profiles.insert(workspace, profile));
}

it('of a token in an address goes with the profile that allows it, and of the same one in a header does not', async () => {
  const { store, tokens, workspace } = services;
  await allowInUrl(true);
  const { id } = await tokens.create(gatewayCaller(workspace), { profile: 'work', agent: 'a' });
  const reachable = upstreams(
    services,
    {
      open: async () => {
        throw new Error('no cell is asked for here');
      },
    },
    silentLog,
  );
  const standing = createStanding({ store, tokens, profile: (of, name) => reachable.profile(of, name) });
  const inHeader: Principal = {
    workspace,
    actor: { kind: 'token', id },
    profile: 'work',
    agent: 'a',
  };
  const inUrl: Principal = { ...inHeader, tokenInUrl: true };
  expect(await standing.until(inUrl)).toBe(Infinity);
  expect(await standing.until(inHeader)).toBe(Infinity);
  await allowInUrl(false);
  expect(await standing.until(inUrl)).toBeNull();
  expect(await standing.until(inHeader)).toBe(Infinity);
});
