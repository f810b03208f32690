/**
 * What one cell writes to stderr, line by line: bounded in length and rate, made harmless for a terminal, without the
 * values that the server was entrusted with. A server that writes more than that is slowed down, and what is left out is
 * counted; it is always read, so that nothing ever waits for good because of its log.
 */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { LogLine } from '../../api/index.ts';
import { printable } from '../../cli/index.ts';
import { type Clock, limits } from '../../kernel/index.ts';

export interface CellLogDeps {
  readonly stderr: Readable;
  readonly clock: Clock;
  /** Hides what must not be kept in a line. */
  readonly mask: (line: string) => string;
  readonly write: (from: LogLine['from'], text: string) => void;
}

export interface CellLog {
  /** The last lines of this cell, for the error when it dies. */
  tail(): string;
  /** Settles when the cell has written everything; rejects never. */
  readonly drained: Promise<void>;
}

const MS_PER_SECOND = 1_000;

export function createCellLog({ stderr, clock, mask, write }: CellLogDeps): CellLog {
  const last: string[] = [];
  let decoder = new StringDecoder('utf8');
  let rest = '';
  /** What may still be kept at once, in bytes. */
  let allowance: number = limits.serverLogBurstBytes;
  let reckonedAt = clock.monotonic();
  /** What was left out since the last line that was kept, in bytes, and the end of it. */
  let leftOut = 0;
  let lost: Buffer = Buffer.alloc(0);

  const made = (raw: string): string => printable(mask(raw).slice(0, limits.serverLogLineCharsMax));

  function take(raw: string): void {
    const line = made(raw);
    last.push(line);
    if (last.length > limits.cellStderrTailLines) last.shift();
    write('server', line);
  }

  function mayKeep(bytes: number): boolean {
    const now = clock.monotonic();
    const regained = ((now - reckonedAt) / MS_PER_SECOND) * limits.serverLogBytesPerSecond;
    reckonedAt = now;
    allowance = Math.min(limits.serverLogBurstBytes, allowance + regained);
    if (allowance < bytes) return false;
    allowance -= bytes;
    return true;
  }

  function leaveOut(chunk: Buffer): void {
    if (rest !== '') take(rest);
    rest = '';
    decoder = new StringDecoder('utf8');
    leftOut += chunk.length;
    lost = Buffer.concat([lost, chunk]).subarray(-limits.serverLogLineCharsMax);
    // Reading as fast as it can write would cost everybody else the event loop.
    stderr.pause();
    setTimeout(() => stderr.resume(), limits.serverLogPauseMs);
  }

  /** The lines at the end of what was left out; the first of them may have lost its beginning. */
  const lostLines = (): string[] =>
    lost.toString('utf8').trimEnd().split('\n').slice(-limits.cellStderrTailLines);

  function tellLeftOut(): void {
    if (leftOut === 0) return;
    const rate = `${limits.serverLogBytesPerSecond / limits.KIB} KiB a second`;
    write('sallyport', `${leftOut} bytes left out here: it wrote more than ${rate}`);
    leftOut = 0;
    lost = Buffer.alloc(0);
  }

  function keep(chunk: Buffer): void {
    let text = decoder.write(chunk);
    if (leftOut > 0) {
      tellLeftOut();
      // The rest of a line whose beginning was left out.
      text = text.slice(text.indexOf('\n') + 1);
    }
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) take(part);
    // A line without an end must not grow without one.
    if (rest.length > limits.serverLogLineCharsMax) {
      take(rest);
      rest = '';
    }
  }

  stderr.on('data', (chunk: Buffer) => (mayKeep(chunk.length) ? keep(chunk) : leaveOut(chunk)));
  stderr.on('error', () => undefined);
  stderr.on('end', () => {
    const unread = leftOut > 0 ? lostLines() : [];
    tellLeftOut();
    for (const line of unread) take(line);
    if (rest !== '') take(rest);
    rest = '';
  });

  return {
    tail: () => (leftOut > 0 ? lostLines().map(made) : last).join('\n'),
    drained: new Promise((resolve) => stderr.once('close', () => resolve())),
  };
}

/** Shorter values, and lines of a value of several lines, would be found everywhere. */
const MASKED_CHARS_MIN = 4;
const MASKED_LINE_CHARS_MIN = 12;

/**
 * Hides values in a line as they are; what a server made of them is not known.
 *
 * @param values by the name that is shown instead
 */
export function maskOf(values: ReadonlyMap<string, string>): (line: string) => string {
  const hidden = [...values].flatMap(([name, value]) =>
    piecesOf(value).map((piece): [string, string] => [piece, `[${name}]`]),
  );
  return (line) => hidden.reduce((text, [piece, shown]) => text.replaceAll(piece, () => shown), line);
}

/** A log has lines: a key of several is found line by line. */
function piecesOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).filter((line) => line !== '');
  return lines.length > 1
    ? lines.filter((line) => line.length >= MASKED_LINE_CHARS_MIN)
    : lines.filter((line) => line.length >= MASKED_CHARS_MIN);
}
