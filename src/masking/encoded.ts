/**
 * Base64 and hex in texts, in one line or many: found where they would decode to something that prints, in bytes or in UTF-16,
 * without decoding the rest; decoded, and written back the same way.
 */
import { limits } from '../kernel/index.ts';
import { BASE64_BYTES, HEX_BYTES } from './char-class.ts';
import type { Edit } from './edit.ts';
import { bytesOf } from './text-bytes.ts';
import { unwrapped } from './wrapped-lines.ts';

/** What was decoded of a run, as characters of one byte each. */
interface Decoded {
  /** The printable part. */
  readonly text: string;
  /** Turns an edit of the part into one of the text that it was encoded in. */
  readonly encodeEdit: (edit: Edit) => Edit;
}

type Tell = (decoded: Decoded) => void;

/** Text that is searched. */
interface Source {
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** Tells of every part that prints of every run of base64 or hex in a text. */
export function eachDecoded(text: string, bytes: Uint8Array, from: number, to: number, tell: Tell): void {
  const source = { text, bytes };
  /** What was read of lines that belong together goes up to here. */
  let linesEnd = from;
  eachRun(bytes, from, to, limits.maskingEncodedCharsMin, BASE64_BYTES, (start, end) => {
    runParts(source, start, end, tell);
    if (start < linesEnd || end - start < limits.maskingEncodedLineCharsMin) return;
    const lines = unwrapped(text, bytes, start, end, to);
    if (lines === null) return;
    linesEnd = lines.end;
    const joined = { text: lines.text, bytes: bytesOf(lines.text) };
    runParts(joined, 0, lines.text.length, ({ text: part, encodeEdit }) =>
      tell({ text: part, encodeEdit: (edit) => lines.wrapEdit(encodeEdit(edit)) }),
    );
  });
}

/** Of a run of characters of base64, which those of hex are too. */
function runParts(source: Source, start: number, end: number, tell: Tell): void {
  for (let phase = 0; phase < BASE64_GROUP; phase += 1) base64Parts(source, start + phase, end, tell);
  if (end - start < 2 * limits.maskingPrintableBytesMin) return;
  wideBase64(source, start, end, tell);
  eachRun(source.bytes, start, end, 2 * limits.maskingPrintableBytesMin, HEX_BYTES, (hexStart, hexEnd) => {
    for (const begin of [hexStart, hexStart + 1]) hexParts(source, begin, hexEnd, tell);
  });
}

/** Tells of runs of at least so many bytes of a kind. Looks at few of the others: no run can leave out the last of so many. */
function eachRun(
  bytes: Uint8Array,
  from: number,
  to: number,
  least: number,
  kind: Uint8Array,
  tell: (start: number, end: number) => void,
): void {
  let at = from;
  while (at + least <= to) {
    let probe = at + least - 1;
    while (probe >= at && kind[bytes[probe] ?? 0] === 1) probe -= 1;
    if (probe >= at) {
      at = probe + 1;
      continue;
    }
    let end = at + least;
    while (end < to && kind[bytes[end] ?? 0] === 1) end += 1;
    tell(at, end);
    at = end + 1;
  }
}

/** Characters that stand for three bytes. */
const BASE64_GROUP = 4;
/** Groups that lie wholly within the shortest run of bytes that print. */
const GROUPS_MIN = Math.floor((limits.maskingPrintableBytesMin - 2) / 3);

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** By character: bit by bit, whether it may be the first, second or third of a group that stands for bytes that print. */
const MAY_PRINT = new Uint8Array(256);
const isPrintable = (byte: number): boolean =>
  (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09;
/** The same by byte, for runs. */
const PRINTABLE_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => (isPrintable(byte) ? 1 : 0));
const fill = (character: string, value: number): void => {
  const code = character.charCodeAt(0);
  const bits = Array.from({ length: 64 }, (_, other) => other);
  const first = bits.some((other) => isPrintable((value << 2) | (other >> 4)));
  const second = bits.some((other) => isPrintable(((value & 15) << 4) | (other >> 2)));
  const third = (value & 2) === 0;
  MAY_PRINT[code] = (first ? 1 : 0) | (second ? 2 : 0) | (third ? 4 : 0);
};
for (const [value, character] of Array.from(STANDARD).entries()) fill(character, value);
fill('-', 62);
fill('_', 63);

/** Whether the group at `at` may stand for three bytes that print; of some that it may not, too. */
const mayPrint = (bytes: Uint8Array, at: number): boolean =>
  ((MAY_PRINT[bytes[at] ?? 0] ?? 0) &
    ((MAY_PRINT[bytes[at + 1] ?? 0] ?? 0) >> 1) &
    ((MAY_PRINT[bytes[at + 2] ?? 0] ?? 0) >> 2)) !==
  0;

/** Groups are counted from `start`. */
function base64Parts({ text, bytes }: Source, start: number, end: number, tell: Tell): void {
  const last = end - BASE64_GROUP;
  const jump = GROUPS_MIN * BASE64_GROUP;
  /** From the first group of so many to the last. */
  const ahead = jump - BASE64_GROUP;
  let at = start;
  while (true) {
    // The last of them most often tells; nothing else is in this loop.
    while (at + ahead <= last && !mayPrint(bytes, at + ahead)) at += jump;
    if (at + ahead > last) return;
    let probe = at + ahead - BASE64_GROUP;
    while (probe >= at && mayPrint(bytes, probe)) probe -= BASE64_GROUP;
    if (probe >= at) {
      at = probe + BASE64_GROUP;
      continue;
    }
    let stop = at + jump;
    while (stop <= last && mayPrint(bytes, stop)) stop += BASE64_GROUP;
    // What prints may begin and end within the groups beside them.
    const begin = Math.max(start, at - BASE64_GROUP);
    const finish = Math.min(end, stop + BASE64_GROUP);
    const run = decodedRun(text, begin, finish, end);
    const { decoded } = run;
    eachPrintable(decoded, (partStart, part) =>
      tell({ text: part, encodeEdit: (edit) => encodeBase64(edit, partStart, run) }),
    );
    at = stop + BASE64_GROUP;
  }
}

interface Run {
  readonly text: string;
  /** Where what was decoded stands. */
  readonly begin: number;
  readonly finish: number;
  /** No base64 follows it but padding. */
  readonly isEnd: boolean;
  readonly decoded: Buffer;
}

const decodedRun = (text: string, begin: number, finish: number, end: number): Run => ({
  text,
  begin,
  finish,
  isEnd: finish === end,
  decoded: Buffer.from(text.slice(begin, finish), 'base64'),
});

const LETTER_A = 0x41;
/** Of so many characters of base64 that stand for UTF-16 two are an `A`, three apart, or five. */
const WIDE_GROUP = 8;
/** So far apart, one look falls well within the shortest part that is looked for. */
const WIDE_STEP = Math.floor((2 * limits.maskingWideCharsMin * BASE64_GROUP) / 3) - 3 * WIDE_GROUP + 2;

/** Whether an `A` stands where, of so many characters of UTF-16, at least one is. */
const hasLetterA = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === LETTER_A ||
  bytes[at + 2] === LETTER_A ||
  bytes[at + 4] === LETTER_A ||
  bytes[at + 6] === LETTER_A;

/** Whether the other one of its eight characters, and both of the next eight, are there too. */
const isWideAt = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === LETTER_A &&
  bytes[at + WIDE_GROUP] === LETTER_A &&
  ((bytes[at + 3] === LETTER_A && bytes[at + 3 + WIDE_GROUP] === LETTER_A) ||
    (bytes[at + 5] === LETTER_A && bytes[at + 5 + WIDE_GROUP] === LETTER_A));

/** Tells of what is UTF-16 in a run of base64. */
function wideBase64({ text, bytes }: Source, start: number, end: number, tell: Tell): void {
  for (let at = start; at + WIDE_GROUP <= end; at += WIDE_STEP) {
    if (!hasLetterA(bytes, at)) continue;
    const isWide =
      isWideAt(bytes, at) || isWideAt(bytes, at + 2) || isWideAt(bytes, at + 4) || isWideAt(bytes, at + 6);
    if (!isWide) continue;
    let begin = at;
    while (begin - WIDE_GROUP >= start && hasLetterA(bytes, begin - WIDE_GROUP)) begin -= WIDE_GROUP;
    let finish = at + WIDE_GROUP;
    while (finish + WIDE_GROUP <= end && hasLetterA(bytes, finish)) finish += WIDE_GROUP;
    // What is wide may begin and end within the characters beside them.
    begin = Math.max(start, begin - WIDE_GROUP);
    finish = Math.min(end, finish + WIDE_GROUP);
    for (let phase = 0; phase < BASE64_GROUP; phase += 1) widePart(text, begin + phase, finish, end, tell);
    at = finish - WIDE_GROUP;
  }
}

function widePart(text: string, begin: number, finish: number, end: number, tell: Tell): void {
  const run = decodedRun(text, begin, finish, end);
  const { decoded } = run;
  eachWide(
    (index) => decoded[index] ?? 0,
    decoded.length,
    (from, to) =>
      tell({
        text: decoded.toString('latin1', from, to),
        encodeEdit: (edit) => encodeBase64(edit, from, run),
      }),
  );
}

/** Encodes whole groups of three bytes anew, so that what follows them keeps its place. */
function encodeBase64(edit: Edit, partStart: number, { text, begin, finish, isEnd, decoded }: Run): Edit {
  const start = partStart + edit.start;
  const stop = partStart + edit.end;
  const firstGroup = Math.floor(start / 3);
  const lastGroup = Math.ceil(stop / 3);
  const plain = decoded.toString('latin1', firstGroup * 3, start) + edit.text;
  const after = decoded.toString('latin1', stop, lastGroup * 3);
  const isLast = isEnd && lastGroup * 3 >= decoded.length;
  const rest = (plain.length + after.length) % 3;
  const padded = plain + (rest === 0 || isLast ? '' : stars(3 - rest, edit.text)) + after;
  const alphabet = /[-_]/.test(text.slice(begin, finish)) ? 'base64url' : 'base64';
  const encoded = Buffer.from(padded, 'latin1').toString(alphabet).replace(/=+$/, '');
  const groupStart = begin + firstGroup * BASE64_GROUP;
  if (!isLast) return { ...edit, start: groupStart, end: begin + lastGroup * BASE64_GROUP, text: encoded };
  // The padding that stands behind the run belongs to its old length.
  const oldPadding = /^={0,2}/.exec(text.slice(finish, finish + 2))?.[0].length ?? 0;
  const isPadded = oldPadding > 0 || (finish - begin) % BASE64_GROUP === 0;
  const padding = isPadded ? '='.repeat((BASE64_GROUP - (encoded.length % BASE64_GROUP)) % BASE64_GROUP) : '';
  return { ...edit, start: groupStart, end: finish + oldPadding, text: encoded + padding };
}

/** So many more bytes, or three more than that: of UTF-16 an odd number would move what follows. */
function stars(count: number, text: string): string {
  if (!text.includes('\0')) return '*'.repeat(count);
  return '*\0'.repeat(count % 2 === 0 ? count / 2 : (count + 3) / 2);
}

/** Bytes as two digits each, counted from `start`. */
function hexParts({ text, bytes }: Source, start: number, end: number, tell: Tell): void {
  const least = limits.maskingPrintableBytesMin;
  const pairs = Math.floor((end - start) / 2);
  const byteAt = (pair: number): number => hexByte(bytes, start + 2 * pair);
  const tellOf = (from: number, to: number): void => {
    const begin = start + 2 * from;
    tell({
      text: Buffer.from(text.slice(begin, start + 2 * to), 'hex').toString('latin1'),
      encodeEdit: (edit) => ({
        ...edit,
        start: begin + 2 * edit.start,
        end: begin + 2 * edit.end,
        text: Buffer.from(edit.text, 'latin1').toString('hex'),
      }),
    });
  };
  eachWide(byteAt, pairs, tellOf);
  let at = 0;
  while (at + least <= pairs) {
    let probe = at + least - 1;
    while (probe >= at && isPrintable(byteAt(probe))) probe -= 1;
    if (probe >= at) {
      at = probe + 1;
      continue;
    }
    let stop = at + least;
    while (stop < pairs && isPrintable(byteAt(stop))) stop += 1;
    tellOf(at, stop);
    at = stop + 1;
  }
}

/** Tells of every run of bytes of which every other prints and is followed by zero: UTF-16, in either order of bytes. */
function eachWide(
  byteAt: (index: number) => number,
  length: number,
  tell: (from: number, to: number) => void,
): void {
  const least = 2 * limits.maskingWideCharsMin;
  for (const parity of [0, 1]) {
    let at = parity;
    while (at + least <= length) {
      let probe = at + least - 2;
      while (probe >= at && isWideByte(byteAt, probe)) probe -= 2;
      if (probe >= at) {
        at = probe + 2;
        continue;
      }
      let stop = at + least;
      while (stop + 1 < length && isWideByte(byteAt, stop)) stop += 2;
      // The last of those whose zero comes first.
      const end = stop < length && isPrintable(byteAt(stop)) ? stop + 1 : stop;
      tell(at, end);
      at = stop + 2;
    }
  }
}

const isWideByte = (byteAt: (index: number) => number, at: number): boolean =>
  byteAt(at + 1) === 0 && isPrintable(byteAt(at));

const hexDigit = (code: number): number => (code < 0x3a ? code - 0x30 : (code | 0x20) - 0x57);
const hexByte = (bytes: Uint8Array, at: number): number =>
  hexDigit(bytes[at] ?? 0) * 16 + hexDigit(bytes[at + 1] ?? 0);

/** Tells of every run of printable bytes that is long enough to hold anything. */
function eachPrintable(bytes: Buffer, tell: (start: number, text: string) => void): void {
  eachRun(bytes, 0, bytes.length, limits.maskingPrintableBytesMin, PRINTABLE_BYTES, (start, end) =>
    tell(start, bytes.toString('latin1', start, end)),
  );
}
