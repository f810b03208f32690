/**
 * Looks into the processes of a gateway's cells from the host, through /proc: what a program in there could read of
 * itself, and more.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

const PAGE_BYTES = 4096;
const CHUNK_BYTES = 4 * 1024 * 1024;
/** More than the longest needle, so that none is lost between two chunks. */
const OVERLAP_BYTES = 4096;

/** Ids of every process below `root`, at this moment. */
export function descendantsOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(entry);
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found: number[] = [];
  for (const pending = [root]; pending.length > 0; ) {
    const below = children.get(pending.pop() ?? 0) ?? [];
    found.push(...below);
    pending.push(...below);
  }
  return found;
}

/** The fourth field of `stat`, counted from behind the name, which may hold anything. */
function parentOf(pid: string): number | null {
  const stat = readUnlessGone(`/proc/${pid}/stat`)?.toString('latin1');
  return stat === undefined ? null : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function readUnlessGone(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

/** The environment that the process was started with; null when it has ended. @throws Error when it may not be read */
export function environmentOf(pid: number): Map<string, string> | null {
  const text = readUnlessGone(`/proc/${pid}/environ`);
  if (text === null) return null;
  const pairs = text.toString('utf8').split('\0').filter(Boolean);
  return new Map(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
  );
}

/** The command line, zero bytes between the words; empty when the process has ended. */
export function commandLineOf(pid: number): Buffer {
  return readUnlessGone(`/proc/${pid}/cmdline`) ?? Buffer.alloc(0);
}

/**
 * Everything in the process's memory that it can write, in overlapping pieces. A piece is good until the next one is asked for.
 *
 * @throws Error when it may not be read
 */
export function* memoryOf(pid: number): Generator<Buffer> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const pageMap = openSync(`/proc/${pid}/pagemap`, 'r');
  try {
    for (const region of writableRegions(pid)) {
      for (const { start, end } of presentParts(pageMap, region)) {
        for (let at = start; at < end; at += CHUNK_BYTES - OVERLAP_BYTES) {
          const read = readUnlessUnmapped(memory, buffer, at, Math.min(CHUNK_BYTES, end - at));
          if (read > 0) yield buffer.subarray(0, read);
        }
      }
    }
  } finally {
    closeSync(memory);
    closeSync(pageMap);
  }
}

/** Addresses; they fit a double, because user space ends at 2^47. */
interface Region {
  readonly start: number;
  readonly end: number;
}

function writableRegions(pid: number): Region[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      return start === undefined || end === undefined
        ? []
        : [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) }];
    });
}

/** The parts of a region that hold anything: runtimes reserve gigabytes that they never touch (pagemap, bits 62 and 63). */
function* presentParts(pageMap: number, { start, end }: Region): Generator<Region> {
  const entries = Buffer.alloc(((end - start) / PAGE_BYTES) * 8);
  const known = readUnlessUnmapped(pageMap, entries, (start / PAGE_BYTES) * 8, entries.length) / 8;
  let from: number | null = null;
  for (let page = 0; page < known; page += 1) {
    const present = ((entries[page * 8 + 7] ?? 0) & 0b1100_0000) !== 0;
    if (present && from === null) from = start + page * PAGE_BYTES;
    if (!present && from !== null) {
      yield { start: from, end: start + page * PAGE_BYTES };
      from = null;
    }
  }
  if (from !== null) yield { start: from, end: start + known * PAGE_BYTES };
}

function readUnlessUnmapped(file: number, buffer: Buffer, at: number, length: number): number {
  try {
    return readSync(file, buffer, 0, length, at);
  } catch {
    return 0; // the process gave it back meanwhile
  }
}
