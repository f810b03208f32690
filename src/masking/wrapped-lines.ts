/** What is encoded and broken into lines, as one: mail, certificates and command lines have lines of 60 to 76 characters. */
import { BASE64_BYTES } from './char-class.ts';
import type { Edit } from './edit.ts';

export interface Unwrapped {
  readonly text: string;
  /** Where its last line ends. */
  readonly end: number;
  /** Turns an edit of it into one of the text that it stands in. */
  readonly wrapEdit: (edit: Edit) => Edit;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Lines of which nothing else is in any but the first and the last.
 *
 * @param start of what is encoded in the first line, @param lineEnd where that line ends
 * @returns null where it is the only one
 */
export function unwrapped(
  text: string,
  bytes: Uint8Array,
  start: number,
  lineEnd: number,
  to: number,
): Unwrapped | null {
  let next = nextLine(bytes, lineEnd, to);
  if (next < 0) return null;
  const parts: string[] = [];
  /** Where lines begin in what is put together, and in the text. */
  const joined: number[] = [];
  const source: number[] = [];
  let length = 0;
  let at = start;
  let end = lineEnd;
  const add = (): void => {
    joined.push(length);
    source.push(at);
    parts.push(text.slice(at, end));
    length += end - at;
  };
  add();
  while (next >= 0) {
    at = next;
    end = next;
    while (end < to && BASE64_BYTES[bytes[end] ?? 0] === 1) end += 1;
    if (end === at) break;
    add();
    next = nextLine(bytes, end, to);
  }
  if (parts.length === 1) return null;
  const sourceOf = (position: number): number => {
    let line = 0;
    let beyond = joined.length;
    while (beyond - line > 1) {
      const middle = (line + beyond) >> 1;
      if ((joined[middle] ?? 0) <= position) line = middle;
      else beyond = middle;
    }
    return (source[line] ?? 0) + position - (joined[line] ?? 0);
  };
  return {
    text: parts.join(''),
    end,
    wrapEdit: (edit) => ({ ...edit, start: sourceOf(edit.start), end: sourceOf(edit.end - 1) + 1 }),
  };
}

/** @returns where a line begins behind a line break and an indent; negative where there is none */
function nextLine(bytes: Uint8Array, at: number, to: number): number {
  let next = at;
  if (bytes[next] === RETURN) next += 1;
  if (next >= to || bytes[next] !== NEWLINE) return -1;
  next += 1;
  while (next < to && (bytes[next] === SPACE || bytes[next] === TAB)) next += 1;
  return next;
}
