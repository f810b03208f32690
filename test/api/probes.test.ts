/** The last probe of a server is kept with it, shown with it, and believed only as far as it can be read. */
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { clean, echoing, failed, skipped } from './probes.ts';
import { databaseOf, makeWorld, manifest, type World } from './world.ts';

let world: World;
const quiet = (): void => undefined;

beforeEach(async () => {
  world = await makeWorld();
  await world.client.addServer({ source: 'echo.json', manifest: manifest() }, quiet);
});
afterEach(() => world.close());

describe('a probe', () => {
  it('of a server tells what it asks, then what it found, and is kept', async () => {
    expect((await world.client.server('echo')).probe).toBeNull();
    const asked: unknown[] = [];
    const found = [clean(), echoing(), failed(), skipped()];
    world.prober.probe = async (row, options, tell, wanted) => {
      asked.push([row.slug, options, wanted.aborted]);
      tell('GET api.test.example/');
      return found;
    };
    const body = { path: '/me', hosts: ['a.test.example'], post: true };
    const { status, text } = await world.ask('POST', '/servers/echo/probe', body);
    expect(status).toBe(200);
    expect(asked).toEqual([['echo', body, false]]);
    const [progress, last, ...more] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const { manifestHash } = await world.client.server('echo');
    const view = { at: expect.any(Number) as number, manifestHash, probes: found };
    expect([progress, last, more]).toEqual([{ progress: 'GET api.test.example/' }, { result: view }, []]);
    expect((await world.client.server('echo')).probe).toEqual(view);
    expect((await world.client.servers()).map(({ probe }) => probe)).toEqual([view]);
  });

  it('replaces the one before, unless it fails', async () => {
    world.prober.probe = async () => [echoing()];
    await world.client.probeServer('echo', {}, quiet);
    world.prober.probe = async () => {
      throw new AppError('kill_active', 'Stopped.', { kind: 'denied' });
    };
    await expect(world.client.probeServer('echo', {}, quiet)).rejects.toMatchObject({
      code: 'kill_active',
      kind: 'denied',
    });
    expect((await world.client.server('echo')).probe?.probes).toEqual([echoing()]);
    world.prober.probe = async () => [clean()];
    await world.client.probeServer('echo', {}, quiet);
    expect((await world.client.server('echo')).probe?.probes).toEqual([clean()]);
  });

  it('names the manifest that it was of, whatever the manifest is now', async () => {
    const before = await world.client.probeServer('echo', {}, quiet);
    await world.client.inject('echo', 'API_KEY', { rule: { query: 'key' } });
    const { probe, manifestHash } = await world.client.server('echo');
    expect(probe?.manifestHash).toBe(before.manifestHash);
    expect(manifestHash).not.toBe(before.manifestHash);
  });

  it('is not made of a server that is disabled, or is not there', async () => {
    world.prober.probe = async () => {
      throw new Error('asked');
    };
    await world.client.enableServer('echo', false);
    await expect(world.client.probeServer('echo', {}, quiet)).rejects.toMatchObject({
      code: 'server_disabled',
      kind: 'denied',
      hint: 'Enable it: `sallyport server enable echo`.',
    });
    await expect(world.client.probeServer('nobody', {}, quiet)).rejects.toMatchObject({
      code: 'server_unknown',
    });
  });

  it.each([
    [{ path: '' }],
    [{ path: 7 }],
    [{ hosts: 'a.test' }],
    [{ hosts: [''] }],
    [{ hosts: Array.from({ length: 33 }, () => 'a.test') }],
    [{ post: 'yes' }],
    [{ method: 'DELETE' }],
  ])('is not made with %j', async (body) => {
    const { status, json } = await world.ask('POST', '/servers/echo/probe', body);
    expect([status, json]).toMatchObject([400, { error: { code: 'api_input_invalid' } }]);
  });

  it('that nobody waits for is told so, and not kept', async () => {
    const ended = Promise.withResolvers<void>();
    world.prober.probe = async (_row, _options, tell, wanted) => {
      tell('begun');
      await new Promise<void>((done) => wanted.addEventListener('abort', () => done(), { once: true }));
      ended.resolve();
      throw new AppError('probe_cancelled', 'cancelled', { kind: 'failed' });
    };
    const response = await world.raw(
      new Request('http://sallyport/api/v1/servers/echo/probe', {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      }),
    );
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await ended.promise;
    expect((await world.client.server('echo')).probe).toBeNull();
  });

  it.each(['{"probes":[{"host":1}]}', '[]', 'null'])('that was tampered with is none: %s', async (report) => {
    await world.client.probeServer('echo', {}, quiet);
    expect((await world.client.server('echo')).probe).not.toBeNull();
    const raw = new DatabaseSync(databaseOf(world));
    raw.prepare('update probes set report = ?').run(report);
    raw.close();
    expect((await world.client.server('echo')).probe).toBeNull();
  });
});
