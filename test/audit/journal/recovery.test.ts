/** What the next process makes of the journals that others left behind: whole, torn, long, or ended half-way. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createScribe, endJournal } from '../../../src/audit/index.ts';
import { JournalIngester } from '../../../src/audit/journal/ingester.ts';
import { limits } from '../../../src/kernel/index.ts';
import { A, auditKey, B, JournalWorld, settle } from './journal-world.ts';
import { died, ends, event, keys, problems, told } from './left-journal.ts';

let world: JournalWorld;
beforeEach(() => {
  world = new JournalWorld();
});

describe('a journal that was left behind', () => {
  it('comes into the chain, in order and once', async () => {
    await died(world, 'jrn_1', [1, 2, 3]);
    await world.recover();
    await world.recover();
    expect(world.chained()).toEqual([1, 2, 3]);
    expect([world.left, world.store.journalRows.size, world.setAside]).toEqual([[], 0, []]);
    expect(await problems(world)).toEqual([]);
  });

  it('comes in after those that were begun before it', async () => {
    await died(world, 'jrn_2', [3, 4]);
    await died(world, 'jrn_1', [1, 2]);
    await world.recover();
    expect(world.chained()).toEqual([1, 2, 3, 4]);
  });

  it('stays where it is while its gateway lives', async () => {
    const gateway = await world.gateway('jrn_1');
    await gateway.audit.record(event(1));
    await world.recover();
    expect(world.chained()).toEqual([]);
    await gateway.audit.record(event(2));
    await gateway.audit.close();
    expect(world.chained()).toEqual([1, 2]);
    expect(await problems(world)).toEqual([]);
  });

  it('is none when its gateway ends it after others have read what the database knows', async () => {
    const gateway = await world.gateway('jrn_1');
    await gateway.audit.record(event(1));
    const { store } = world;
    const journals = store.journals.bind(store);
    store.journals = async () => {
      store.journals = journals;
      const found = await journals();
      await gateway.audit.close();
      return found;
    };
    await world.recover();
    expect([told(world), world.chained(), world.setAside]).toEqual([[], [1], []]);
    expect(await problems(world)).toEqual([]);
  });

  it('of several workspaces comes into the chain of each', async () => {
    const { audit } = await died(world, 'jrn_1', []);
    await Promise.all([audit.record(event(1)), audit.record(event(2, B)), audit.record(event(3))]);
    await audit.record(event(4, B));
    await world.recover();
    expect([world.chained(A), world.chained(B)]).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  it('comes in as a whole when the first attempt fails, at whatever step', async () => {
    for (let failing = 1; ; failing++) {
      world = new JournalWorld();
      await died(world, 'jrn_1', [1, 2, 3]);
      await world.store.putJournal(keys.signRow({ id: 'jrn_0', records: 0, closed: true }));
      let steps = 0;
      let isOver = true;
      for (const step of ['append', 'putJournal', 'forgetJournal', 'sync', 'journals'] as const) {
        const { store } = world;
        const usual = store[step].bind(store) as (...args: unknown[]) => Promise<unknown>;
        Object.assign(store, {
          async [step](...args: unknown[]) {
            steps += 1;
            if (steps === failing) {
              isOver = false;
              throw new Error('the process ends here');
            }
            return usual(...args);
          },
        });
      }
      await world.recover().catch(() => undefined);
      steps = -Infinity;
      await world.recover();
      expect(world.chained(), `step ${failing}`).toEqual([1, 2, 3]);
      expect([world.left, world.store.journalRows.size, told(world)], `step ${failing}`).toEqual([[], 0, []]);
      if (isOver) {
        expect(failing).toBeGreaterThan(5);
        break;
      }
    }
  });

  it('comes in once when the transaction came through all the same', async () => {
    await died(world, 'jrn_1', [1, 2, 3]);
    const { store } = world;
    const append = store.append.bind(store);
    store.append = async (...args) => {
      await append(...args);
      store.append = append;
      throw new Error('connection lost after commit');
    };
    await expect(world.recover()).rejects.toThrow('connection lost');
    await world.recover();
    expect(world.chained()).toEqual([1, 2, 3]);
  });

  it('that had just been begun leaves nothing', async () => {
    await died(world, 'jrn_1', []);
    await world.store.forgetJournal('jrn_1');
    await world.recover();
    expect([world.chained(), world.store.journalRows.size]).toEqual([[], 0]);
    expect(world.files.get('jrn_1')?.segments.size).toBe(0);
  });

  it('that was ended but for its files is cleared away', async () => {
    const { file } = await died(world, 'jrn_1', [1]);
    await world.recover();
    world.files.set('jrn_1', file);
    await world.store.putJournal(keys.signRow({ id: 'jrn_1', records: 1, closed: true }));
    await world.recover();
    expect([world.chained(), world.store.journalRows.size, file.segments.size]).toEqual([[1], 0, 0]);
  });
});

describe('a torn end', () => {
  it('is dropped, wherever the crash cut it, and what is whole is not', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2, 3]);
    const whole = file.now();
    const [first = 0, second = 0, third = 0] = ends(whole, 'jrn_1');
    expect(third).toBe(whole.length);
    for (let length = 0; length <= whole.length; length++) {
      world = new JournalWorld();
      const { file: torn } = await died(world, 'jrn_1', []);
      torn.segments.set(1, whole.subarray(0, length));
      await world.recover();
      const expected = [1, 2, 3].slice(0, [first, second, third].filter((end) => end <= length).length);
      expect(world.chained(), `${length} bytes`).toEqual(expected);
      expect(told(world), `${length} bytes`).toEqual([]);
    }
  });

  it.each([1, 0])(
    'that was read, and then written over by a record that is no longer, stops nothing (%i bytes shorter)',
    async (shorter) => {
      const gateway = await world.gateway('jrn_1', { serve: false });
      await gateway.audit.record(event(1));
      const { clock, log, store } = world;
      const scribe = createScribe({ store, key: auditKey(), clock, log });
      const source = gateway.file.source();
      const ingester = new JournalIngester({ journal: 'jrn_1', source, keys, store, scribe });
      const recordBytes = gateway.file.bytes;
      gateway.file.room = recordBytes + shorter;
      const long = { ...event(2), data: { n: 2, text: 'x'.repeat(5_000) } };
      await expect(gateway.audit.record(long)).rejects.toMatchObject({ code: 'audit_unavailable' });
      await ingester.run(1);
      gateway.file.room = Infinity;
      await gateway.audit.record(event(3));
      expect(gateway.file.now()).toHaveLength(2 * recordBytes);
      await ingester.run(2);
      expect(world.chained()).toEqual([1, 3]);
    },
  );

  it('is dropped where the file was made longer and not written', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2]);
    file.segments.set(1, Buffer.concat([file.now(), Buffer.alloc(5_000)]));
    await world.recover();
    expect([world.chained(), told(world)]).toEqual([[1, 2], []]);
  });
});

describe('a long journal', () => {
  it('comes in however many files and transactions that takes', async () => {
    const { file, audit } = await died(world, 'jrn_1', []);
    const count = limits.auditBatchEventsMax * 2 + 100;
    for (let n = 0; n < count; n += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, more) => audit.record(event(n + more))));
      if (n % 700 === 0) file.rotate();
    }
    await world.recover();
    expect(world.chained()).toHaveLength(Math.ceil(count / 100) * 100);
    expect(world.chained()).toEqual(world.chained().map((_, n) => n));
    expect(world.store.transactions).toBe(2);
    expect(await problems(world)).toEqual([]);
  });

  it('is brought in by its gateway, which removes the files that are in the chain and on the disk', async () => {
    const { store } = world;
    const gateway = await world.gateway('jrn_1');
    for (let n = 0; n < 3; n++) {
      await gateway.audit.record(event(n));
      gateway.file.rotate();
    }
    await gateway.audit.append(event(3));
    await settle();
    expect([...gateway.file.segments.keys()]).toEqual([4]);
    expect(store.synced.at(-1)).toBeGreaterThanOrEqual(3);
    await gateway.audit.close();
    await gateway.served;
    expect([gateway.file.segments.size, store.journalRows.size]).toEqual([0, 0]);
  });

  it('keeps a file as long as what it holds is not on the disk elsewhere', async () => {
    const { store } = world;
    const { file, audit } = await died(world, 'jrn_1', [1]);
    file.rotate();
    await audit.record(event(2));
    store.beforeSync = () => Promise.reject(new Error('EIO'));
    await expect(world.recover()).rejects.toThrow('EIO');
    expect([...file.segments.keys()]).toEqual([1, 2]);
    store.beforeSync = async () => {};
    await world.recover();
    expect(world.chained()).toEqual([1, 2]);
  });
});

describe('the end of a journal', () => {
  it('can be gone on with from any step', async () => {
    const { store, clock, log } = world;
    const { file } = await died(world, 'jrn_1', [1]);
    const source = file.source();
    const scribe = createScribe({ store, key: auditKey(), clock, log });
    await scribe.write(A, [{ ...prepared, data: '{"n":1}' }], {
      from: 0,
      row: keys.signRow({ id: 'jrn_1', records: 1, closed: false }),
    });
    // A crash after the row says so and before the files are gone.
    const stopped = {
      ...source,
      remove: () => {
        throw new Error('crash');
      },
    };
    await expect(endJournal({ source: stopped, store, keys }, 'jrn_1', 1)).rejects.toThrow('crash');
    await world.recover();
    expect([world.chained(), told(world), store.journalRows.size]).toEqual([[1], [], 0]);
  });

  it('is on the disk before its files are gone: a loss of power in between is no missing journal', async () => {
    const { store } = world;
    const gateway = await world.gateway('jrn_1');
    await gateway.audit.record(event(1));
    let onDisk = new Map(store.journalRows);
    const sync = store.sync.bind(store);
    store.sync = async () => {
      onDisk = new Map(store.journalRows);
      await sync();
    };
    await gateway.audit.close();
    await gateway.served;
    expect(gateway.file.segments.size).toBe(0);
    // What was not on the disk is gone with the power.
    store.journalRows.clear();
    for (const [id, row] of onDisk) store.journalRows.set(id, row);
    await world.recover();
    expect([world.chained(), told(world), store.journalRows.size]).toEqual([[1], [], 0]);
  });
});

const prepared = {
  at: 1,
  type: 'egress.finished',
  actorKind: 'cell',
  actorId: 'c',
  server: null,
} as const;
