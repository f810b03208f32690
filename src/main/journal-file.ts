/** The files of an audit journal: appended to by the thread that records, read by the one that brings it into the chain. */
import {
  closeSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { JournalFile, JournalSource } from '../audit/index.ts';

const OWNER_ONLY = 0o600;
const DIGITS = 6;

const flushFile = promisify(fdatasync);
const flushFolder = promisify(fsync);

export const segmentName = (journal: string, segment: number): string =>
  `${journal}.${String(segment).padStart(DIGITS, '0')}`;

/** In order. */
export function segmentsOf(folder: string, journal: string): readonly number[] {
  const numbers = readdirSync(folder).flatMap((name) => {
    const number = name.slice(journal.length + 1);
    return name.startsWith(`${journal}.`) && /^\d{6}$/.test(number) ? [Number(number)] : [];
  });
  return numbers.toSorted((a, b) => a - b);
}

/** A new journal. @throws what the operating system says */
export function openJournalFile(folder: string, journal: string): JournalFile {
  let segment = 1;
  let current = openSync(join(folder, segmentName(journal, segment)), 'ax', OWNER_ONLY);
  let bytes = 0;
  /** Whether a failed write may have left something behind the last record. */
  let isTorn = false;
  /** Segments that were written to, and are not on the disk yet. */
  let unsynced: number[] = [];
  /** Whether the folder has a name that is not on the disk yet. */
  let isNew = true;

  async function sync(): Promise<void> {
    const former = unsynced;
    const wasNew = isNew;
    unsynced = [];
    isNew = false;
    try {
      for (const descriptor of [...former, current]) await flushFile(descriptor);
      if (wasNew) await syncFolder(folder);
    } catch (error) {
      isNew ||= wasNew;
      unsynced = [...former, ...unsynced];
      throw error;
    }
    for (const descriptor of former) closeSync(descriptor);
  }

  return {
    get bytes() {
      return bytes;
    },

    append(record) {
      if (isTorn) ftruncateSync(current, bytes);
      isTorn = true;
      if (writeSync(current, record) !== record.length) {
        throw Object.assign(new Error('the disk took a part of it only'), { code: 'ENOSPC' });
      }
      isTorn = false;
      bytes += record.length;
    },

    rotate() {
      if (isTorn) ftruncateSync(current, bytes);
      const next = openSync(join(folder, segmentName(journal, segment + 1)), 'ax', OWNER_ONLY);
      unsynced.push(current);
      [current, bytes, isTorn, isNew] = [next, 0, false, true];
      segment += 1;
    },

    sync,

    close() {
      for (const descriptor of [...unsynced, current]) closeSync(descriptor);
      unsynced = [];
    },
  };
}

async function syncFolder(folder: string): Promise<void> {
  const descriptor = openSync(folder, 'r');
  try {
    await flushFolder(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export function sourceIn(folder: string, journal: string): JournalSource {
  return {
    segments: () => segmentsOf(folder, journal),
    read(segment, offset, length) {
      const descriptor = openSync(join(folder, segmentName(journal, segment)), 'r');
      try {
        const there = Math.max(0, fstatSync(descriptor).size - offset);
        const bytes = Buffer.allocUnsafe(Math.min(length, there));
        return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, offset));
      } finally {
        closeSync(descriptor);
      }
    },
    remove(segment) {
      rmSync(join(folder, segmentName(journal, segment)), { force: true });
    },
  };
}
