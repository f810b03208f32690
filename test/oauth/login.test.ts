/** A login from end to end: what is asked of whom, what is kept, and what comes back to a server that wants it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixedClock, limits, Secret } from '../../src/kernel/index.ts';
import { AS_HOST, ISSUER, MCP_HOST, openStandIn, type Behaviour, type StandIn } from './stand-in.ts';
import { logIn, networkOf, type OAuthWorld, openOAuthWorld, REDIRECT, type WorldOptions } from './world.ts';

let standIn: StandIn;
let world: OAuthWorld;

async function open(does: Partial<Behaviour> = {}, options: WorldOptions = {}): Promise<void> {
  standIn = await openStandIn(does);
  world = await openOAuthWorld(networkOf(standIn), options);
}

const close = async (): Promise<void> => {
  await world.close();
  await standIn.close();
};

describe('a login', () => {
  afterEach(close);

  it('ends with a token that the server takes, which nobody but the vault and the wire has', async () => {
    await open();
    expect((await world.ask()).status).toBe(401);
    await logIn(world, standIn);
    expect(await world.ask()).toMatchObject({ status: 200 });
    expect(standIn.faults).toEqual([]);
    expect(standIn.asked).toEqual([
      `${MCP_HOST} POST /v1/mcp`,
      `${MCP_HOST} POST /v1/mcp`,
      `${MCP_HOST} GET /about/resource`,
      `${AS_HOST} GET /.well-known/oauth-authorization-server/tenant`,
      `${AS_HOST} POST /register`,
      `${AS_HOST} POST /token`,
      `${MCP_HOST} POST /v1/mcp`,
    ]);
    expect(world.changed).toEqual(['it']);
    const grant = await world.grants.show(world.server);
    expect(grant).toMatchObject({
      issuer: ISSUER,
      state: 'ready',
      clientFrom: 'registered',
      refreshable: true,
    });
    const events = await world.events();
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['grant.begun', 'grant.granted']));
    const [access = ''] = standIn.valid.keys();
    const [refresh = ''] = standIn.refreshes.keys();
    const said = JSON.stringify([events, grant]);
    const { home } = world.home.config;
    const files = readdirSync(home).filter((name) => name.startsWith('sallyport.db'));
    const file = files.map((name) => readFileSync(join(home, name), 'latin1')).join('');
    expect(file).toContain(ISSUER);
    for (const value of [access, refresh]) {
      expect(value.length).toBeGreaterThan(30);
      expect(said).not.toContain(value);
      expect(file).not.toContain(value);
    }
  });

  it('finds a server that names no address by its path', async () => {
    await open({ challengeNames: false });
    await logIn(world, standIn);
    expect(standIn.asked).toContain(`${MCP_HOST} GET /.well-known/oauth-protected-resource/v1/mcp`);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });

  it.each([['client_secret_post'], ['client_secret_basic']])(
    'proves itself with a secret where the authorization server wants it: %s',
    async (method) => {
      await open({ authMethods: [method] });
      await logIn(world, standIn);
      expect(await world.ask()).toMatchObject({ status: 200 });
      expect(standIn.faults).toEqual([]);
      expect(standIn.asked.filter((one) => one.endsWith('/token'))).toHaveLength(1);
      const [client] = standIn.clients.values();
      const secret = client?.secret ?? '';
      expect(secret).not.toBe('');
      expect(JSON.stringify([await world.events(), await world.grants.show(world.server)])).not.toContain(
        secret,
      );
    },
  );

  describe('beside another of the same server', () => {
    const begin = () => world.grants.begin(world.server, { redirectUri: REDIRECT });
    const agreed = async ({ authorizationUrl }: { authorizationUrl: string }) =>
      (await standIn.agree(authorizationUrl)).searchParams;
    const renewed = () =>
      world.grants.challenged(world.server, { status: 401, wwwAuthenticate: null, shown: null });

    it('goes with the secret of its own client, and so does what is renewed', async () => {
      const clock = fixedClock(Date.now());
      await open({ authMethods: ['client_secret_post'] }, { clock });
      const begun = [await begin(), await begin(), await begin()];
      expect(new Set([...standIn.clients.values()].map(({ secret }) => secret)).size).toBe(3);
      const answers = await Promise.all(begun.map(agreed));
      await Promise.all(answers.map((answer) => world.grants.finish(answer)));
      expect(standIn.faults).toEqual([]);
      expect(await world.ask()).toMatchObject({ status: 200 });
      clock.advance(limits.oauthRefreshAgainMs + 1);
      expect(await renewed()).toBe(true);
      expect(standIn.faults).toEqual([]);
      expect(await world.ask()).toMatchObject({ status: 200 });
    });

    it('of another process, that ends before its secret is stored, leaves nothing that is half of each', async () => {
      await open({ authMethods: ['client_secret_post'] });
      const other = await openOAuthWorld(networkOf(standIn), { home: world.home });
      try {
        const again = 'http://127.0.0.1:7999/oauth/callback';
        const mine = await agreed(await begin());
        const theirs = await agreed(await other.grants.begin(other.server, { redirectUri: again }));
        const { vault } = world.services;
        const put = vault.put.bind(vault);
        vi.spyOn(vault, 'put').mockImplementationOnce(async (...what) => {
          await other.grants.finish(theirs);
          return put(...what);
        });
        await expect(world.grants.finish(mine)).rejects.toMatchObject({ code: 'oauth_login_undone' });
        expect(standIn.faults).toEqual([]);
        // The client of the other one is not gone on with: its secret is not there any more.
        await logIn(world, standIn, again);
        expect(await world.ask()).toMatchObject({ status: 200 });
      } finally {
        await other.services.close();
      }
    });

    it('that counted on the client before it leaves the later one alone', async () => {
      await open({ authMethods: ['client_secret_post'] });
      await logIn(world, standIn);
      const counting = await agreed(await begin());
      await logIn(world, standIn, 'http://127.0.0.1:7999/oauth/callback');
      await expect(world.grants.finish(counting)).rejects.toMatchObject({ code: 'oauth_login_undone' });
      expect(standIn.faults).toEqual([]);
      expect(await world.ask()).toMatchObject({ status: 200 });
    });
  });

  it('goes by the name that somebody registered before any other', async () => {
    await open({ metadataDocuments: true }, { documentUrl: 'https://gateway.login.test/client.json' });
    const given = {
      id: 'mine',
      secret: 's3cr3t/+ value',
      method: 'client_secret_post',
      redirectUris: [REDIRECT],
    };
    standIn.clients.set('mine', given);
    const begun = await world.grants.begin(world.server, {
      redirectUri: REDIRECT,
      client: { clientId: 'mine', secret: Secret.fromString(given.secret) },
    });
    expect(begun.clientFrom).toBe('given');
    await world.grants.finish((await standIn.agree(begun.authorizationUrl)).searchParams);
    expect(await world.ask()).toMatchObject({ status: 200 });
    expect(standIn.faults).toEqual([]);
    // The next login needs neither of them again.
    await logIn(world, standIn, 'http://127.0.0.1:7802/oauth/callback');
    expect(standIn.asked.filter((one) => one.endsWith('/register'))).toEqual([]);
    expect(standIn.faults).toEqual([]);
  });

  it('goes by the address of its description where the authorization server reads such', async () => {
    const documentUrl = 'https://gateway.login.test/client.json';
    await open({ metadataDocuments: true }, { documentUrl });
    standIn.clients.set(documentUrl, {
      id: documentUrl,
      secret: null,
      method: 'none',
      redirectUris: [REDIRECT],
    });
    await logIn(world, standIn);
    expect(await world.ask()).toMatchObject({ status: 200 });
    expect(standIn.asked.filter((one) => one.endsWith('/register'))).toEqual([]);
    expect(standIn.faults).toEqual([]);
  });

  it('registers once for one address to come back to', async () => {
    await open();
    await logIn(world, standIn);
    await logIn(world, standIn);
    expect(standIn.clients.size).toBe(1);
    await logIn(world, standIn, 'http://127.0.0.1:7999/oauth/callback');
    expect(standIn.clients.size).toBe(2);
  });

  it('begins where the server asks for it in a field of its own, after another of the same name', async () => {
    await open();
    standIn.does.instead.set(`${MCP_HOST} /v1/mcp`, (_, res) =>
      res
        .writeHead(
          401,
          [
            ['WWW-Authenticate', 'Basic realm="x"'],
            [
              'WWW-Authenticate',
              `Bearer resource_metadata="https://${MCP_HOST}/about/resource", scope="read"`,
            ],
          ].flat(),
        )
        .end(),
    );
    const begun = await world.grants.begin(world.server, { redirectUri: REDIRECT });
    expect(begun.scopes).toContain('read');
    expect(standIn.asked).toContain(`${MCP_HOST} GET /about/resource`);
  });

  it('begins with a server that answers anybody, with events that do not end', async () => {
    await open();
    standIn.does.instead.set(`${MCP_HOST} /v1/mcp`, (_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(': working\n\n');
    });
    await logIn(world, standIn);
    standIn.does.instead.clear();
    expect(await world.ask()).toMatchObject({ status: 200 });
  });

  it('says what to do where nobody can be registered', async () => {
    await open({ registration: false });
    await expect(world.grants.begin(world.server, { redirectUri: REDIRECT })).rejects.toMatchObject({
      code: 'oauth_not_offered',
    });
  });

  it('asks for what the server asked for, and to stay logged in where that is offered', async () => {
    await open({ needs: ['read', 'write'] });
    const { scopes } = await world.grants.begin(world.server, { redirectUri: REDIRECT });
    expect(scopes).toEqual(['read', 'write', 'offline_access']);
  });

  it('is forgotten with its tokens, at the authorization server too', async () => {
    await open();
    await logIn(world, standIn);
    expect(await world.grants.forget(world.server)).toBe(true);
    expect(standIn.asked).toContain(`${AS_HOST} POST /revoke`);
    expect([...standIn.refreshes.keys(), ...standIn.valid.keys()]).toEqual([]);
    expect(standIn.faults).toEqual([]);
    const { vault, workspace } = world.services;
    const caller = { workspace, actor: { kind: 'system', id: 'gateway' } } as const;
    expect(await vault.list(caller, world.server)).toEqual([]);
    expect(await world.grants.show(world.server)).toBeNull();
    expect(await world.grants.forget(world.server)).toBe(false);
  });
});

describe('what comes back through the browser', () => {
  const clock = fixedClock(Date.now());
  beforeAll(() => open({}, { clock }));
  afterAll(close);
  beforeEach(() => {
    standIn.does.saysIssuer = true;
    standIn.asked.length = 0;
  });

  async function begun(): Promise<URLSearchParams> {
    const { authorizationUrl } = await world.grants.begin(world.server, { redirectUri: REDIRECT });
    return (await standIn.agree(authorizationUrl)).searchParams;
  }
  const tokenRequests = (): number => standIn.asked.filter((one) => one.endsWith('/token')).length;
  const refused = async (query: URLSearchParams, code: string): Promise<void> => {
    await expect(world.grants.finish(query)).rejects.toMatchObject({ code });
    expect(tokenRequests()).toBe(0);
  };

  it('is for nobody when no login waits for it, or it was there before', async () => {
    const query = await begun();
    const other = new URLSearchParams(query);
    other.set('state', 'x'.repeat(43));
    await refused(other, 'oauth_state_unknown');
    other.delete('state');
    await refused(other, 'oauth_state_unknown');
    other.append('state', query.get('state') ?? '');
    other.append('state', query.get('state') ?? '');
    await refused(other, 'oauth_state_unknown');
    await world.grants.finish(query);
    expect(tokenRequests()).toBe(1);
    await expect(world.grants.finish(query)).rejects.toMatchObject({ code: 'oauth_state_unknown' });
    expect(tokenRequests()).toBe(1);
  });

  it.each<[string, (query: URLSearchParams) => void, string]>([
    ['from another', (query) => query.set('iss', 'https://evil.test'), 'oauth_issuer_mismatch'],
    [
      'from another that is almost the same',
      (query) => query.set('iss', `${ISSUER}/`),
      'oauth_issuer_mismatch',
    ],
    ['from two', (query) => query.append('iss', ISSUER), 'oauth_issuer_mismatch'],
    ['from nobody, of one that says who it is', (query) => query.delete('iss'), 'oauth_issuer_mismatch'],
    ['an error', (query) => query.set('error', 'access_denied'), 'oauth_denied'],
    [
      'an error of another',
      (query) => (query.set('error', 'x'), query.set('iss', 'y')),
      'oauth_issuer_mismatch',
    ],
    ['nothing', (query) => query.delete('code'), 'oauth_answer_invalid'],
  ])('is refused before anything of it is used: %s', async (_name, change, code) => {
    const query = await begun();
    change(query);
    await refused(query, code);
    expect((await world.events()).at(-1)).toMatchObject({ type: 'grant.refused', data: { reason: code } });
  });

  it('need not say whose it is where the authorization server never does', async () => {
    standIn.does.saysIssuer = false;
    await world.grants.finish(await begun());
    expect(tokenRequests()).toBe(1);
  });

  it('is too late after ten minutes', async () => {
    const query = await begun();
    clock.advance(600_000);
    await refused(query, 'oauth_state_unknown');
  });
});
