/** Cells of servers: when they are started and shared, what is made of their end, and how they are stopped. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { makeWorld, manifest, row, type World } from './cell-world.ts';

let world: World;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  world = makeWorld();
});

afterEach(async () => {
  world.obedient = true;
  await world.pool.close();
  vi.useRealTimers();
});

const typesOf = ({ events }: World): string[] => events.map((event) => event.type);
const cellAt = (at: number) => {
  const cell = world.cells[at];
  if (cell === undefined) throw new Error(`no cell ${at} was started`);
  return cell;
};
/** Lets the reaper look once, and what it starts come to its end. */
const reap = () => vi.advanceTimersByTimeAsync(5_000);
/** The end of a cell is known a few turns after it. */
const settled = () => new Promise((done) => setImmediate(done));

describe('starting', () => {
  it('is shared by all who ask for the same cell at the same time', async () => {
    const [a, b] = await Promise.all([
      world.pool.open('echo', 'default', null),
      world.pool.open('echo', 'default', null),
    ]);
    expect(a).toBe(b);
    expect(await world.pool.open('echo', 'default', null)).toBe(a);
    expect(world.cells).toHaveLength(1);
  });

  it('gives each profile a cell of its own, and the operator another', async () => {
    const cells = await Promise.all([
      world.pool.open('echo', 'default', null),
      world.pool.open('echo', 'other', null),
      world.pool.open('echo', null, null),
    ]);
    expect(new Set(cells.map(({ cell }) => cell)).size).toBe(3);
  });

  it('gives a user with values of their own a cell of their own, with them', async () => {
    const slots = manifest([
      { name: 'OWN', tier: 'entrusted' },
      { name: 'COMMON', tier: 'entrusted' },
    ]);
    world.servers.set('echo', row('echo', { manifest: slots }));
    world.secrets.set('OWN', 1).set('COMMON', 1);
    world.owned.push({ name: 'OWN', owner: 'ada', version: 4 });
    const ada = await world.pool.open('echo', 'default', 'ada');
    const bob = await world.pool.open('echo', 'default', 'bob');
    expect(bob).not.toBe(ada);
    expect(await world.pool.open('echo', 'default', null)).toBe(bob);
    expect(await world.pool.open('echo', 'default', 'ada')).toBe(ada);
    expect(cellAt(0).spec.env).toMatchObject({ OWN: "ada's value-4-of-OWN", COMMON: 'value-1-of-COMMON' });
    expect(cellAt(1).spec.env).toMatchObject({ OWN: 'value-1-of-OWN', COMMON: 'value-1-of-COMMON' });
    expect(world.identities.map(({ owner }) => owner)).toEqual(['ada', null]);
    expect(world.pool.list().map(({ owner }) => owner)).toEqual(['ada', null]);
    expect(world.said).toEqual([
      'echo sallyport: started for profile default and user ada',
      'echo sallyport: started for profile default',
    ]);
  });

  it('gives everybody one cell where the manifest says so', async () => {
    world.servers.set('echo', row('echo', { manifest: manifest([], { shared: true }) }));
    const cells = await Promise.all([
      world.pool.open('echo', 'default', 'ada'),
      world.pool.open('echo', 'other', null),
      world.pool.open('echo', null, null),
    ]);
    cells.push(await world.pool.open('echo', 'third', 'bob'));
    expect(new Set(cells).size).toBe(1);
    expect(world.cells).toHaveLength(1);
    expect(world.said).toEqual(['echo sallyport: started for everybody']);
    world.unselected.add('echo');
    await world.pool.storeChanged();
    expect(cellAt(0).ending).toBeNull();
  });

  it('refuses one cell for everybody where a user has a value of their own', async () => {
    const shared = manifest([{ name: 'TOKEN', tier: 'sealed' }], { shared: true });
    world.servers.set('echo', row('echo', { manifest: shared }));
    await world.pool.open('echo', 'default', 'bob');
    world.owned.push({ name: 'TOKEN', owner: 'ada', version: 1 });
    await world.pool.storeChanged();
    expect(cellAt(0).ending).toBe('cut');
    await expect(world.pool.open('echo', 'default', 'bob')).rejects.toMatchObject({
      code: 'server_shared_owned',
      message: '`echo` has one cell for everybody, but the user ada has a value of their own for it.',
    });
    expect(world.cells).toHaveLength(1);
  });

  it('records the cell before its program runs', async () => {
    world.onLaunch = () => expect(typesOf(world)).toEqual(['cell.started']);
    await world.pool.open('echo', null, null);
    expect(world.cells).toHaveLength(1);
  });

  it.each([
    ['nobody', 'server_unknown'],
    ['off', 'server_disabled'],
    ['broken', 'server_manifest_invalid'],
    ['packaged', 'package_missing'],
    ['needy', 'vault_credential_missing'],
  ])('of %s fails with %s, and no cell is left behind', async (slug, code) => {
    world.servers.set('off', row('off', { enabled: false }));
    world.servers.set('broken', row('broken', { manifest: { schemaVersion: 2 } }));
    world.servers.set('packaged', row('packaged', { package: { integrity: 'sha256-x' } }));
    const needs = manifest([{ name: 'TOKEN', tier: 'sealed', required: true }]);
    world.servers.set('needy', row('needy', { manifest: needs }));
    await expect(world.pool.open(slug, null, null)).rejects.toMatchObject({ code });
    expect(world.pool.list()).toEqual([]);
    expect(world.cells).toEqual([]);
  });

  it('that fails in the sandbox closes the way out, is recorded as an end, and is tried again', async () => {
    world.onLaunch = () => {
      throw new AppError('cell_start_failed', 'No.', { kind: 'failed' });
    };
    await expect(world.pool.open('echo', null, null)).rejects.toMatchObject({ code: 'cell_start_failed' });
    expect(world.events.map(({ type, data }) => [type, data['reason']])).toEqual([
      ['cell.started', undefined],
      ['cell.exited', 'cell_start_failed'],
    ]);
    expect(world.said).toEqual(['echo sallyport: not started: No.']);
    world.onLaunch = () => undefined;
    await world.pool.open('echo', null, null);
    expect(world.cells).toHaveLength(1);
  });

  it('gives sealed values as placeholders and entrusted ones as they are', async () => {
    const slots = manifest([
      { name: 'SEALED', tier: 'sealed' },
      { name: 'ENTRUSTED', tier: 'entrusted' },
      { name: 'UNSET', tier: 'sealed' },
    ]);
    world.servers.set('echo', row('echo', { manifest: slots }));
    world.secrets.set('SEALED', 1).set('ENTRUSTED', 1);
    await world.pool.open('echo', null, null);
    cellAt(0).stderr.write('I was given value-1-of-ENTRUSTED\n');
    await settled();
    expect(world.said).toContain('echo server: I was given [ENTRUSTED]');
    const { env } = cellAt(0).spec;
    expect(env['SEALED']).toMatch(/^key_[A-Za-z0-9]{32}$/);
    expect(env['ENTRUSTED']).toBe('value-1-of-ENTRUSTED');
    expect(env).not.toHaveProperty('UNSET');
  });
});

