/** What becomes of running and starting cells when a value is set, or another process wrote to the store. */
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

const cellAt = (at: number) => {
  const cell = world.cells[at];
  if (cell === undefined) throw new Error(`no cell ${at} was started`);
  return cell;
};

describe('when a value is set', () => {
  const withSlots = (...tiers: ('sealed' | 'entrusted')[]): void => {
    const slots = tiers.map((tier, at) => ({ name: `TOKEN_${at}`, tier }));
    world.servers.set('echo', row('echo', { manifest: manifest(slots) }));
  };

  it('a cell with only placeholders goes on with the new value', async () => {
    withSlots('sealed');
    world.secrets.set('TOKEN_0', 1);
    const before = await world.pool.open('echo', null, null);
    world.secrets.set('TOKEN_0', 2);
    await world.pool.credentialsChanged('echo');
    expect(cellAt(0)).toMatchObject({ ending: null, refreshed: 1 });
    expect(await world.pool.open('echo', null, null)).toBe(before);
  });

  it('a cell that was given a value itself is ended, and the next has the new one', async () => {
    withSlots('sealed', 'entrusted');
    world.secrets.set('TOKEN_1', 1);
    await world.pool.open('echo', null, null);
    world.secrets.set('TOKEN_1', 2);
    await world.pool.credentialsChanged('echo');
    expect(cellAt(0).ending).toBe('cut');
    await world.pool.open('echo', null, null);
    expect(cellAt(1).spec.env['TOKEN_1']).toBe('value-2-of-TOKEN_1');
  });

  it('a cell that lacks the placeholder for it is ended', async () => {
    withSlots('sealed');
    await world.pool.open('echo', null, null);
    world.secrets.set('TOKEN_0', 1);
    await world.pool.credentialsChanged('echo');
    expect(cellAt(0).ending).toBe('cut');
  });

  it('by a user, or taken back, their cell is ended: another one is the right one then', async () => {
    withSlots('sealed', 'sealed');
    world.secrets.set('TOKEN_0', 1).set('TOKEN_1', 1);
    world.owned.push({ name: 'TOKEN_0', owner: 'ada', version: 1 });
    const theirs = await world.pool.open('echo', null, 'ada');
    world.owned.push({ name: 'TOKEN_1', owner: 'ada', version: 1 });
    await world.pool.credentialsChanged('echo');
    expect(cellAt(0).ending).toBe('cut');
    const next = await world.pool.open('echo', null, 'ada');
    expect(next).not.toBe(theirs);
    world.owned.splice(0);
    await world.pool.credentialsChanged('echo');
    expect(cellAt(1).ending).toBe('cut');
    const common = await world.pool.open('echo', null, 'ada');
    expect(await world.pool.open('echo', null, null)).toBe(common);
  });

  it('of one user goes on in that one cell alone', async () => {
    withSlots('sealed');
    world.secrets.set('TOKEN_0', 1);
    world.owned.push({ name: 'TOKEN_0', owner: 'ada', version: 1 });
    await world.pool.open('echo', null, 'ada');
    await world.pool.open('echo', null, 'bob');
    world.owned.splice(0, 1, { name: 'TOKEN_0', owner: 'ada', version: 2 });
    await world.pool.credentialsChanged('echo');
    expect(cellAt(0)).toMatchObject({ ending: null, refreshed: 1 });
    expect(cellAt(1)).toMatchObject({ ending: null, refreshed: 0 });
  });

  it('a cell that is being started does not begin with the old one', async () => {
    withSlots('entrusted');
    world.secrets.set('TOKEN_0', 1);
    world.onLaunch = async () => {
      if (world.cells.length > 0) return;
      world.secrets.set('TOKEN_0', 2);
      await world.pool.credentialsChanged('echo');
    };
    const { cell } = await world.pool.open('echo', null, null);
    expect(cellAt(0)).toMatchObject({ ending: 'cut' });
    expect(cellAt(1)).toMatchObject({ id: cell, ending: null });
    expect(cellAt(1).spec.env['TOKEN_0']).toBe('value-2-of-TOKEN_0');
  });

  it('a cell whose way out cannot take it is ended', async () => {
    withSlots('sealed');
    world.secrets.set('TOKEN_0', 1);
    await world.pool.open('echo', null, null);
    world.refreshFails = new AppError('seal_tampered', 'No.', { kind: 'failed' });
    world.secrets.set('TOKEN_0', 2);
    await world.pool.credentialsChanged('echo');
    expect(cellAt(0).ending).toBe('kill');
  });

  it('other servers are left alone', async () => {
    world.servers.set('other', row('other'));
    await world.pool.open('other', null, null);
    world.secrets.set('TOKEN_0', 1);
    await world.pool.credentialsChanged('echo');
    expect(cellAt(0)).toMatchObject({ ending: null, refreshed: 0 });
  });
});

