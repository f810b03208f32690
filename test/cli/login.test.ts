/** `sallyport server login` as far as a person reads it; the whole way is in `e2e/oauth`. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LoginBegun } from '../../src/api/index.ts';
import { makeWorld, type World } from '../api/world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: World;
let terminal: Terminal;
beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal(world);
});
afterEach(() => world.close());

/** What is shown before the browser comes back, which it does at once. */
async function shown(authorizationUrl: string): Promise<string> {
  const begun: LoginBegun = {
    authorizationUrl,
    issuer: 'https://as.test/tenant',
    clientFrom: 'registered',
    scopes: [],
  };
  const login = {
    server: 'it',
    issuer: begun.issuer,
    clientId: 'c',
    state: 'ready' as const,
    scopes: [],
    expiresAt: null,
    refreshable: true,
  };
  terminal.host.connect = async () => ({
    client: { ...world.client, beginLogin: async () => begun, finishLogin: async () => login },
    running: true,
    close: async () => undefined,
  });
  terminal.host.openCallback = async () => ({
    redirectUri: 'http://127.0.0.1:7802/oauth/callback',
    arrivals: (async function* () {
      yield { query: 'state=s', answer: () => undefined };
    })(),
    close: async () => undefined,
  });
  const ran = await terminal.run('server', 'login', 'it', '--no-browser');
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('it is logged in.') as unknown });
  return ran.stderr;
}

it('says so when the page is somewhere else than the authorization server', async () => {
  expect(await shown('https://accounts.test/authorize?state=s')).toContain(
    'The page is at accounts.test, which is not where https://as.test/tenant is',
  );
  expect(await shown('https://as.test:8443/authorize?state=s')).toContain('The page is at as.test:8443,');
  expect(await shown('https://as.test/authorize?state=s')).not.toContain('The page is at');
});
