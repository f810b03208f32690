/** Journals that are not what was written: edited, cut, put back, or another's. Each is told of, once. */
import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/kernel/index.ts';
import { A, JournalWorld } from './journal-world.ts';
import { died, ends, event, keys, problems, told } from './left-journal.ts';

let world: JournalWorld;
beforeEach(() => {
  world = new JournalWorld();
});

describe('a journal that is not what was written', () => {
  const expectForged = async (detail: object, chained: readonly number[]): Promise<void> => {
    expect(told(world)).toEqual([detail]);
    expect(world.chained().filter((n) => n !== undefined)).toEqual(chained);
    expect(world.store.journalRows.size).toBe(0);
    expect(await problems(world)).toEqual([`audit_journal_forged ${chained.length + 1}`]);
    expect(world.lines).toEqual(['audit_journal_forged']);
    // It is told once, and what is kept is not looked at again.
    await world.recover();
    expect(told(world)).toHaveLength(1);
  };

  it.each([0, 1, 2])('is told of when record %i was edited', async (edited) => {
    const { file } = await died(world, 'jrn_1', [1, 2, 3]);
    const bytes = Buffer.from(file.now());
    const at = (ends(bytes, 'jrn_1')[edited] ?? 0) - 33;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    file.segments.set(1, bytes);
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'forged', record: edited }, [1, 2, 3].slice(0, edited));
    expect(world.setAside).toEqual(['jrn_1']);
  });

  it('is told of when a record was made to look torn, and genuine ones lie behind it', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2, 3]);
    const bytes = Buffer.from(file.now());
    const [first = 0] = ends(bytes, 'jrn_1');
    bytes.writeUInt32BE(1_000_000, first + 4);
    file.segments.set(1, bytes);
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'forged', record: 1 }, [1]);
  });

  it('is told of, and soon, when what looks torn was filled with what could begin records', async () => {
    const { file } = await died(world, 'jrn_1', [1]);
    // As a crash leaves it, as far as is looked at one time; and then there is no end of what would have to be looked at.
    const zeros = Buffer.alloc(2 * limits.auditJournalBodyBytesMax);
    const begins = Buffer.from('SJ1\n\0\x1f\xff\xff', 'latin1');
    const filled = Buffer.alloc(limits.auditJournalSegmentBytes - zeros.length, begins);
    file.segments.set(1, Buffer.concat([file.now(), zeros, filled]));
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'forged', record: 1 }, [1]);
  });

  it('is told of when a record was cut out', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2, 3]);
    const bytes = file.now();
    const [first = 0, second = 0] = ends(bytes, 'jrn_1');
    file.segments.set(1, Buffer.concat([bytes.subarray(0, first), bytes.subarray(second)]));
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'gap', record: 1 }, [1]);
  });

  it('is told of when its beginning was cut off', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2, 3]);
    const [first = 0] = ends(file.now(), 'jrn_1');
    file.segments.set(1, file.now().subarray(first));
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'gap', record: 0 }, []);
  });

  it('is told of when a record is there twice', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2]);
    const [first = 0] = ends(file.now(), 'jrn_1');
    file.segments.set(1, Buffer.concat([file.now(), file.now().subarray(0, first)]));
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'gap', record: 2 }, [1, 2]);
  });

  it('is told of when a file of it is gone', async () => {
    const { file, audit } = await died(world, 'jrn_1', [1]);
    file.rotate();
    await audit.record(event(2));
    file.rotate();
    await audit.record(event(3));
    file.segments.delete(2);
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'gap', record: 1 }, [1]);
  });

  it('is told of when all of it is gone', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2]);
    file.segments.clear();
    world.files.delete('jrn_1');
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'gap', record: 0 }, []);
  });

  it('is told of when the database does not know it', async () => {
    await died(world, 'jrn_1', [1, 2]);
    await world.store.forgetJournal('jrn_1');
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'row', record: 0 }, []);
    expect(world.setAside).toEqual(['jrn_1']);
  });

  it.each([
    ['to pass over what it holds', { records: 1 }],
    ['to call it ended', { closed: true }],
  ])('is told of when its row was changed %s', async (_what, change) => {
    await died(world, 'jrn_1', [1, 2]);
    const [row] = await world.store.journals();
    if (row === undefined) throw new Error('no row');
    await world.store.putJournal({ ...row, ...change });
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'row', record: 0 }, []);
  });

  it('is told of when it is that of another home', async () => {
    const { file } = await died(world, 'jrn_1', [1]);
    world = new JournalWorld();
    await died(world, 'jrn_2', []);
    world.files.set('jrn_2', file);
    await world.recover();
    await expectForged({ journal: 'jrn_2', fault: 'forged', record: 0 }, []);
  });

  it('is told of when an old one is put back', async () => {
    const { file } = await died(world, 'jrn_1', [1, 2]);
    const copy = new Map(file.segments);
    await world.recover();
    for (const [segment, bytes] of copy) file.segments.set(segment, bytes);
    world.files.set('jrn_1', file);
    await world.recover();
    await expectForged({ journal: 'jrn_1', fault: 'row', record: 0 }, [1, 2]);
  });

  it.each(['../gateway', '/tmp/else', 'jrn_1\0', `jrn_${'1'.repeat(100_000)}`])(
    'is told of when its name is none that a journal here has: %.20s',
    async (name) => {
      await world.store.putJournal(keys.signRow({ id: name, records: 0, closed: false }));
      const touched: string[] = [];
      for (const deed of ['source', 'claim', 'setAside'] as const) {
        const usual = world.folder[deed];
        Object.assign(world.folder, {
          [deed](id: string) {
            touched.push(id);
            return usual(id);
          },
        });
      }
      await world.recover();
      expect(touched).toEqual([]);
      await expectForged({ journal: name.slice(0, 64), fault: 'row', record: 0 }, []);
    },
  );

  it('stops the gateway that writes it when an older row is put back, which would bring events in twice', async () => {
    const gateway = await world.gateway('jrn_1');
    await gateway.audit.record(event(1));
    const [row] = await world.store.journals();
    await gateway.audit.append(event(2));
    if (row === undefined) throw new Error('no row');
    await world.store.putJournal(row);
    await expect(gateway.audit.append(event(3))).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect((await gateway.audit.verify(A)).problems).toMatchObject([{ code: 'audit_journal_forged' }]);
    await gateway.audit.close();
    expect(world.chained()).toEqual([1, 2]);
  });

  it('does not keep the others from coming in', async () => {
    const { file } = await died(world, 'jrn_1', [1]);
    file.segments.set(1, Buffer.from('not a journal'));
    await died(world, 'jrn_2', [2, 3]);
    await world.recover();
    expect(world.chained()).toEqual([undefined, 2, 3]);
  });

  it('stops the gateway that writes it', async () => {
    const gateway = await world.gateway('jrn_1');
    await gateway.audit.record(event(1));
    const bytes = Buffer.from(gateway.file.now());
    bytes[30] = (bytes[30] ?? 0) ^ 1;
    gateway.file.segments.set(1, bytes);
    expect((await gateway.audit.verify(A)).problems).toMatchObject([{ code: 'audit_journal_forged' }]);
    await expect(gateway.audit.record(event(2))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_journal_forged' },
    });
    await gateway.audit.close();
    expect(world.chained()).toEqual([]);
    await world.recover();
    expect(told(world)).toEqual([{ journal: 'jrn_1', fault: 'forged', record: 0 }]);
  });
});
