/**
 * A refresh token is good once, and a gateway can die between the moment in which it is used up and the one in which its
 * successor is kept. Used again it would look stolen, and would be: so nothing is used again, and a person logs in.
 */
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { limits, systemClock } from '../../src/kernel/index.ts';
import { startRenewing } from '../oauth/renewing-process.ts';
import { openStandIn, type StandIn } from '../oauth/stand-in.ts';
import { logIn, networkOf, type OAuthWorld, openOAuthWorld } from '../oauth/world.ts';

let standIn: StandIn;
const worlds: OAuthWorld[] = [];
/** So far ahead that whoever was renewing is taken for dead. */
const LATER = limits.oauthRefreshWaitMs + limits.oauthRefreshAgainMs;

async function open(): Promise<OAuthWorld> {
  standIn = await openStandIn();
  const world = await openOAuthWorld(networkOf(standIn), {
    clock: { now: () => systemClock.now(), monotonic: () => systemClock.monotonic() },
  });
  worlds.push(world);
  await logIn(world, standIn);
  return world;
}

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
  await standIn.close();
});

it('after kill -9 between the rotation and its being kept, nothing is used twice', async () => {
  const world = await open();
  const victim = await startRenewing(world, networkOf(standIn), limits.oauthRefreshAgainMs);
  const dead = once(victim.process, 'exit');
  standIn.does.beforeToken = async () => {
    victim.process.kill('SIGKILL');
    await dead;
  };
  expect(await victim.renew()).toBeNull();
  expect(await dead).toEqual([null, 'SIGKILL']);
  standIn.does.beforeToken = null;
  expect(standIn.tokenRequests, 'it was used up').toHaveLength(2);

  const heir = await startRenewing(world, networkOf(standIn), LATER);
  expect(await heir.renew()).toBe('oauth_login_needed');
  expect(standIn.tokenRequests, 'and not shown again').toHaveLength(2);
  expect(standIn.reused).toEqual([]);
  await expect(world.grants.ensure(world.server)).rejects.toMatchObject({ code: 'oauth_login_needed' });
  expect((await world.events()).at(-1)).toMatchObject({
    type: 'grant.refused',
    data: { reason: expect.stringContaining('did not end') as unknown },
  });
  // A person puts it right.
  await logIn(world, standIn);
  expect(await world.ask()).toMatchObject({ status: 200 });
});

it('the control: without the kill the same is renewed, and what was used up would be noticed', async () => {
  const world = await open();
  const [used = ''] = standIn.refreshes.keys();
  const other = await startRenewing(world, networkOf(standIn), limits.oauthRefreshAgainMs);
  expect(await other.renew()).toBe('true');
  expect(await world.ask()).toMatchObject({ status: 200 });
  expect(standIn.refreshes.has(used), 'it was rotated').toBe(false);
});
