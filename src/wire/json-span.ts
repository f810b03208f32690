/**
 * Finding and replacing values inside a JSON text without parsing the rest: what is not named keeps its bytes,
 * number precision, key order and spacing. Works only on texts that `checkJson` has accepted.
 */

import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-bytes.ts';

/** Half-open range of a value in its text. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
}

/** Object keys and array positions from the document down to a value. */
export type JsonPath = readonly (string | number)[];

export interface JsonMember extends JsonSpan {
  /** The key, decoded. */
  readonly key: string;
}

export interface JsonEdit {
  readonly path: JsonPath;
  /** The JSON text that takes the value's place. */
  readonly json: string;
}

/** Where the value at `path` stands; `null` when there is none. */
export function findJson(text: string, path: JsonPath): JsonSpan | null {
  let span: JsonSpan = documentSpan(text);
  for (const step of path) {
    const next =
      typeof step === 'string'
        ? jsonMembers(text, span).find((member) => member.key === step)
        : jsonItems(text, span)[step];
    if (next === undefined) return null;
    span = { start: next.start, end: next.end };
  }
  return span;
}

/** The members of the object at `span`, in order; none when it is no object. */
export function jsonMembers(text: string, span: JsonSpan = documentSpan(text)): JsonMember[] {
  const members: JsonMember[] = [];
  if (text.charCodeAt(span.start) !== OPEN_BRACE) return members;
  let at = skipSpace(text, span.start + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = skipString(text, at);
    const key = stringOf(text, at, keyEnd);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = skipValue(text, start);
    members.push({ key, start, end });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return members;
}

/** The items of the array at `span`, in order; none when it is no array. */
export function jsonItems(text: string, span: JsonSpan = documentSpan(text)): JsonSpan[] {
  const items: JsonSpan[] = [];
  if (text.charCodeAt(span.start) !== OPEN_BRACKET) return items;
  let at = skipSpace(text, span.start + 1);
  while (at < span.end - 1) {
    const end = skipValue(text, at);
    items.push({ start: at, end });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return items;
}

/** Replaces the values at the given paths, which must exist and not lie within each other; `null` otherwise. */
export function editJson(text: string, edits: readonly JsonEdit[]): string | null {
  const found: { span: JsonSpan; json: string }[] = [];
  for (const edit of edits) {
    const span = findJson(text, edit.path);
    if (span === null) return null;
    found.push({ span, json: edit.json });
  }
  found.sort((a, b) => a.span.start - b.span.start);
  let result = '';
  let at = 0;
  for (const { span, json } of found) {
    if (span.start < at) return null;
    result += text.slice(at, span.start) + json;
    at = span.end;
  }
  return result + text.slice(at);
}

function documentSpan(text: string): JsonSpan {
  const start = skipSpace(text, 0);
  return { start, end: skipValue(text, start) };
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** The string whose literal stands there, decoded. Few keys have an escape. */
function stringOf(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1);
  return inner.includes('\\') ? String(JSON.parse(text.slice(start, end))) : inner;
}

/** Just past the string literal that starts at `from`. */
function skipString(text: string, from: number): number {
  let quote = text.indexOf('"', from + 1);
  while (quote >= 0) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

/** Just past the value that starts at `from`. */
function skipValue(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === QUOTE) return skipString(text, from);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return skipScalar(text, from);
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
      continue;
    }
    at += 1;
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1;
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return at;
  }
  return at;
}

/** Just past a number, `true`, `false` or `null`: up to the first character that none of them has. */
function skipScalar(text: string, from: number): number {
  let at = from;
  while (isOfScalar(text.charCodeAt(at))) at += 1;
  return at;
}

/** Digits, letters, `+`, `-` and `.`; not what is behind the end, which is no number. */
const isOfScalar = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x2b ||
  code === 0x2d ||
  code === 0x2e;