describe('a server that dies', () => {
  const die = async (at: number) => {
    cellAt(at).end();
    await settled();
  };

  it('starts again after a pause that doubles with each death in a row', async () => {
    const pauses = [500, 1_000, 2_000, 4_000];
    for (const [at, pauseMs] of pauses.entries()) {
      await world.pool.open('echo', null, null);
      await die(at);
      await expect(world.pool.open('echo', null, null)).rejects.toMatchObject({
        code: 'cell_backing_off',
        kind: 'unavailable',
        hint: expect.stringContaining('sallyport server logs echo') as string,
      });
      world.clock.advance(pauseMs - 1);
      await expect(world.pool.open('echo', null, null)).rejects.toMatchObject({ code: 'cell_backing_off' });
      world.clock.advance(1);
    }
    await world.pool.open('echo', null, null);
    expect(world.cells).toHaveLength(pauses.length + 1);
  });

  it('starts again at once where it was the question for its revision that it died of; that happens once', async () => {
    const asked = await world.pool.open('echo', null, null);
    expect(asked.era?.known).toBeNull();
    await die(0);
    asked.era?.learn('session', true);
    const again = await world.pool.open('echo', null, null);
    expect(again.era?.known).toBe('session');
    await die(1);
    await expect(world.pool.open('echo', null, null)).rejects.toMatchObject({ code: 'cell_backing_off' });
  });

  it('never waits longer than a minute', async () => {
    for (let at = 0; at < 12; at += 1) {
      await world.pool.open('echo', null, null);
      await die(at);
      world.clock.advance(60_000);
    }
    await expect(world.pool.open('echo', null, null)).resolves.toBeDefined();
  });

  it('after a healthy life waits the shortest pause again', async () => {
    await world.pool.open('echo', null, null);
    await die(0);
    world.clock.advance(500);
    await world.pool.open('echo', null, null);
    world.clock.advance(10_000);
    await die(1);
    world.clock.advance(500);
    await expect(world.pool.open('echo', null, null)).resolves.toBeDefined();
  });

  it('says why, with its number of deaths', async () => {
    await world.pool.open('echo', null, null);
    await die(0);
    await expect(world.pool.open('echo', null, null)).rejects.toThrow(
      '`echo` stopped a moment ago (it ended with code 1); it starts again in 1 s.',
    );
  });

  it('is told with its number of deaths and the time left, until it runs again', async () => {
    expect(world.pool.trouble('echo')).toBeNull();
    for (const waitMs of [500, 1_000]) {
      await world.pool.open('echo', null, null);
      await die(world.cells.length - 1);
      world.clock.advance(waitMs - 1);
      expect(world.pool.trouble('echo')).toEqual({
        deaths: world.cells.length,
        reason: 'it ended with code 1',
        at: world.clock.now() - waitMs + 1,
        waitMs: 1,
      });
      expect(world.pool.trouble('other')).toBeNull();
      world.clock.advance(1);
    }
    expect(world.pool.trouble('echo')).toMatchObject({ deaths: 2, waitMs: 0 });
    await world.pool.open('echo', null, null);
    expect(world.pool.trouble('echo')).toBeNull();
    await world.pool.restart('echo', 'changed');
    expect(world.pool.trouble('echo')).toBeNull();
  });

  it('is one, too, that the front gave up on: what it waited for is the reason', async () => {
    world.obedient = false;
    const transport = await world.pool.open('echo', null, null);
    const given = transport.close('it did not answer initialize within 30 s');
    await settled();
    expect(cellAt(0)).toMatchObject({ ending: 'ask' });
    cellAt(0).end({ code: null, signal: 'SIGKILL', reason: 'stopped by Sallyport' });
    await given;
    await settled();
    await expect(world.pool.open('echo', null, null)).rejects.toThrow(
      '`echo` stopped a moment ago (it did not answer initialize within 30 s); it starts again in 1 s.',
    );
  });

  it('starts at once after it was changed, or a value was set', async () => {
    await world.pool.open('echo', null, null);
    await die(0);
    await world.pool.restart('echo', 'changed');
    await world.pool.open('echo', null, null);
    await die(1);
    await world.pool.credentialsChanged('echo');
    await expect(world.pool.open('echo', null, null)).resolves.toBeDefined();
  });

  it('has its life in its log, and its last words in the error', async () => {
    const transport = await world.pool.open('echo', 'default', null);
    cellAt(0).stderr.write('the moon is in the wrong phase\n');
    await die(0);
    await transport.exited;
    expect(world.said).toEqual([
      'echo sallyport: started for profile default',
      'echo server: the moon is in the wrong phase',
      'echo sallyport: ended: it ended with code 1',
    ]);
    expect(transport.kind === 'lines' && transport.stderrTail()).toBe('the moon is in the wrong phase');
  });

  it('has its way out closed and its end recorded', async () => {
    await world.pool.open('echo', null, null);
    await die(0);
    expect(cellAt(0).egressClosed).toBe(true);
    expect(world.events.at(-1)).toMatchObject({
      type: 'cell.exited',
      data: { reason: 'it ended with code 1', code: 1, limit: null, byItself: true },
    });
    expect(world.logged).toContain('cell.died');
  });

  it('says which limit it met, to the audit log, its client and the next call, whatever else was going on', async () => {
    const transport = await world.pool.open('echo', null, null);
    const reason = 'killed: memory limit 512 MiB';
    cellAt(0).end({
      code: null,
      signal: 'SIGKILL',
      reason,
      limit: { kind: 'memory', text: 'memory limit 512 MiB', setting: 'limits.memoryMiB' },
    });
    expect(await transport.exited).toEqual({
      code: null,
      signal: 'SIGKILL',
      reason,
      limit: 'limits.memoryMiB',
    });
    await transport.close('idle');
    expect(world.events.at(-1)).toMatchObject({
      type: 'cell.exited',
      data: { reason, signal: 'SIGKILL', limit: 'limits.memoryMiB' },
    });
    await expect(world.pool.open('echo', null, null)).rejects.toMatchObject({
      code: 'cell_backing_off',
      message: expect.stringContaining(`(${reason})`),
    });
  });
});

