/**
 * What servers wrote to stderr, on disk: `logs/SLUG.log` in the home, and `SLUG.log.1` with what was before. Kept for
 * commands where no gateway runs and for the time after a crash. The owner's alone, because a server may write anything.
 *
 * Several gateways of one home append to the same files, a whole line at a time. When two of them begin a new file at the
 * very same moment, the older file may be lost; no line is ever mixed with another. A disk that is full costs lines, never
 * the server its life.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { LogLine } from '../../api/index.ts';
import { limits, type Log } from '../../kernel/index.ts';
import { formatLogLine } from './log-line.ts';
import { readLog } from './log-reader.ts';

export interface LogFiles {
  /** On disk within `serverLogFlushMs`; at once where it is Sallyport's own. */
  append(slug: string, line: LogLine): void;
  /** The newest lines, the oldest of them first; with `until`, also those to come until it is aborted. */
  lines(slug: string, until: AbortSignal | null): AsyncIterable<LogLine>;
  /** Forgets a server's log. */
  remove(slug: string): void;
  /** Writes what waits. */
  flush(): void;
}

interface Waiting {
  text: string;
  /** Whether the last attempt to write failed, and was told. */
  failing: boolean;
  /** Whether the end of the file was looked at. */
  begun: boolean;
}

/** @param folder made with the first line */
export function createLogFiles(folder: string, log: Log): LogFiles {
  const servers = new Map<string, Waiting>();
  let timer: NodeJS.Timeout | null = null;
  const pathOf = (slug: string): string => join(folder, `${slug}.log`);

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    for (const [slug, waiting] of servers) {
      if (waiting.text === '') continue;
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        write(pathOf(slug), waiting);
        waiting.failing = false;
      } catch (error) {
        if (!waiting.failing) log.warn('server_log.unwritable', { server: slug, error: String(error) });
        waiting.failing = true;
      }
      waiting.text = '';
    }
  }

  return {
    append(slug, line) {
      const waiting = servers.get(slug) ?? { text: '', failing: false, begun: false };
      servers.set(slug, waiting);
      waiting.text += formatLogLine(line);
      // There are few of Sallyport's own, and they say what a gateway was doing when it was killed.
      if (line.from === 'sallyport') flush();
      else timer ??= setTimeout(flush, limits.serverLogFlushMs).unref();
    },
    lines(slug, until) {
      flush();
      return readLog(pathOf(slug), previousOf(pathOf(slug)), until);
    },
    remove(slug) {
      servers.delete(slug);
      for (const path of [pathOf(slug), previousOf(pathOf(slug))]) rmSync(path, { force: true });
    },
    flush,
  };
}

const previousOf = (path: string): string => `${path}.1`;

function write(path: string, waiting: Waiting): void {
  let file = open(path);
  try {
    if (fstatSync(file).size >= limits.serverLogFileBytesMax) {
      file = begin(path, file);
      waiting.begun = false;
    }
    // A line that was cut off by the end of the machine must not take the next one with it.
    const repair = waiting.begun || endsInLine(file) ? '' : '\n';
    waiting.begun = true;
    writeSync(file, repair + waiting.text);
  } finally {
    closeSync(file);
  }
}

const open = (path: string): number =>
  openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);

/** @returns the new file */
function begin(path: string, file: number): number {
  // Another gateway may have done so just now.
  if (statSync(path).ino === fstatSync(file).ino) renameSync(path, previousOf(path));
  const fresh = open(path);
  closeSync(file);
  return fresh;
}

function endsInLine(file: number): boolean {
  const { size } = fstatSync(file);
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  readSync(file, last, 0, 1, size - 1);
  return last.toString('latin1') === '\n';
}
