/**
 * What one cell writes to stderr, line by line: bounded in length and rate, made harmless for a terminal, without the
 * values that the server was entrusted with. A server that writes more than that is slowed down, and what is left out is
 * counted; it is always read, so that nothing ever waits for good because of its log.
 */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { LogLine } from '../../api/index.ts';
import { printable, printableLines } from '../../cli/index.ts';
import { type Clock, limits } from '../../kernel/index.ts';

export interface CellLogDeps {
  readonly stderr: Readable;
  readonly clock: Clock;
  readonly mask: Mask;
  readonly write: (from: LogLine['from'], text: string) => void;
}

/** Hides what must not be kept, in text that was made harmless for a terminal. */
export interface Mask {
  readonly hide: (text: string) => string;
  /** Where each thing begins and ends that `hide` would hide. */
  readonly found: (text: string) => Iterable<readonly [start: number, end: number]>;
  /** Length of the longest text that it looks for, in characters; 0 when it looks for nothing. */
  readonly longest: number;
}

/** The end of what was left out. */
interface Lost {
  readonly text: string;
  /** False when there was more before it. */
  readonly whole: boolean;
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
  const decoder = new StringDecoder('utf8');
  let rest = '';
  /** What may still be kept at once, in bytes. */
  let allowance: number = limits.serverLogBurstBytes;
  let reckonedAt = clock.monotonic();
  /** The end of what was left out since the last line that was kept; null when nothing was. */
  let lost: Lost | null = null;
  /** What was left out and not told yet, in bytes. */
  let untold = 0;
  let telling: NodeJS.Timeout | null = null;
  /** So much of a text may belong to a value of which the other part is not there. */
  const doubtful = Math.max(0, mask.longest - 1);
  const lostMax = limits.serverLogLineCharsMax + doubtful;
  /** How much of what comes next may be the end of a value whose beginning was left out. */
  let mayEndValue = 0;

  /** What is taken out for the terminal may have stood within a value, so that comes first. */
  const made = (raw: string): string => mask.hide(printable(raw)).slice(0, limits.serverLogLineCharsMax);

  /** Takes what there is of a line. @returns its end, in which a value may have begun: not hidden, since another may lie in that */
  function takeBegun(): string {
    const text = harmless(rest);
    const cut = undivided(text, Math.max(0, text.length - doubtful), 'before');
    if (cut > 0) take(text.slice(0, cut));
    return text.slice(cut);
  }

  /** The next place that is within no value. */
  function undivided(text: string, wanted: number, side: 'before' | 'after'): number {
    for (const [start, end] of mask.found(text))
      if (start < wanted && wanted < end) return side === 'before' ? start : end;
    return wanted;
  }

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
    const begun = takeBegun();
    rest = '';
    untold += Buffer.byteLength(begun) + chunk.length;
    // A server may say nothing for hours after that.
    telling ??= setTimeout(tellLeftOut, limits.serverLogLeftOutMs).unref();
    const all = (lost?.text ?? '') + begun + decoder.write(chunk);
    // Not all of it, which could take longer than to read it; escapes are taken out of what is looked at.
    const end = harmless(all.slice(-2 * lostMax));
    const whole = (lost?.whole ?? true) && all.length <= 2 * lostMax && end.length <= lostMax;
    lost = { text: end.slice(-lostMax), whole };
    mayEndValue = doubtful;
    // Reading as fast as it can write would cost everybody else the event loop.
    stderr.pause();
    setTimeout(() => stderr.resume(), limits.serverLogPauseMs);
  }

  /** The lines at the end of what was left out; the first of them may have lost its beginning. */
  const lostLines = ({ text, whole }: Lost): string[] =>
    text
      .slice(whole ? 0 : undivided(text, doubtful, 'after'))
      .trimEnd()
      .split('\n')
      .slice(-limits.cellStderrTailLines);

  function tellLeftOut(): void {
    if (telling !== null) clearTimeout(telling);
    telling = null;
    if (untold === 0) return;
    const rate = `${limits.serverLogBytesPerSecond / limits.KIB} KiB a second`;
    write('sallyport', `${untold} bytes left out here: it wrote more than ${rate}`);
    untold = 0;
  }

  function keep(chunk: Buffer): void {
    let text = decoder.write(chunk);
    if (lost !== null || mayEndValue > 0) {
      tellLeftOut();
      text = harmless(openIn(lost?.text ?? '') + text);
      lost = null;
      // The rest of a line whose beginning was left out.
      const end = text.indexOf('\n');
      const dropped = end >= 0 ? end + 1 : Math.min(mayEndValue, text.length);
      mayEndValue = end >= 0 ? 0 : mayEndValue - dropped;
      text = text.slice(dropped);
    }
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) take(part);
    // A line without an end must not grow without one.
    if (rest.length > lostMax) rest = takeBegun();
  }

  stderr.on('data', (chunk: Buffer) => (mayKeep(chunk.length) ? keep(chunk) : leaveOut(chunk)));
  stderr.on('error', () => undefined);
  stderr.on('end', () => {
    const unread = lost === null ? [] : lostLines(lost);
    tellLeftOut();
    for (const line of unread) take(line);
    if (rest !== '') take(rest);
    rest = '';
  });

  return {
    tail: () => (lost === null ? last : lostLines(lost).map(made)).join('\n'),
    drained: new Promise((resolve) => stderr.once('close', () => resolve())),
  };
}

/** An escape sequence that may go on in what comes next. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: a control character is what this looks for
const OPEN_ESCAPE = /\u001b(?:\[[0-?]*[ -/]*)?$/;
const openIn = (raw: string): string => OPEN_ESCAPE.exec(raw)?.[0] ?? '';
/** Lines as they will be shown, but for an escape sequence that is still open at their end. */
function harmless(raw: string): string {
  const open = openIn(raw);
  return printableLines(raw.slice(0, raw.length - open.length)) + open;
}

/** Shorter values, and lines of a value of several lines, would be found everywhere. */
const MASKED_CHARS_MIN = 4;
const MASKED_LINE_CHARS_MIN = 12;

/**
 * Hides values in a text as they are; what a server made of them is not known.
 *
 * @param values by the name that is shown instead
 */
export function maskOf(values: ReadonlyMap<string, string>): Mask {
  const hidden = new Map(
    [...values]
      .flatMap(([name, value]) => piecesOf(value).map((piece): [string, string] => [piece, `[${name}]`]))
      // The longest first: one may be a part of another.
      .sort(([one], [other]) => other.length - one.length),
  );
  const [longest = ''] = hidden.keys();
  if (longest === '') return { hide: (text) => text, found: () => [], longest: 0 };
  const any = new RegExp([...hidden.keys()].map(literally).join('|'), 'g');
  return {
    hide: (text) => text.replaceAll(any, (piece) => hidden.get(piece) ?? ''),
    *found(text) {
      for (const { index, 0: piece } of text.matchAll(any)) yield [index, index + piece.length];
    },
    longest: longest.length,
  };
}

const literally = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);

/** A log has lines: a key of several is found line by line. */
function piecesOf(value: string): readonly string[] {
  const lines = value
    .split(/\r?\n/)
    .map(printable)
    .filter((line) => line !== '');
  return lines.length > 1
    ? lines.filter((line) => line.length >= MASKED_LINE_CHARS_MIN)
    : lines.filter((line) => line.length >= MASKED_CHARS_MIN);
}
