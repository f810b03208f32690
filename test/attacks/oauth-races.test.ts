/**
 * A renewal that is on its way while a person logs out, or in elsewhere: what it brings belongs to a login that is over.
 * It must not be kept, not be shown to the server, and above all not be taken for the tokens of the login that is there now.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { AS_HOST, MCP_HOST, MCP_URL, openStandIn, type StandIn } from '../oauth/stand-in.ts';
import { logIn, networkOf, type OAuthWorld, openOAuthWorld, REDIRECT, refusal } from '../oauth/world.ts';

let standIn: StandIn;
let world: OAuthWorld;
const clock = fixedClock(Date.now());

beforeEach(async () => {
  standIn = await openStandIn();
  world = await openOAuthWorld(networkOf(standIn), { clock });
  await logIn(world, standIn);
  clock.advance(limits.oauthRefreshAgainMs);
});
afterEach(async () => {
  await world.close();
  await standIn.close();
});

const CHALLENGE = 'Bearer error="invalid_token"';

/** The next answer with tokens waits. */
function held() {
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  standIn.does.beforeToken = async () => {
    standIn.does.beforeToken = null;
    asked.resolve();
    await go.promise;
  };
  return { asked: asked.promise, go: () => go.resolve() };
}

/** A renewal whose answer waits; with a status, that is the answer. */
async function renewing(status = 200) {
  const waiting = held();
  if (status !== 200) {
    const { beforeToken } = standIn.does;
    standIn.does.instead.set(`${AS_HOST} /token`, (_, res) => {
      standIn.does.instead.delete(`${AS_HOST} /token`);
      void Promise.resolve(beforeToken?.({})).then(() =>
        res.writeHead(status, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}'),
      );
    });
  }
  const ended = world.grants.challenged(world.server, refusal(401, CHALLENGE)).then(
    () => 'renewed',
    (error: { code?: string }) => error.code,
  );
  await waiting.asked;
  return { ended, go: waiting.go };
}

/** A login whose tokens wait. */
async function completing() {
  const { authorizationUrl } = await world.grants.begin(world.server, { redirectUri: REDIRECT });
  const query = (await standIn.agree(authorizationUrl)).searchParams;
  const { asked, go } = held();
  const ended = world.grants.finish(query).then(
    () => 'logged in',
    (error: { code?: string }) => error.code,
  );
  await asked;
  return { ended, go };
}

const slotVersions = async (): Promise<readonly string[]> => {
  const { vault, workspace } = world.services;
  const caller = { workspace, actor: { kind: 'system', id: 'gateway' } } as const;
  return (await vault.list(caller, world.server)).map(({ name, version }) => `${name} ${version}`).sort();
};
const slots = async (): Promise<readonly string[]> =>
  (await slotVersions()).map((slot) => slot.split(' ')[0] ?? '');

/** A login at another authorization server, from the beginning to the end. */
const elsewhere = async (): Promise<string> => {
  const moved = `https://${AS_HOST}/elsewhere`;
  const say = (at: string, document: object): void =>
    void standIn.does.instead.set(at, (_, res) => res.end(JSON.stringify(document)));
  for (const place of ['/about/resource', '/.well-known/oauth-protected-resource/v1/mcp'])
    say(`${MCP_HOST} ${place}`, { resource: MCP_URL, authorization_servers: [moved] });
  say(`${AS_HOST} /.well-known/oauth-authorization-server/elsewhere`, {
    issuer: moved,
    authorization_endpoint: `https://${AS_HOST}/authorize?tenant=1`,
    token_endpoint: `https://${AS_HOST}/token`,
    registration_endpoint: `https://${AS_HOST}/register`,
    code_challenge_methods_supported: ['S256'],
  });
  const begun = await world.grants.begin(world.server, { redirectUri: REDIRECT, acceptIssuer: true });
  const query = (await standIn.agree(begun.authorizationUrl)).searchParams;
  query.set('iss', moved);
  await world.grants.finish(query);
  return moved;
};

describe('a renewal on its way', () => {
  it('brings nothing back after a logout', async () => {
    const { ended, go } = await renewing();
    expect(await world.grants.forget(world.server)).toBe(true);
    go();
    expect(await ended).toBe('oauth_login_needed');
    expect(await slots()).not.toContain('OAUTH_ACCESS_TOKEN');
    expect(await slots()).not.toContain('OAUTH_REFRESH_TOKEN');
    expect(await world.grants.show(world.server)).toBeNull();
    expect(await world.ask()).toMatchObject({ status: 401 });
  });

  it('leaves the tokens of a login elsewhere as they are', async () => {
    const { ended, go } = await renewing();
    const issuer = await elsewhere();
    const before = await slotVersions();
    go();
    expect(await ended).toBe('oauth_login_needed');
    expect(await slotVersions()).toEqual(before);
    expect(await world.grants.show(world.server)).toMatchObject({
      issuer,
      state: 'ready',
      refreshable: true,
    });
    expect(await world.ask()).toMatchObject({ status: 200 });
  });

  it('that fails ends no login but its own', async () => {
    const { ended, go } = await renewing(400);
    const issuer = await elsewhere();
    go();
    expect(await ended).toBe('oauth_login_needed');
    expect(await world.grants.show(world.server)).toMatchObject({
      issuer,
      state: 'ready',
      refreshable: true,
    });
    expect(await slots()).toContain('OAUTH_REFRESH_TOKEN');
  });

  it('the control: left alone it is kept', async () => {
    const before = await slotVersions();
    const { ended, go } = await renewing();
    go();
    expect(await ended).toBe('renewed');
    expect(await slotVersions()).not.toEqual(before);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });
});

describe('a login that is being completed', () => {
  it('keeps no token when there is a logout meanwhile', async () => {
    await world.grants.forget(world.server);
    const { ended, go } = await completing();
    await world.grants.forget(world.server);
    go();
    expect(await ended).toBe('oauth_login_undone');
    expect(await slots()).not.toContain('OAUTH_ACCESS_TOKEN');
    expect(await slots()).not.toContain('OAUTH_REFRESH_TOKEN');
    expect(await world.ask()).toMatchObject({ status: 401 });
  });

  it('gives way to another that was completed meanwhile, and nothing of the two is mixed', async () => {
    const { ended, go } = await completing();
    const issuer = await elsewhere();
    const before = await slotVersions();
    go();
    expect(await ended).toBe('oauth_login_undone');
    expect(await slotVersions()).toEqual(before);
    expect(await world.grants.show(world.server)).toMatchObject({ issuer, state: 'ready' });
  });
});
