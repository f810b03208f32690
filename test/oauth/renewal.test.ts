/** Tokens renewed in time, once for all who want it, and never twice with what is good once. */
import { afterEach, describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { AS_HOST, openStandIn, type Behaviour, type StandIn } from './stand-in.ts';
import { startRenewing } from './renewing-process.ts';
import { logIn, type Network, networkOf, type OAuthWorld, openOAuthWorld, refusal } from './world.ts';

let standIn: StandIn;
const worlds: OAuthWorld[] = [];
const clock = fixedClock(Date.now());
let network: { -readonly [K in keyof Network]: Network[K] };

async function open(does: Partial<Behaviour> = {}): Promise<OAuthWorld> {
  standIn = await openStandIn(does);
  network = networkOf(standIn);
  const world = await openOAuthWorld(network, { clock });
  worlds.push(world);
  await logIn(world, standIn);
  clock.advance(limits.oauthRefreshAgainMs);
  return world;
}
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
  await standIn.close();
});

const renewals = (): number =>
  standIn.tokenRequests.filter((form) => form.get('grant_type') === 'refresh_token').length;
const CHALLENGE = 'Bearer error="invalid_token"';

describe('before a token ends', () => {
  it('it is renewed once, and not before', async () => {
    const world = await open();
    await world.grants.ensure(world.server);
    expect(renewals()).toBe(0);
    clock.advance(3_600_000 - limits.oauthRefreshAheadMs);
    await world.grants.ensure(world.server);
    await world.grants.ensure(world.server);
    expect(renewals()).toBe(1);
    expect(await world.ask()).toMatchObject({ status: 200 });
    expect(standIn.faults).toEqual([]);
    expect((await world.events()).at(-1)?.type).not.toBe('grant.refused');
    expect(await world.grants.show(world.server)).toMatchObject({ rotates: true, refreshing: null });
  });

  it('the one that is there goes on while it is good, when the authorization server is away', async () => {
    const world = await open();
    clock.advance(3_600_000 - 30_000);
    standIn.does.instead.set(`${AS_HOST} /token`, (_, res) => res.writeHead(503).end());
    await world.grants.ensure(world.server);
    expect(await world.ask()).toMatchObject({ status: 200 });
    clock.advance(30_000);
    await expect(world.grants.ensure(world.server)).rejects.toMatchObject({ code: 'oauth_refresh_failed' });
    standIn.does.instead.clear();
    await world.grants.ensure(world.server);
    expect(renewals()).toBe(1);
    expect(standIn.reused).toEqual([]);
  });

  it('that lasts for less than a minute is not renewed at each request', async () => {
    const world = await open({ expiresIn: 30 });
    await world.grants.ensure(world.server);
    expect(renewals()).toBe(0);
    clock.advance(15_000);
    for (let asked = 0; asked < 3; asked += 1) await world.grants.ensure(world.server);
    expect(renewals()).toBe(1);
  });

  it('that ends as soon as it is given is renewed now and then, not with each request', async () => {
    const world = await open({ expiresIn: 0 });
    for (let asked = 0; asked < 5; asked += 1) await world.grants.ensure(world.server);
    expect(renewals()).toBe(1);
    clock.advance(limits.oauthRefreshAgainMs);
    for (let asked = 0; asked < 5; asked += 1) await world.grants.ensure(world.server);
    expect(renewals()).toBe(2);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });

  it('that is said to be good for ever is believed for as long as a date can be written', async () => {
    const world = await open({ expiresIn: 1e306 });
    const expiresAt = (await world.grants.show(world.server))?.expiresAt ?? 0;
    expect(new Date(expiresAt).toISOString()).toMatch(/^20/);
    await world.grants.ensure(world.server);
    expect(renewals()).toBe(0);
  });

  it('of which nobody says when it ends, nothing is done', async () => {
    const world = await open({ expiresIn: null });
    clock.advance(10 * 24 * 3_600_000);
    await world.grants.ensure(world.server);
    expect(renewals()).toBe(0);
  });
});

