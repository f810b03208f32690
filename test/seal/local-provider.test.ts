import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock, Secret, systemRandom } from '../../src/kernel/index.ts';
import { createLocalKeyFile, localKeyProvider, parseMasterKey } from '../../src/seal/index.ts';

const random = systemRandom;
const code = (code: string) => expect.objectContaining({ name: 'AppError', code });
const nextTurn = () => new Promise(setImmediate);

let folder: string;
let file: string;
let firstId: string;
let clock: ReturnType<typeof fixedClock>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-seal-'));
  file = join(folder, 'master.key');
  clock = fixedClock(1000);
  firstId = await createLocalKeyFile(file, { random, clock });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = () => localKeyProvider({ file, random, clock });
const yes = async () => true;

describe('the key file provider', () => {
  it('adds a key, keeps the old one, and retires it when it is told that nothing needs it', async () => {
    const provider = open();
    expect(provider.kind).toBe('file');
    clock.advance(500);
    const second = await provider.rotate();
    expect(second.id).not.toBe(firstId);
    expect(await provider.all()).toEqual([
      { id: firstId, createdAt: 1000, current: false },
      { id: second.id, createdAt: 1500, current: true },
    ]);
    expect((await provider.current()).id).toBe(second.id);
    expect((await provider.byId(firstId)).id).toBe(firstId);

    expect(await provider.retire(firstId, async () => false)).toBe(false);
    expect(await provider.retire(second.id, yes)).toBe(false);
    expect(await provider.all()).toHaveLength(2);
    expect(await provider.retire(firstId, yes)).toBe(true);
    expect(await provider.retire(firstId, yes)).toBe(true);
    expect(await provider.all()).toEqual([{ id: second.id, createdAt: 1500, current: true }]);
    expect(await readFile(file, 'latin1')).not.toContain(firstId);
    await expect(provider.byId(firstId)).rejects.toEqual(code('seal_key_unknown'));
  });

  it('finds keys that another process added, and sees that they are current', async () => {
    const reader = open();
    expect((await reader.current()).id).toBe(firstId);
    const { id } = await open().rotate();
    expect((await reader.byId(id)).id).toBe(id);
    expect((await reader.current()).id).toBe(id);
  });

  it('still has a key that another process retired until it looks at the file again', async () => {
    const reader = open();
    await reader.current();
    const writer = open();
    await writer.rotate();
    await writer.retire(firstId, yes);
    expect((await reader.byId(firstId)).id).toBe(firstId);
    await reader.current();
    await expect(reader.byId(firstId)).rejects.toEqual(code('seal_key_unknown'));
  });

  it('zeroes a key that is gone, and no other', async () => {
    const provider = open();
    const first = await provider.current();
    const second = await provider.rotate();
    await provider.retire(firstId, yes);
    await nextTurn();
    expect(() => first.secret.bytes()).toThrow('destroyed');
    expect(second.secret.length).toBe(32);
    await provider.current();
    await nextTurn();
    expect(second.secret.bytes().equals(Buffer.alloc(32))).toBe(false);
  });

  it('loses no key when several rotate at once', async () => {
    const added = await Promise.all([open(), open(), open(), open()].map((provider) => provider.rotate()));
    const ids = (await open().all()).map((key) => key.id);
    expect(ids.toSorted()).toEqual([firstId, ...added.map((key) => key.id)].toSorted());
    expect((await open().all()).filter((key) => key.current)).toHaveLength(1);
  });

  it('lets no key come or go while something is being wrapped', async () => {
    const order: string[] = [];
    const release = Promise.withResolvers<void>();
    const wrapping = open().withCurrent(async (key) => {
      order.push('wrap');
      await release.promise;
      order.push('stored');
      return key.id;
    });
    const other = open();
    const rotating = other.rotate().then(() => order.push('rotated'));
    const retiring = other.retire('mk-0000000000000000', yes).then(() => order.push('retired'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    release.resolve();
    expect(await wrapping).toBe(firstId);
    await Promise.all([rotating, retiring]);
    expect(order).toEqual(['wrap', 'stored', 'rotated', 'retired']);
  });

  it('lets go of the lock when the work fails', async () => {
    const provider = open();
    const failing = provider.withCurrent(async () => {
      throw new Error('store failed');
    });
    await expect(failing).rejects.toThrow('store failed');
    expect((await open().rotate()).id).not.toBe(firstId);
  });
});

describe('the environment provider', () => {
  const current = '01'.repeat(32);
  const previous = '02'.repeat(32);
  const idOf = (text: string) => parseMasterKey(Secret.fromString(text)).id;
  const env = (...older: string[]) =>
    localKeyProvider({
      env: { current: Secret.fromString(current), previous: older.map((text) => Secret.fromString(text)) },
      file,
      random,
      clock,
    });

  it('knows the current and the previous keys, and not the file', async () => {
    const provider = env(previous);
    expect(provider.kind).toBe('env');
    expect((await provider.current()).id).toBe(idOf(current));
    expect((await provider.byId(idOf(previous))).id).toBe(idOf(previous));
    expect(await provider.all()).toEqual([
      { id: idOf(previous), createdAt: 0, current: false },
      { id: idOf(current), createdAt: 0, current: true },
    ]);
    await expect(provider.byId(firstId)).rejects.toEqual(code('seal_key_unknown'));
  });

  it('cannot be changed from within', async () => {
    const provider = env(previous);
    await expect(provider.rotate()).rejects.toEqual(code('seal_master_key_readonly'));
    expect(await provider.retire(idOf(previous), yes)).toBe(false);
    expect(await provider.withCurrent(async (key) => key.id)).toBe(idOf(current));
  });

  it('takes a key that is current and previous for current', async () => {
    expect(await env(current).all()).toEqual([{ id: idOf(current), createdAt: 0, current: true }]);
  });

  it('refuses what is no key', () => {
    const act = () => localKeyProvider({ env: { current: Secret.fromString('changeme') }, random, clock });
    expect(act).toThrow(code('seal_master_key_malformed'));
  });
});

it('has to be told of some key', () => {
  expect(() => localKeyProvider({ random, clock })).toThrow(code('seal_master_key_missing'));
});