describe('stopping', () => {
  it('is no failure: the next call starts a new cell at once', async () => {
    const first = await world.pool.open('echo', null, null);
    await world.pool.kill(() => true, 'kill switch');
    expect(cellAt(0)).toMatchObject({ ending: 'kill', egressClosed: true });
    expect(await first.exited).toMatchObject({ reason: 'kill switch' });
    await world.pool.open('echo', null, null);
    expect(world.cells).toHaveLength(2);
    expect(world.logged).not.toContain('cell.died');
  });

  it('takes only the cells that it is about', async () => {
    world.servers.set('other', row('other'));
    await Promise.all([world.pool.open('echo', null, null), world.pool.open('other', null, null)]);
    await world.pool.kill((cell) => cell.server.slug === 'other', 'kill switch');
    expect(world.pool.list().map(({ server }) => server)).toEqual(['echo']);
  });

  it('covers a cell that was only just asked for', async () => {
    const opened = world.pool.open('echo', null, null);
    await world.pool.kill(() => true, 'kill switch');
    expect(world.pool.list()).toEqual([]);
    expect(await (await opened).exited).toMatchObject({ reason: 'kill switch' });
  });

  it('covers a cell that was being started when the order came', async () => {
    const launch = Promise.withResolvers<void>();
    world.onLaunch = () => launch.promise;
    const opened = world.pool.open('echo', null, null);
    await settled();
    const stopped = world.pool.kill(() => true, 'kill switch');
    launch.resolve();
    await stopped;
    expect(cellAt(0).ending).toBe('kill');
    expect(world.pool.list()).toEqual([]);
    expect(await (await opened).exited).toMatchObject({ reason: 'kill switch' });
  });

  it('is a kill for a cell that is asked to end, too', async () => {
    world.obedient = false;
    await world.pool.open('echo', null, null);
    const changed = world.pool.restart('echo', 'changed');
    await settled();
    expect(cellAt(0)).toMatchObject({ ending: 'cut', egressClosed: true });
    expect(world.pool.list()).toEqual([]);
    await world.pool.kill(() => true, 'kill switch');
    expect(cellAt(0).ending).toBe('kill');
    await changed;
    expect(world.events.at(-1)).toMatchObject({
      type: 'cell.exited',
      data: { reason: 'kill switch', byItself: false },
    });
  });

  it('is at once for those that are there, whatever is being started', async () => {
    world.obedient = false;
    await world.pool.open('echo', null, null);
    const changed = world.pool.restart('echo', 'changed');
    await settled();
    const launch = Promise.withResolvers<void>();
    world.onLaunch = () => launch.promise;
    const opened = world.pool.open('echo', 'default', null);
    await settled();
    const killed = world.pool.kill(() => true, 'kill switch');
    await settled();
    expect(cellAt(0).ending).toBe('kill');
    launch.resolve();
    await Promise.all([killed, changed, opened]);
    expect(cellAt(1).ending).toBe('kill');
  });

  it('lets who calls meanwhile have a new cell', async () => {
    world.obedient = false;
    await world.pool.open('echo', null, null);
    const changed = world.pool.restart('echo', 'changed');
    await settled();
    const { cell } = await world.pool.open('echo', null, null);
    expect(cellAt(1)).toMatchObject({ id: cell, ending: null });
    cellAt(0).end();
    await changed;
    expect(world.pool.list().map(({ id }) => id)).toEqual([cell]);
    expect(world.logged).not.toContain('cell.died');
  });

  it('by the front leaves the server its time, and its way out until it is gone', async () => {
    world.obedient = false;
    const transport = await world.pool.open('echo', null, null);
    const closed = transport.close('the gateway is stopping');
    await settled();
    expect(cellAt(0)).toMatchObject({ ending: 'ask', egressClosed: false });
    cellAt(0).end();
    await closed;
    await settled();
    expect(cellAt(0).egressClosed).toBe(true);
  });

  it('of the pool ends every cell and lets none start', async () => {
    await world.pool.open('echo', null, null);
    await world.pool.close();
    expect(cellAt(0).ending).toBe('ask');
    await expect(world.pool.open('echo', null, null)).rejects.toMatchObject({ code: 'gateway_stopping' });
  });
});

