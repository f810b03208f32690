/**
 * The sender of JSON Lines into a file. The file itself shows how far it goes: what stands in it is not written again, half a line
 * of a process that was killed is removed, and a batch is in it whole or not at all. Opened anew for each batch, so that
 * whoever rotates files may move it away.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { batchLines, type Position, reachedIn, type Sender } from '../../delivery/index.ts';
import { AppError, limits, type WorkspaceId } from '../../kernel/index.ts';

/** What is looked at of a file's end: more than one batch. */
const TAIL_BYTES = 4 * limits.MIB;

export const fileSender = (path: string, workspace: WorkspaceId): Sender => ({
  async send(batch) {
    await inFile(path, 'a+', async (file) => {
      const { size } = await file.stat();
      try {
        await file.appendFile(batchLines(batch).join(''));
        await file.sync();
      } catch (error) {
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    });
    return { rejected: 0 };
  },
  reached: () =>
    inFile(path, 'r+', async (file): Promise<Position | null> => {
      const { size } = await file.stat();
      const from = Math.max(0, size - TAIL_BYTES);
      const tail = Buffer.alloc(size - from);
      const { bytesRead } = await file.read(tail, 0, tail.length, from);
      const end = tail.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
      if (end < bytesRead) await file.truncate(from + end);
      return reachedIn(tail.subarray(0, end).toString('utf8'), workspace);
    }).catch((error: unknown) => {
      if (error instanceof AppError && error.detail?.['reason'] === 'ENOENT') return null;
      throw error;
    }),
});

/** @throws AppError `delivery_file_failed` */
async function inFile<T>(path: string, flags: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, flags, 0o600);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    const reason =
      typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown';
    throw new AppError('delivery_file_failed', `${path} cannot be written: ${reason}.`, {
      kind: 'failed',
      hint: 'Make room, or let the user that Sallyport runs as write there.',
      detail: { reason },
      cause: error,
    });
  }
}
