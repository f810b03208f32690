/**
 * Reads a server's log from its files, and goes on as they grow, whichever process writes them. Looks now and then instead
 * of being told: that also works for lines of a gateway that starts later.
 */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../../api/index.ts';
import { limits } from '../../kernel/index.ts';
import { parseLogLine } from './log-line.ts';

const CHUNK_BYTES = 256 * limits.KIB;

/**
 * @param previous where the older lines are
 * @param until aborted when nobody wants more; null: the lines that are there
 */
export async function* readLog(
  path: string,
  previous: string,
  until: AbortSignal | null,
): AsyncGenerator<LogLine> {
  let file = await openGrowing(path);
  try {
    // From now on this file is read to its end, wherever it is moved.
    const older = await olderLines(previous, file);
    const newer = (await file?.read()) ?? [];
    yield* [...older, ...newer].slice(-limits.serverLogLinesMax);
    while (until !== null && !until.aborted) {
      await sleep(limits.serverLogPollMs, undefined, { signal: until }).catch(() => undefined);
      // Looked at first: what is written to the old file until it is replaced is then read below.
      const replaced = file === null || !(await file.isAt(path));
      yield* (await file?.read()) ?? [];
      if (!replaced) continue;
      const next = await openGrowing(path);
      if (next === null) continue;
      await file?.close();
      file = next;
      yield* await file.read();
    }
  } finally {
    await file?.close();
  }
}

async function olderLines(path: string, newest: GrowingFile | null): Promise<LogLine[]> {
  const found = await stat(path).catch(() => null);
  // It may have been moved since it was opened.
  if (found === null || found.ino === newest?.inode) return [];
  return parsed((await readFile(path, 'utf8').catch(() => '')).split('\n'));
}

const parsed = (lines: readonly string[]): LogLine[] =>
  lines.map(parseLogLine).filter((line) => line !== null);

async function openGrowing(path: string): Promise<GrowingFile | null> {
  const handle = await open(path, 'r').catch(() => null);
  return handle === null ? null : new GrowingFile(handle, (await handle.stat()).ino);
}

class GrowingFile {
  readonly inode: number;
  readonly #handle: FileHandle;
  #offset = 0;
  /** The beginning of a line whose end is not there yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(handle: FileHandle, inode: number) {
    this.#handle = handle;
    this.inode = inode;
  }

  async isAt(path: string): Promise<boolean> {
    return (await stat(path).catch(() => null))?.ino === this.inode;
  }

  /** The whole lines since the last time. */
  async read(): Promise<LogLine[]> {
    const found: LogLine[] = [];
    // Somebody emptied it.
    if ((await this.#handle.stat()).size < this.#offset) {
      this.#offset = 0;
      this.#rest = Buffer.alloc(0);
    }
    for (;;) {
      const { bytesRead, buffer } = await this.#handle.read(
        Buffer.alloc(CHUNK_BYTES),
        0,
        CHUNK_BYTES,
        this.#offset,
      );
      if (bytesRead === 0) return found;
      this.#offset += bytesRead;
      const text = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
      const end = text.lastIndexOf('\n') + 1;
      this.#rest = text.subarray(end);
      found.push(...parsed(text.subarray(0, end).toString('utf8').split('\n')));
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
