/**
 * The master key file: what it looks like, who may be able to read it, and how it is replaced.
 *
 *     sallyport-master-keys 1
 *     previous mk-1c0f…  1764000000000 <64 hex digits>
 *     current  mk-93ab…  1766000000000 <64 hex digits>
 *
 * One key per line, oldest first, single spaces between state, id, time of creation (milliseconds since the
 * Unix epoch) and key, every line ended by LF; exactly one key is current. Whoever can read the file can open
 * the vault, so a file that others can read is refused, not used.
 */
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, limits, Secret } from '../kernel/index.ts';
import type { SealingKey } from './keys.ts';
import { nameMasterKey } from './master-key.ts';
import { masterKeyMissing, masterKeyUnwritable, masterKeyWrong } from './seal-error.ts';
import { KEY_BYTES } from './suites.ts';

const FIRST_LINE = 'sallyport-master-keys 1';
/** Everything of a line but the key, which must not become a string. */
const LINE_HEAD = /^(current|previous) (mk-[0-9a-f]{16}) (\d{1,15}) $/;
const KEY_HEX_BYTES = 2 * KEY_BYTES;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;
const LF = 0x0a;

export interface StoredMasterKey {
  readonly key: SealingKey;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly current: boolean;
}

/**
 * Reads a key file. The caller owns the keys.
 *
 * @throws AppError `seal_master_key_missing`, `seal_master_key_file_mode`, `seal_master_key_file_owner`,
 *   `seal_master_key_file_malformed`, `seal_master_key_wrong`
 */
export async function readKeyFile(path: string): Promise<readonly StoredMasterKey[]> {
  const handle = await openKeyFile(path);
  try {
    await checkAccess(handle, path);
    const bytes = Buffer.alloc(limits.masterKeyFileBytesMax + 1);
    try {
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
      if (bytesRead > limits.masterKeyFileBytesMax) throw malformedFile(path, 0, 'it is too long');
      return parseKeyFile(bytes.subarray(0, bytesRead), path);
    } finally {
      bytes.fill(0);
    }
  } finally {
    await handle.close();
  }
}

async function openKeyFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') {
      throw masterKeyMissing(
        `There is no master key file at ${path}.`,
        'Put back the copy of the file that belongs to this vault: nothing in it opens without. A new vault needs a new home.',
      );
    }
    throw new AppError('seal_master_key_file_unreadable', `The master key file ${path} cannot be read.`, {
      kind: 'failed',
      hint: 'It must be a file that the user who runs Sallyport owns.',
      cause,
    });
  }
}

/** Asks the open file, not the path, which may point elsewhere a moment later. */
async function checkAccess(handle: FileHandle, path: string): Promise<void> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw malformedFile(path, 0, 'it is not a regular file');
  const user = process.geteuid?.();
  if (user !== undefined && stat.uid !== user) {
    throw new AppError(
      'seal_master_key_file_owner',
      `The master key file ${path} belongs to user id ${stat.uid}, not to ${user}, who runs Sallyport.`,
      { kind: 'failed', hint: `Run Sallyport as the file's owner, or: chown ${user} ${path}` },
    );
  }
  if ((stat.mode & OTHERS) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
    throw new AppError(
      'seal_master_key_file_mode',
      `The master key file ${path} has mode ${mode}: others than its owner can get at it.`,
      { kind: 'failed', hint: `chmod 600 ${path}` },
    );
  }
}

function parseKeyFile(bytes: Buffer, path: string): readonly StoredMasterKey[] {
  const keys: StoredMasterKey[] = [];
  try {
    let line = 1;
    let at = FIRST_LINE.length + 1;
    if (bytes.toString('latin1', 0, at) !== `${FIRST_LINE}\n`)
      throw malformedFile(path, line, 'unknown format');
    while (at < bytes.length) {
      line += 1;
      const end = bytes.indexOf(LF, at);
      if (end === -1) throw malformedFile(path, line, 'the line does not end');
      keys.push(parseKeyLine(bytes.subarray(at, end), path, line));
      at = end + 1;
    }
    if (keys.filter((key) => key.current).length !== 1)
      throw malformedFile(path, 0, 'not exactly one current key');
    if (new Set(keys.map((key) => key.key.id)).size !== keys.length)
      throw malformedFile(path, 0, 'a key is there twice');
    return keys;
  } catch (error) {
    for (const { key } of keys) key.secret.destroy();
    throw error;
  }
}

