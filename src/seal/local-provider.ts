/**
 * Master keys kept on this machine: in a key file, or in the environment. It trusts the file only when nobody but
 * its owner can touch it, and a key only when its bytes have the name that they go by.
 */
import { AppError, type Clock, type Random, type Secret } from '../kernel/index.ts';
import { readKeyFile, type StoredMasterKey, writeKeyFile } from './key-file.ts';
import { keyFileLock } from './key-file-lock.ts';
import type { KeyProvider, SealingKey } from './keys.ts';
import { newMasterKey, parseMasterKey } from './master-key.ts';
import { keyUnknown, masterKeyMissing } from './seal-error.ts';

export interface LocalKeyOptions {
  /** Path of a key file made by `createLocalKeyFile`. Not looked at when `env` is given. */
  readonly file?: string;
  /** Keys as text, from SALLYPORT_MASTER_KEY and SALLYPORT_MASTER_KEY_PREVIOUS or their `_FILE` forms. */
  readonly env?: { readonly current: Secret; readonly previous?: readonly Secret[] };
  readonly random: Random;
  readonly clock: Clock;
}

/** @throws AppError `seal_master_key_missing`, `seal_master_key_malformed` */
export function localKeyProvider(options: LocalKeyOptions): KeyProvider {
  if (options.env !== undefined) return envKeyProvider(options.env.current, options.env.previous ?? []);
  if (options.file !== undefined) return fileKeyProvider(options.file, options.random, options.clock);
  throw masterKeyMissing(
    'No master key is configured.',
    'Run `sallyport init`, or set SALLYPORT_MASTER_KEY or SALLYPORT_MASTER_KEY_FILE.',
  );
}

/**
 * Makes a key file with one new key, mode 0600, durable on return.
 *
 * @returns the new key's id
 * @throws AppError `seal_master_key_exists`, `seal_master_key_file_unwritable`
 */
export async function createLocalKeyFile(
  path: string,
  options: { readonly random: Random; readonly clock: Clock },
): Promise<string> {
  const key = newMasterKey(options.random);
  try {
    const stored = { key, createdAt: options.clock.now(), current: true };
    await keyFileLock(path).run(() => writeKeyFile(path, [stored], { create: true }));
    return key.id;
  } finally {
    key.secret.destroy();
  }
}

function envKeyProvider(currentText: Secret, previousTexts: readonly Secret[]): KeyProvider {
  const current = parseMasterKey(currentText);
  const keys = new Map(previousTexts.map(parseMasterKey).map((key) => [key.id, key]));
  // Last, so that `all` lists it as the newest, and so that it stays current if it is among the previous ones too.
  keys.delete(current.id);
  keys.set(current.id, current);
  return {
    kind: 'env',
    current: async () => current,
    byId: async (id) => {
      const key = keys.get(id);
      if (key === undefined) throw keyUnknown(id);
      return key;
    },
    all: async () => [...keys.values()].map(({ id }) => ({ id, createdAt: 0, current: id === current.id })),
    // Keys come and go with the process here: none can be retired while this one runs.
    withCurrent: (work) => work(current),
    rotate: async () => {
      throw new AppError(
        'seal_master_key_readonly',
        'The master key comes from the environment, which Sallyport cannot change.',
        {
          kind: 'conflict',
          hint: 'Set SALLYPORT_MASTER_KEY to a new key and SALLYPORT_MASTER_KEY_PREVIOUS to the old one, restart, and run `sallyport key rotate` again.',
        },
      );
    },
    retire: async () => false,
  };
}

function fileKeyProvider(path: string, random: Random, clock: Clock): KeyProvider {
  const lock = keyFileLock(path);
  let held = new Map<string, StoredMasterKey>();

  // One reading after the other: an older content can then never replace a newer one.
  let reading: Promise<unknown> = Promise.resolve();
  const refresh = (): Promise<void> => {
    const mine = reading.then(takeOver);
    reading = mine.catch(() => undefined);
    return mine;
  };
  /** Takes over what the file says now. Keys that stay keep their object, so that what was handed out stays valid. */
  const takeOver = async (): Promise<void> => {
    const read = await readKeyFile(path);
    const next = new Map<string, StoredMasterKey>();
    const dropped: SealingKey[] = [];
    for (const stored of read) {
      const before = held.get(stored.key.id);
      next.set(stored.key.id, before === undefined ? stored : { ...stored, key: before.key });
      if (before !== undefined) dropped.push(stored.key);
    }
    for (const [id, { key }] of held) if (!next.has(id)) dropped.push(key);
    held = next;
    zeroLater(dropped);
  };
  const heldCurrent = (): SealingKey => {
    for (const { key, current } of held.values()) if (current) return key;
    throw new Error('a key file without a current key was accepted');
  };
  const replace = async (keys: readonly StoredMasterKey[]): Promise<void> => {
    await writeKeyFile(path, keys, { create: false });
    await refresh();
  };

  return {
    kind: 'file',
    async current() {
      await refresh();
      return heldCurrent();
    },
    async byId(id) {
      if (!held.has(id)) await refresh();
      const stored = held.get(id);
      if (stored === undefined) throw keyUnknown(id);
      return stored.key;
    },
    async all() {
      await refresh();
      return [...held.values()].map(({ key, createdAt, current }) => ({ id: key.id, createdAt, current }));
    },
    withCurrent: (work) =>
      lock.run(async () => {
        await refresh();
        return work(heldCurrent());
      }),
    rotate: () =>
      lock.run(async () => {
        await refresh();
        const before = [...held.values()].map((stored) => ({ ...stored, current: false }));
        const key = newMasterKey(random);
        await replace([...before, { key, createdAt: clock.now(), current: true }]);
        zeroLater([key]);
        return heldCurrent();
      }),
    retire: (id, unused) =>
      lock.run(async () => {
        await refresh();
        const stored = held.get(id);
        if (stored === undefined) return true;
        if (stored.current || !(await unused())) return false;
        await replace([...held.values()].filter(({ key }) => key.id !== id));
        return true;
      }),
  };
}

/** Whoever was handed a key uses it before awaiting anything else: by the next turn of the event loop nobody needs it. */
function zeroLater(keys: readonly SealingKey[]): void {
  setImmediate(() => {
    for (const key of keys) key.secret.destroy();
  });
}