describe('the log of a server', () => {
  it('stays when it is changed, and is forgotten with the server', async () => {
    await world.pool.restart('echo', 'changed');
    expect(world.said).toEqual([]);
    world.servers.delete('echo');
    await world.pool.restart('echo', 'removed');
    expect(world.said).toEqual(['echo forgotten']);
  });
});

describe('an idle cell', () => {
  const used = (at: number, over: { calls?: number } = {}) =>
    world.activity.set(cellAt(at).id, {
      calls: 0,
      sessions: 1,
      lastUsedMs: world.clock.monotonic(),
      ...over,
    });

  it('is ended after the configured time without a call, which is no death', async () => {
    await world.pool.open('echo', null, null);
    used(0);
    world.clock.advance(600_000);
    await reap();
    expect(cellAt(0).ending).toBeNull();
    world.clock.advance(1);
    await reap();
    expect(cellAt(0).ending).toBe('ask');
    expect(world.events.at(-1)).toMatchObject({
      type: 'cell.exited',
      data: { reason: 'idle', byItself: false },
    });
    expect(world.logged).not.toContain('cell.died');
    await expect(world.pool.open('echo', null, null)).resolves.toBeDefined();
  });

  it('is kept while a call is in flight, however long', async () => {
    await world.pool.open('echo', null, null);
    used(0, { calls: 1 });
    world.clock.advance(10_000_000);
    await reap();
    expect(cellAt(0).ending).toBeNull();
  });

  it('is ended too when nobody ever used it', async () => {
    await world.pool.open('echo', null, null);
    world.clock.advance(600_001);
    await reap();
    expect(cellAt(0).ending).toBe('ask');
  });

  it('lives as long as its manifest says', async () => {
    world.servers.set('echo', row('echo', { manifest: manifest([], { idleSeconds: 5 }) }));
    await world.pool.open('echo', null, null);
    world.clock.advance(5_001);
    await reap();
    expect(cellAt(0).ending).toBe('ask');
  });
});