function parseKeyLine(bytes: Buffer, path: string, line: number): StoredMasterKey {
  const keyAt = bytes.length - KEY_HEX_BYTES;
  const [, state, id, createdAt] = LINE_HEAD.exec(bytes.toString('latin1', 0, Math.max(0, keyAt))) ?? [];
  const secret = decodeHex(bytes.subarray(Math.max(0, keyAt)));
  if (state === undefined || id === undefined || createdAt === undefined || secret === null) {
    throw malformedFile(path, line, 'not `state id created-at key`');
  }
  const key = nameMasterKey(secret);
  if (key.id !== id) {
    secret.destroy();
    throw masterKeyWrong(
      `Line ${line} of the master key file ${path} holds another key than ${id}, which it names.`,
      id,
    );
  }
  return { key, createdAt: Number(createdAt), current: state === 'current' };
}

/** Digit by digit, so that the key is at no time a string, which could not be zeroed. */
function decodeHex(digits: Buffer): Secret | null {
  const bytes = Buffer.alloc(KEY_BYTES);
  for (let i = 0; i < KEY_BYTES; i++) {
    const high = hexValue(digits[2 * i]);
    const low = hexValue(digits[2 * i + 1]);
    if (high < 0 || low < 0) {
      bytes.fill(0);
      return null;
    }
    bytes[i] = high * 16 + low;
  }
  return Secret.fromBytes(bytes);
}

function hexValue(digit: number | undefined): number {
  if (digit === undefined) return -1;
  if (digit >= 0x30 && digit <= 0x39) return digit - 0x30;
  if (digit >= 0x61 && digit <= 0x66) return digit - 0x61 + 10;
  return -1;
}

const HEX_DIGITS = Buffer.from('0123456789abcdef', 'latin1');

function formatKeyFile(keys: readonly StoredMasterKey[]): Buffer {
  const lines = [Buffer.from(`${FIRST_LINE}\n`, 'latin1')];
  for (const { key, createdAt, current } of keys) {
    const head = Buffer.from(`${current ? 'current' : 'previous'} ${key.id} ${createdAt} `, 'latin1');
    const line = Buffer.alloc(head.length + KEY_HEX_BYTES + 1);
    let at = head.copy(line);
    for (const byte of key.secret.bytes()) {
      line[at++] = HEX_DIGITS[byte >> 4] ?? 0;
      line[at++] = HEX_DIGITS[byte & 15] ?? 0;
    }
    line[at] = LF;
    lines.push(line);
  }
  const file = Buffer.concat(lines);
  for (const line of lines) line.fill(0);
  return file;
}

/**
 * Puts a new content in the file's place: durable on return, and at every moment either the old content or the
 * new one is there, whole. The caller holds the file's lock, or `create` is set.
 *
 * @throws AppError `seal_master_key_file_unwritable`; with `create`, `seal_master_key_exists`
 */
export async function writeKeyFile(
  path: string,
  keys: readonly StoredMasterKey[],
  options: { readonly create: boolean },
): Promise<void> {
  const temporary = `${path}.new`;
  const content = formatKeyFile(keys);
  try {
    // What a killed process left. Only the holder of the lock writes here.
    await unlinkIfThere(temporary);
    await writeDurably(temporary, content);
    if (options.create) {
      await link(temporary, path);
      await unlink(temporary);
    } else {
      await rename(temporary, path);
    }
    await syncFolder(dirname(path));
  } catch (cause) {
    // The first failure is the one to report.
    await unlinkIfThere(temporary).catch(() => undefined);
    if (options.create && errnoOf(cause) === 'EEXIST') {
      throw new AppError('seal_master_key_exists', `There is a master key file at ${path} already.`, {
        kind: 'conflict',
        hint: 'It may be the only key to a vault: move it away yourself if you are sure.',
      });
    }
    throw masterKeyUnwritable(path, cause);
  } finally {
    content.fill(0);
  }
}

async function writeDurably(path: string, content: Buffer): Promise<void> {
  const handle = await open(path, 'wx', OWNER_ONLY);
  try {
    // The mode given to open() is narrowed by the umask, never widened; a umask of 0377 would lock the owner out.
    await handle.chmod(OWNER_ONLY);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A rename is durable when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** @param line 0 for the file as a whole */
function malformedFile(path: string, line: number, reason: string): AppError {
  return new AppError(
    'seal_master_key_file_malformed',
    `The master key file ${path} is damaged${line === 0 ? '' : ` in line ${line}`}: ${reason}.`,
    { kind: 'failed', hint: 'Put back an unchanged copy of it.' },
  );
}
