/**
 * The audit journals of a home, in a folder of their own: `<id>.<segment>` for each file of a journal, `<id>.lock` that
 * the gateway which writes it has locked for as long as it lives, and `lock` for whoever begins a journal or takes one
 * over. Ids begin with the time, so that their order is that of their beginnings.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalFile, JournalFolder } from '../audit/index.ts';
import { AppError, type Clock, limits, type Random } from '../kernel/index.ts';
import { lockFile } from '../seal/index.ts';
import { openJournalFile, segmentName, segmentsOf, sourceIn } from './journal-file.ts';

const LOCK = 'lock';
const LOCK_RETRY_MS = 20;
const ID = /^\d{15}-[0-9a-f]{16}$/;
const SEGMENT = /^(\d{15}-[0-9a-f]{16})\.\d{6}$/;
const REJECTED = '.rejected';

/** A journal of this process. */
export interface OwnJournal {
  readonly id: string;
  readonly file: JournalFile;
  /** Gives it to whoever opens the home next; nothing is left behind where the journal was ended. */
  release(): void;
}

export interface HomeJournals extends JournalFolder {
  /** Whether nobody ever began a journal here. */
  readonly isUnused: boolean;
  /** Runs `work` while no other process begins a journal or takes one over. @throws AppError `audit_journal_busy` */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Begins one. Only in `alone`. */
  begin(clock: Clock, random: Random): OwnJournal;
}

export function homeJournals(folder: string): HomeJournals {
  const lockOf = (journal: string): string => join(folder, `${journal}.lock`);
  const names = (): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);

  /** A lock file goes with its lock, which nobody waits for: whoever gets it looks at what there is to do first. */
  function claim(journal: string): { release(): void } | null {
    const unlock = lockFile(lockOf(journal));
    if (unlock === null) return null;
    return {
      release() {
        if (segmentsOf(folder, journal).length === 0) rmSync(lockOf(journal), { force: true });
        unlock();
      },
    };
  }

  return {
    get isUnused() {
      return !existsSync(folder);
    },

    async alone(work) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
      const unlock = await lockInTime(join(folder, LOCK));
      try {
        return await work();
      } finally {
        unlock();
      }
    },

    begin(clock, random) {
      const time = String(Math.floor(clock.now())).padStart(15, '0');
      const id = `${time}-${random.bytes(8).toString('hex')}`;
      const held = claim(id);
      if (held === null) throw new Error('a new journal is locked already');
      return { id, file: openJournalFile(folder, id), release: () => held.release() };
    },

    isName: (journal) => ID.test(journal),
    journals: () => [...new Set(names().flatMap((name) => SEGMENT.exec(name)?.[1] ?? []))].toSorted(),
    source: (journal) => sourceIn(folder, journal),
    claim,

    setAside(journal) {
      const segments = segmentsOf(folder, journal);
      for (const segment of segments) {
        const name = segmentName(journal, segment);
        renameSync(join(folder, name), join(folder, `${name}${REJECTED}`));
      }
      return segments.length === 0 ? null : `${journal}.*${REJECTED}`;
    },
  };
}

/** Tries again and again rather than letting SQLite wait, which would stop the event loop. */
async function lockInTime(path: string): Promise<() => void> {
  for (let waitedMs = 0; ; waitedMs += LOCK_RETRY_MS) {
    const unlock = lockFile(path);
    if (unlock !== null) return unlock;
    if (waitedMs >= limits.auditJournalLockWaitMs) {
      throw new AppError(
        'audit_journal_busy',
        'Another process has been taking over audit journals for too long.',
        {
          kind: 'unavailable',
          hint: 'Try again; if it stays so, see which other `sallyport` command is still running.',
        },
      );
    }
    await sleep(LOCK_RETRY_MS);
  }
}