describe('when another process wrote to the store', () => {
  it.each([
    ['removed the server', () => world.servers.delete('echo')],
    ['disabled it', () => world.servers.set('echo', row('echo', { enabled: false }))],
    ['changed its manifest', () => world.servers.set('echo', row('echo', { manifestHash: 'another' }))],
    ['changed it otherwise', () => world.servers.set('echo', row('echo', { updatedAt: 1 }))],
    ['put another in its place', () => world.servers.set('echo', { ...row('other'), slug: 'echo' })],
    ['set a value', () => world.secrets.set('TOKEN', 1)],
  ])('and %s, its cell is ended', async (_, change) => {
    await world.pool.open('echo', null, null);
    change();
    await world.pool.storeChanged();
    expect(cellAt(0).ending).toBe('cut');
  });

  it('and took its server out of a profile, the cell of that profile is ended, and not started again', async () => {
    await world.pool.open('echo', 'default', null);
    await world.pool.open('echo', null, null);
    world.unselected.add('echo');
    await world.pool.storeChanged();
    expect(world.cells.map(({ ending }) => ending)).toEqual(['cut', null]);
    await expect(world.pool.open('echo', 'default', null)).rejects.toMatchObject({
      code: 'server_not_selected',
    });
    expect(world.cells).toHaveLength(2);
    world.unselected.clear();
    await world.pool.open('echo', 'default', null);
    expect(world.cells).toHaveLength(3);
  });

  it('and took it out while it was being started there, it does not stay', async () => {
    world.onLaunch = () => void world.unselected.add('echo');
    await expect(world.pool.open('echo', 'default', null)).rejects.toMatchObject({
      code: 'server_not_selected',
    });
    expect(world.cells.map(({ ending }) => ending)).toEqual(['cut']);
  });

  it('and made it one for everybody, every cell that it had is ended', async () => {
    await world.pool.open('echo', 'default', null);
    await world.pool.open('echo', null, null);
    const shared = row('echo', { manifest: manifest([], { shared: true }), updatedAt: 1 });
    world.servers.set('echo', shared);
    await world.pool.storeChanged();
    expect(world.cells.map(({ ending }) => ending)).toEqual(['cut', 'cut']);
    const one = await world.pool.open('echo', 'default', null);
    expect(await world.pool.open('echo', null, null)).toBe(one);
    world.servers.set('echo', row('echo', { updatedAt: 2 }));
    await world.pool.storeChanged();
    expect(cellAt(2).ending).toBe('cut');
    expect(await world.pool.open('echo', 'default', null)).not.toBe(
      await world.pool.open('echo', null, null),
    );
  });

  it('and changed it, nothing waits for a server that does not end: it can send nothing any more', async () => {
    world.obedient = false;
    await world.pool.open('echo', null, null);
    world.servers.set('echo', row('echo', { updatedAt: 1 }));
    await world.pool.storeChanged();
    expect(cellAt(0)).toMatchObject({ ending: 'cut', egressClosed: true });
    expect(world.pool.list()).toEqual([]);
    await world.pool.kill(() => true, 'kill switch');
    expect(cellAt(0).ending).toBe('kill');
  });

  it('and changed nothing of a server, its cell goes on', async () => {
    await world.pool.open('echo', null, null);
    await world.pool.storeChanged();
    expect(cellAt(0)).toMatchObject({ ending: null, refreshed: 0 });
  });

  it('and changed a server that is being started, it starts with the change', async () => {
    world.onLaunch = () => {
      if (world.cells.length === 0) world.servers.set('echo', row('echo', { updatedAt: 7 }));
    };
    await world.pool.open('echo', null, null);
    expect(world.cells.map(({ ending }) => ending)).toEqual(['cut', null]);
  });

  it('and goes on changing it, the start gives up', async () => {
    let updatedAt = 0;
    world.onLaunch = () => void world.servers.set('echo', row('echo', { updatedAt: (updatedAt += 1) }));
    await expect(world.pool.open('echo', null, null)).rejects.toMatchObject({ code: 'server_changing' });
    expect(world.cells.every(({ ending }) => ending === 'cut')).toBe(true);
  });
});