describe('a token that the server refuses', () => {
  it('is renewed once for a hundred who are refused at the same time', async () => {
    const world = await open();
    standIn.expire();
    const refused = Array.from({ length: 100 }, () =>
      world.grants.challenged(world.server, refusal(401, CHALLENGE)),
    );
    expect(new Set(await Promise.all(refused))).toEqual(new Set([true]));
    // Who comes late had the old one too.
    expect(await world.grants.challenged(world.server, refusal(401, CHALLENGE))).toBe(true);
    expect(renewals()).toBe(1);
    expect(await world.ask()).toMatchObject({ status: 200 });
    expect(standIn.reused).toEqual([]);
  });

  it('is renewed for whoever was shown to have it, however late they say so', async () => {
    const world = await open();
    const { server, grants } = world;
    const shown = await grants.ensure(server);
    const late = { ...refusal(401, CHALLENGE), shown };
    expect(await grants.challenged(server, late)).toBe(true);
    expect(renewals()).toBe(1);
    clock.advance(3 * limits.oauthRefreshAgainMs);
    expect(await grants.challenged(server, late)).toBe(true);
    expect(renewals()).toBe(1);
    // The new one is not taken either: once more is tried, and not again at once.
    const now = await grants.ensure(server);
    expect(await grants.challenged(server, { ...late, shown: now })).toBe(true);
    expect(renewals()).toBe(2);
    const next = { ...late, shown: await grants.ensure(server) };
    await expect(grants.challenged(server, next)).rejects.toMatchObject({ code: 'oauth_login_needed' });
    expect(renewals()).toBe(2);
    expect(await grants.show(server)).toMatchObject({ state: 'ready', refreshable: true });
  });

  it('is renewed once by two processes', async () => {
    const world = await open();
    const others = await Promise.all([1, 2].map(() => startRenewing(world, network, 10_000)));
    standIn.expire();
    expect(await Promise.all(others.map((other) => other.renew()))).toEqual(['true', 'true']);
    expect(renewals()).toBe(1);
    expect(standIn.reused).toEqual([]);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });

  it('is renewed again and again with the same refresh token where that stays good', async () => {
    const world = await open({ rotate: false, repeatRefresh: true });
    for (let round = 1; round <= 3; round += 1) {
      standIn.expire();
      expect(await world.grants.challenged(world.server, refusal(401, CHALLENGE))).toBe(true);
      expect(await world.ask()).toMatchObject({ status: 200 });
      expect(renewals()).toBe(round);
      clock.advance(limits.oauthRefreshAgainMs);
    }
    expect(await world.grants.show(world.server)).toMatchObject({ rotates: false });
    expect(standIn.refreshes.size).toBe(1);
    expect(standIn.faults).toEqual([]);
  });

  it('needs a person where there is no refresh token', async () => {
    const world = await open({ refreshTokens: false });
    await expect(world.grants.challenged(world.server, refusal(401, CHALLENGE))).rejects.toMatchObject({
      code: 'oauth_login_needed',
      hint: expect.stringContaining('sallyport server login it') as unknown,
    });
    await expect(world.grants.ensure(world.server)).rejects.toMatchObject({ code: 'oauth_login_needed' });
    expect(renewals()).toBe(0);
    await logIn(world, standIn);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });

  it('needs a person where the authorization server has withdrawn it', async () => {
    const world = await open();
    standIn.refreshes.clear();
    await expect(world.grants.challenged(world.server, refusal(401, CHALLENGE))).rejects.toMatchObject({
      code: 'oauth_login_needed',
    });
    expect((await world.events()).at(-1)).toMatchObject({ type: 'grant.refused' });
    await expect(world.grants.challenged(world.server, refusal(401, CHALLENGE))).rejects.toMatchObject({
      code: 'oauth_login_needed',
    });
    expect(renewals()).toBe(1);
  });
});

