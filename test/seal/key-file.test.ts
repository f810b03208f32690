import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock, Secret, systemRandom } from '../../src/kernel/index.ts';
import { createLocalKeyFile, localKeyProvider, parseMasterKey } from '../../src/seal/index.ts';

const clock = fixedClock(1_764_000_000_000);
const random = systemRandom;
/** Thirty-two bytes 07. Its name is pinned: envelopes on disks go by it. */
const KEY_HEX = '07'.repeat(32);
const KEY_ID = 'mk-c15cf11a9b2ddfdd';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-seal-'));
  file = join(folder, 'master.key');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const provider = () => localKeyProvider({ file, random, clock });
const put = (content: string | Buffer) => writeFile(file, content, { mode: 0o600 });
const code = (code: string) => expect.objectContaining({ name: 'AppError', code });

describe('a key file', () => {
  it('is made with mode 0600 and one key, and nothing lies beside it but its lock', async () => {
    const id = await createLocalKeyFile(file, { random, clock });
    expect((await stat(file)).mode & 0o7777).toBe(0o600);
    // Whoever can read the lock can hold it for ever.
    expect((await stat(`${file}.lock`)).mode & 0o7777).toBe(0o600);
    expect(await readFile(file, 'latin1')).toMatch(
      new RegExp(`^sallyport-master-keys 1\ncurrent ${id} 1764000000000 [0-9a-f]{64}\n$`),
    );
    expect((await readdir(folder)).sort()).toEqual(['master.key', 'master.key.lock']);
    expect(await provider().all()).toEqual([{ id, createdAt: 1_764_000_000_000, current: true }]);
  });

  it('has the mode whatever the umask', async () => {
    const before = process.umask(0o377);
    try {
      await createLocalKeyFile(file, { random, clock });
    } finally {
      process.umask(before);
    }
    expect((await stat(file)).mode & 0o7777).toBe(0o600);
  });

  it('is never made over another', async () => {
    await put('precious');
    await expect(createLocalKeyFile(file, { random, clock })).rejects.toEqual(code('seal_master_key_exists'));
    expect(await readFile(file, 'latin1')).toBe('precious');
    expect(await readdir(folder)).not.toContain('master.key.new');
  });

  it('is not made where there is no folder, or something is in the way', async () => {
    const nowhere = join(folder, 'nowhere', 'master.key');
    await expect(createLocalKeyFile(nowhere, { random, clock })).rejects.toEqual(
      code('seal_master_key_file_unwritable'),
    );
    await mkdir(join(folder, 'master.key.new', 'in the way'), { recursive: true });
    await expect(createLocalKeyFile(file, { random, clock })).rejects.toEqual(
      code('seal_master_key_file_unwritable'),
    );
  });

  it('is read as documented', async () => {
    const older = parseMasterKey(Secret.fromString('11'.repeat(32))).id;
    await put(
      `sallyport-master-keys 1\nprevious ${older} 5 ${'11'.repeat(32)}\ncurrent ${KEY_ID} 9 ${KEY_HEX}\n`,
    );
    expect(await provider().all()).toEqual([
      { id: older, createdAt: 5, current: false },
      { id: KEY_ID, createdAt: 9, current: true },
    ]);
    const current = await provider().current();
    expect(current.id).toBe(KEY_ID);
    expect(current.secret.bytes().toString('hex')).toBe(KEY_HEX);
    expect((await provider().byId(older)).secret.bytes().toString('hex')).toBe('11'.repeat(32));
  });

  it.each([0o640, 0o604, 0o660, 0o644, 0o601, 0o777])('is refused with mode %o', async (mode) => {
    await createLocalKeyFile(file, { random, clock });
    await chmod(file, mode);
    await expect(provider().current()).rejects.toEqual(
      expect.objectContaining({ code: 'seal_master_key_file_mode', hint: `chmod 600 ${file}` }),
    );
  });

  it('may be read-only for its owner', async () => {
    const id = await createLocalKeyFile(file, { random, clock });
    await chmod(file, 0o400);
    expect((await provider().current()).id).toBe(id);
  });

  it.runIf(process.geteuid?.() === 0)('is refused when it belongs to somebody else', async () => {
    await createLocalKeyFile(file, { random, clock });
    await chown(file, 12_345, 12_345);
    await expect(provider().current()).rejects.toEqual(code('seal_master_key_file_owner'));
  });

  it('is missed', async () => {
    await expect(provider().current()).rejects.toEqual(code('seal_master_key_missing'));
    await expect(provider().byId(KEY_ID)).rejects.toEqual(code('seal_master_key_missing'));
    await expect(provider().all()).rejects.toEqual(code('seal_master_key_missing'));
    await expect(provider().rotate()).rejects.toEqual(code('seal_master_key_missing'));
  });

  it('is no folder, and no link that leads nowhere', async () => {
    await expect(localKeyProvider({ file: folder, random, clock }).current()).rejects.toEqual(
      code('seal_master_key_file_malformed'),
    );
    await symlink(join(folder, 'nowhere'), file);
    await expect(provider().current()).rejects.toEqual(code('seal_master_key_missing'));
  });

  const good = `current ${KEY_ID} 9 ${KEY_HEX}\n`;
  const head = 'sallyport-master-keys 1\n';
  it.each<[string, string | Buffer]>([
    ['empty', ''],
    ['only the first line', head],
    ['another format', `sallyport-master-keys 2\n${good}`],
    ['no first line', good],
    ['random bytes', Buffer.from('9f8e7d00ff0a41', 'hex')],
    ['a last line cut short', `${head}${good.slice(0, -1)}`],
    ['a key cut short', `${head}current ${KEY_ID} 9 ${KEY_HEX.slice(2)}\n`],
    ['upper-case hex', `${head}current ${KEY_ID} 9 ${'AB'.repeat(32)}\n`],
    ['a letter that is no digit', `${head}current ${KEY_ID} 9 ${'0g'.repeat(32)}\n`],
    ['an unknown state', `${head}retired ${KEY_ID} 9 ${KEY_HEX}\n`],
    ['a malformed id', `${head}current mk-XYZ 9 ${KEY_HEX}\n`],
    ['a malformed time', `${head}current ${KEY_ID} -9 ${KEY_HEX}\n`],
    ['an empty line', `${head}\n${good}`],
    ['CRLF', `${head}current ${KEY_ID} 9 ${KEY_HEX}\r\n`],
    ['no current key', `${head}previous ${KEY_ID} 9 ${KEY_HEX}\n`],
    ['two current keys', `${head}${good}${good}`],
    ['a key twice', `${head}${good}previous ${KEY_ID} 9 ${KEY_HEX}\n`],
    ['64 KiB and more', `${head}${good}${'x'.repeat(64 * 1024)}`],
  ])('is refused as damaged: %s', async (_what, content) => {
    await put(content);
    await expect(provider().current()).rejects.toEqual(code('seal_master_key_file_malformed'));
  });

  it('is refused when a key does not have the name that stands beside it', async () => {
    await put(`${head}current ${KEY_ID} 9 ${'08'.repeat(32)}\n`);
    await expect(provider().current()).rejects.toEqual(code('seal_master_key_wrong'));
  });

  it('is refused with any one digit of the key changed', async () => {
    const start = head.length + `current ${KEY_ID} 9 `.length;
    for (let at = 0; at < 64; at += 7) {
      const content = Buffer.from(head + good, 'latin1');
      content[start + at] = content[start + at] === 0x30 ? 0x31 : 0x30;
      await put(content);
      await expect(provider().current()).rejects.toEqual(code('seal_master_key_wrong'));
    }
  });

  it('never shows a key in what it throws', async () => {
    await put(`${head}current ${KEY_ID} x ${KEY_HEX}\n`);
    const error: unknown = await provider()
      .current()
      .catch((caught: unknown) => caught);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('0707');
  });
});

describe('a master key as text', () => {
  it.each([
    ['hex', KEY_HEX],
    ['hex in upper case', 'AB'.repeat(32)],
    ['hex and a line end', `${KEY_HEX}\n`],
    ['base64', Buffer.alloc(32, 0xfb).toString('base64')],
    ['base64url', Buffer.alloc(32, 0xfb).toString('base64url')],
  ])('is taken as %s', (_what, text) => {
    expect(parseMasterKey(Secret.fromString(text)).secret.length).toBe(32);
  });

  it('has the pinned name', () => {
    expect(parseMasterKey(Secret.fromString(KEY_HEX)).id).toBe(KEY_ID);
    expect(parseMasterKey(Secret.fromString(Buffer.alloc(32, 7).toString('base64'))).id).toBe(KEY_ID);
  });

  it.each(['', 'changeme', '07'.repeat(31), '07'.repeat(33), 'zz'.repeat(32), `${'A'.repeat(42)}==`])(
    'is refused and not repeated: %j',
    (text) => {
      const act = () => parseMasterKey(Secret.fromString(text));
      expect(act).toThrow(code('seal_master_key_malformed'));
      expect(act).toThrow('The master key is not 32 bytes in hex or base64.');
    },
  );
});
