/**
 * Which of its limits a cell's program met its end at, told from its signal and from what its runtime says last. Pure.
 *
 * The words are the program's own: one that lies about them fools its own user about why it ended, and nobody else.
 * Without a control group the kernel refuses and the program decides what then: these words are all there is to go by.
 */
import { limits } from '../kernel/index.ts';
import type { CellLimits } from '../manifest/index.ts';
import type { AppliedLimits } from './cell-limits.ts';

export type LimitKind = 'memory' | 'processes' | 'cpu' | 'openFiles' | 'disk';

export interface LimitHit {
  readonly kind: LimitKind;
  /** With its size: `memory limit 512 MiB`. */
  readonly text: string;
  /** Where a manifest says it. */
  readonly setting: `limits.${keyof CellLimits}`;
}

const settings = {
  memory: 'limits.memoryMiB',
  processes: 'limits.processes',
  cpu: 'limits.cpus',
  openFiles: 'limits.openFiles',
  disk: 'limits.diskMiB',
} as const;

export function limitHit(kind: LimitKind, applied: AppliedLimits): LimitHit {
  return { kind, text: limitText(kind, applied), setting: settings[kind] };
}

function limitText(kind: LimitKind, applied: AppliedLimits): string {
  switch (kind) {
    case 'memory':
      return `memory limit ${applied.memoryBytes / limits.MIB} MiB`;
    case 'processes':
      return `process limit ${applied.processes}`;
    case 'cpu':
      return `CPU limit ${applied.cpus}`;
    case 'openFiles':
      return `open file limit ${applied.openFiles}`;
    case 'disk':
      break;
  }
  return `disk limit ${applied.diskBytes / limits.MIB} MiB`;
}

/** What a runtime says when it cannot go on. */
export interface LastWords {
  /** Null: a limit that the runtime set itself, below the cell's. */
  readonly kind: LimitKind | null;
  /** Who says what, for the reason; never the program's own bytes. */
  readonly who: string;
}

interface Row extends LastWords {
  readonly words: RegExp;
}

/** The first that fits counts, so the more exact ones stand first. */
const rows: readonly Row[] = [
  {
    words: /Reached heap limit|Ineffective mark-compacts near heap limit/,
    kind: null,
    who: 'Node reached the heap limit that it sets itself (--max-old-space-size)',
  },
  {
    words: /OutOfMemoryError: (?:Java heap space|GC overhead limit exceeded|Metaspace)/,
    kind: null,
    who: 'Java reached the heap limit that it sets itself (-Xmx)',
  },
  { words: /OutOfMemoryError: unable to create/, kind: 'processes', who: 'Java: unable to create a thread' },
  {
    words: /FATAL ERROR: [^\n]*out of memory|Fatal (?:process|JavaScript) out of memory/,
    kind: 'memory',
    who: 'Node: out of memory',
  },
  { words: /Array buffer allocation failed/, kind: 'memory', who: 'Node: buffer allocation failed' },
  { words: /^MemoryError\b/m, kind: 'memory', who: 'Python: MemoryError' },
  { words: /std::bad_alloc/, kind: 'memory', who: 'C++: std::bad_alloc' },
  { words: /^memory allocation of \d+ bytes failed/m, kind: 'memory', who: 'Rust: memory allocation failed' },
  {
    words: /^(?:fatal error: )?(?:runtime: )?(?:out of memory|cannot allocate memory)/m,
    kind: 'memory',
    who: 'Go: out of memory',
  },
  {
    words: /insufficient memory for the Java Runtime|os::commit_memory\([^\n]* failed/,
    kind: 'memory',
    who: 'Java: out of memory',
  },
  { words: /OutOfMemoryException|^Out of memory\.$/m, kind: 'memory', who: '.NET: out of memory' },
  { words: /NoMemoryError/, kind: 'memory', who: 'Ruby: NoMemoryError' },
  {
    words: /can't start new thread|uv_thread_create|pthread_create failed/,
    kind: 'processes',
    who: 'no new thread',
  },
  { words: /failed to create new OS thread/, kind: 'processes', who: 'Go: no new thread' },
  {
    words: /\bspawn(?:Sync)? [^\n]*\bEAGAIN\b|Worker initialization failure: EAGAIN/,
    kind: 'processes',
    who: 'Node: spawn EAGAIN',
  },
  {
    words: /Cannot fork|\bfork: [^\n]*Resource temporarily unavailable/,
    kind: 'processes',
    who: 'cannot fork',
  },
  {
    words: /fork[^\n]*\n(?:[^\n]*\n){0,4}BlockingIOError: \[Errno 11\]/,
    kind: 'processes',
    who: 'Python: cannot fork',
  },
  {
    words: /failed to spawn thread|what\(\):\s+[^\n]*Resource temporarily unavailable/,
    kind: 'processes',
    who: 'no new thread',
  },
  { words: /\bEMFILE\b|[Tt]oo many open files/, kind: 'openFiles', who: 'EMFILE' },
  { words: /\bEFBIG\b|File too large/, kind: 'disk', who: 'EFBIG' },
  // What inotify calls ENOSPC is the number of watches.
  { words: /\bENOSPC\b(?!: System limit)|No space left on device/, kind: 'disk', who: 'ENOSPC' },
  { words: /\bENOMEM\b|Cannot allocate memory/, kind: 'memory', who: 'ENOMEM' },
];

/** @param stderr the end of what the program wrote there */
export function lastWords(stderr: string): LastWords | null {
  return rows.find(({ words }) => words.test(stderr)) ?? null;
}

/** The line with which a runtime gives up, where more may follow than the end of stderr holds: a trace of every thread. */
export const FATAL_LINE =
  /^(?:fatal error: [^\n]*(?:out of memory|cannot allocate)|FATAL ERROR: |runtime: failed to create new OS thread)[^\n]*/m;
