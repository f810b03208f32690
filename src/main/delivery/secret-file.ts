/** Secrets of deliveries: in files of the owner's, read each time, so that a new one holds from the next batch on. */
import { open } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { AppError, limits, Secret } from '../../kernel/index.ts';

export const inHome = (home: string, path: string): string => (isAbsolute(path) ? path : join(home, path));

/** @throws AppError `delivery_secret_unreadable`, `delivery_secret_exposed` where others may read it, too */
export async function readSecretFile(path: string): Promise<Secret> {
  const bytes = await bytesOf(path);
  const text = bytes.toString('utf8').trim();
  bytes.fill(0);
  if (text === '') throw unreadable(path, 'it is empty');
  return Secret.fromString(text);
}

async function bytesOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, codeOf(error));
  });
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o007) !== 0)
      throw new AppError('delivery_secret_exposed', `Everybody on this machine may read ${path}.`, {
        kind: 'failed',
        hint: `Run: chmod 600 ${path}`,
      });
    if (size > limits.deliverySecretFileBytesMax) throw unreadable(path, 'it is too long');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown error';

const unreadable = (path: string, why: string): AppError =>
  new AppError('delivery_secret_unreadable', `The secret in ${path} cannot be used: ${why}.`, {
    kind: 'failed',
    hint: 'sallyport.yaml names that file; see docs/audit-exports.md.',
  });