describe('a renewal of which nobody knows what became', () => {
  it('is not tried again with a token that may be used up', async () => {
    const world = await open();
    standIn.does.instead.set(`${AS_HOST} /token`, (req) => req.socket.destroy());
    await expect(world.grants.challenged(world.server, refusal(401, CHALLENGE))).rejects.toMatchObject({
      code: 'oauth_login_needed',
    });
    standIn.does.instead.clear();
    await expect(world.grants.ensure(world.server)).rejects.toMatchObject({ code: 'oauth_login_needed' });
    expect(standIn.tokenRequests).toHaveLength(1);
  });

  it('is tried again where the refresh token stays good', async () => {
    const world = await open({ rotate: false });
    await world.grants.challenged(world.server, refusal(401, CHALLENGE));
    clock.advance(limits.oauthRefreshAgainMs);
    standIn.does.instead.set(`${AS_HOST} /token`, (req) => req.socket.destroy());
    await expect(world.grants.challenged(world.server, refusal(401, CHALLENGE))).rejects.toMatchObject({
      code: 'oauth_refresh_failed',
    });
    standIn.does.instead.clear();
    expect(await world.grants.challenged(world.server, refusal(401, CHALLENGE))).toBe(true);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });

  it('did not begin where nothing could leave', async () => {
    const world = await open();
    const { resolve } = network;
    const away = await openOAuthWorld({ ...network, resolve: {} }, { clock, home: world.home });
    worlds.unshift(away);
    await expect(away.grants.challenged(away.server, refusal(401, CHALLENGE))).rejects.toMatchObject({
      code: 'oauth_refresh_failed',
    });
    expect(resolve).not.toEqual({});
    expect(await world.grants.challenged(world.server, refusal(401, CHALLENGE))).toBe(true);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });
});

describe('a server that wants more than was granted', () => {
  const wants = (scopes: string): string => `Bearer error="insufficient_scope", scope="${scopes}"`;

  it('gets it from the next login, together with what was there', async () => {
    const world = await open({ needs: ['read'] });
    standIn.does.needs = ['write'];
    const { status, challenge } = await world.ask();
    expect(status).toBe(403);
    await expect(world.grants.challenged(world.server, refusal(403, challenge))).rejects.toMatchObject({
      code: 'oauth_scope_needed',
    });
    const before = await world.grants.show(world.server);
    expect(before).toMatchObject({ state: 'ready', wanted: ['read', 'offline_access', 'write'] });
    await logIn(world, standIn);
    expect(await world.ask()).toMatchObject({ status: 200 });
    expect(await world.grants.show(world.server)).toMatchObject({
      granted: ['read', 'offline_access', 'write'],
    });
  });

  it('is believed three times in an hour', async () => {
    const world = await open();
    const step = (scope: string) => world.grants.challenged(world.server, refusal(403, wants(scope)));
    for (const scope of ['a', 'b', 'c'])
      await expect(step(scope)).rejects.toMatchObject({ code: 'oauth_scope_needed' });
    await expect(step('c'), 'what is on the list already').rejects.toMatchObject({
      code: 'oauth_scope_needed',
    });
    await expect(step('d')).rejects.toMatchObject({ code: 'oauth_scope_refused' });
    clock.advance(limits.oauthStepUpsMs);
    await expect(step('d')).rejects.toMatchObject({ code: 'oauth_scope_needed' });
  });

  it('does not get by another login what was asked for and not granted', async () => {
    const world = await open();
    await expect(world.grants.challenged(world.server, refusal(403, wants('read')))).rejects.toMatchObject({
      code: 'oauth_scope_refused',
    });
    expect(await world.grants.challenged(world.server, refusal(403, 'Bearer error="other"'))).toBe(false);
    expect(await world.grants.challenged(world.server, refusal(403, null))).toBe(false);
  });
});
