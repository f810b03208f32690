/** What somebody who adds a server waits for, and is told meanwhile. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { makeWorld, manifest, offered, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});
const late = new AppError('definitions_late', 'It did not say.', { kind: 'unavailable' });

/** A server that answers nothing. @returns how long it was waited for, and what was told meanwhile */
function mute() {
  const waited: number[] = [];
  const told: string[] = [];
  world.definitions.ask = async (_, withinMs) => {
    waited.push(withinMs);
    if (vi.isFakeTimers()) await vi.advanceTimersByTimeAsync(withinMs);
    throw late;
  };
  return { waited, told, tell: (message: string) => void told.push(message) };
}

describe('a server that does not say what it offers', () => {
  it('is not waited for as long where it lacks a credential that it needs, and somebody is told why', async () => {
    const { waited, told, tell } = mute();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const added = await world.client.addServer({ source: 'echo.json', manifest: manifest() }, tell);
    expect(added.definitions).toMatchObject({ looked: false, problem: { code: 'definitions_late' } });
    expect(waited).toEqual([8_000]);
    expect(told).toEqual([
      'asking echo what it offers',
      'waiting up to 8 s for echo; it may not answer without API_KEY',
    ]);
  });

  it('is waited for where it needs none, and somebody is told for how long', async () => {
    const { waited, told, tell } = mute();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await world.client.addServer({ source: 'echo.json', manifest: manifest({ credentials: [] }) }, tell);
    expect(waited).toEqual([30_000]);
    expect(told).toEqual(['asking echo what it offers', 'waiting up to 30 s for echo']);
  });

  it('is asked again once it has what it lacked, and agreed to then', async () => {
    const { waited, tell } = mute();
    await world.client.addServer({ source: 'echo.json', manifest: manifest() }, tell);
    world.definitions.ask = async (_, withinMs) => {
      waited.push(withinMs);
      return [offered('tool', 'echo')];
    };
    const { definitions } = await world.client.setSecret('echo', 'API_KEY', 'a-key-of-somebody');
    expect(definitions).toMatchObject({ looked: true, definitions: [{ name: 'echo', state: 'approved' }] });
    expect(waited).toEqual([8_000, 30_000]);
  });

  it('may take its time where somebody asks what it offers', async () => {
    const { waited, tell } = mute();
    await world.client.addServer({ source: 'echo.json', manifest: manifest() }, tell);
    await world.client.lookAtDefinitions('echo', tell);
    expect(waited).toEqual([8_000, 30_000]);
  });
});

it('a server that was heard leaves nothing behind that waits', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  world.definitions.ask = async () => [offered('tool', 'echo')];
  const before = vi.getTimerCount();
  await world.client.addServer({ source: 'echo.json', manifest: manifest() }, () => undefined);
  expect(vi.getTimerCount()).toBe(before);
});
