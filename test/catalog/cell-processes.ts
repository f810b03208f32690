/**
 * Looks into the processes of a gateway's cells from the host, through /proc: what a program in there could read of
 * itself, and more.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

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
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null; // it ended meanwhile
  }
}

/** The environment that the process was started with. @throws Error when it may not be read */
export function environmentOf(pid: number): Map<string, string> {
  const pairs = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
  return new Map(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
  );
}

/** The command line, zero bytes between the words. */
export function commandLineOf(pid: number): Buffer {
  return readFileSync(`/proc/${pid}/cmdline`);
}

/**
 * Everything in the process's memory that it can write, in overlapping pieces. A piece is good until the next one is asked for.
 *
 * @throws Error when it may not be read
 */
export function* memoryOf(pid: number): Generator<Buffer> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const [start, end] of writableRegions(pid)) {
      for (let at = start; at < end; at += CHUNK_BYTES - OVERLAP_BYTES) {
        const read = readRegion(memory, buffer, at, Math.min(CHUNK_BYTES, end - at));
        if (read > 0) yield buffer.subarray(0, read);
      }
    }
  } finally {
    closeSync(memory);
  }
}

/** Addresses fit a double: user space ends at 2^47. */
function writableRegions(pid: number): [number, number][] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line): [number, number][] => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      return start === undefined || end === undefined
        ? []
        : [[Number.parseInt(start, 16), Number.parseInt(end, 16)]];
    });
}

function readRegion(memory: number, buffer: Buffer, at: number, length: number): number {
  try {
    return readSync(memory, buffer, 0, length, at);
  } catch {
    return 0; // unmapped meanwhile, or a page that has never been touched
  }
}
