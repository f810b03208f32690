/**
 * JSON with one reading only (RFC 8259, narrowed by RFC 7493). Duplicate keys, lone surrogates, numbers that no
 * double can hold, and texts past the limits are refused, because two parsers would make different things of
 * them. `__proto__` is an ordinary key: values come from `JSON.parse`, which defines own properties.
 */
import { err, type Json, limits, ok, type Result } from '../kernel/index.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-bytes.ts';

export type JsonError =
  | 'json_empty'
  | 'json_too_long'
  | 'json_too_deep'
  | 'json_syntax'
  | 'json_utf8' /** bytes that are no UTF-8 */
  | 'json_surrogate' /** half of a surrogate pair, plain or escaped */
  | 'json_duplicate_key'
  | 'json_number' /** larger than a double can hold, or absurdly long */
  | 'json_trailing';

export interface JsonLimits {
  readonly charsMax?: number;
  readonly depthMax?: number;
}

/** Parses a JSON text; bytes must be UTF-8 without a byte order mark. */
export function parseStrictJson(text: string | Uint8Array, bounds: JsonLimits = {}): Result<Json, JsonError> {
  const checked = checkJson(text, bounds);
  if (!checked.ok) return checked;
  const value: Json = JSON.parse(checked.value);
  return ok(value);
}

/** Checks a JSON text without building its value, and gives it back as a string. */
export function checkJson(text: string | Uint8Array, bounds: JsonLimits = {}): Result<string, JsonError> {
  const charsMax = bounds.charsMax ?? limits.jsonTextCharsMax;
  if (text.length > charsMax) return err('json_too_long');
  const string = typeof text === 'string' ? text : decodeUtf8(text);
  if (string === null) return err('json_utf8');
  if (!string.isWellFormed()) return err('json_surrogate');
  const scan = new Scan(string, bounds.depthMax ?? limits.jsonDepthMax);
  const error = scan.document();
  return error === null ? ok(string) : err(error);
}

/** One for all: making one costs more than to decode a call. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u([0-9a-fA-F]{4}))/y;
/** Above this many keys a set is cheaper than a list. */
const KEYS_IN_LIST = 8;

/** One pass over a well-formed string; each step returns the error or `null`. */
class Scan {
  readonly #text: string;
  readonly #depthMax: number;
  #at = 0;

  constructor(text: string, depthMax: number) {
    this.#text = text;
    this.#depthMax = depthMax;
  }

  document(): JsonError | null {
    this.#space();
    if (this.#at === this.#text.length) return 'json_empty';
    const error = this.#value(0);
    if (error !== null) return error;
    this.#space();
    return this.#at === this.#text.length ? null : 'json_trailing';
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #value(depth: number): JsonError | null {
    switch (this.#text.charCodeAt(this.#at)) {
      case QUOTE:
        return this.#string();
      case OPEN_BRACE:
        return depth === this.#depthMax ? 'json_too_deep' : this.#object(depth + 1);
      case OPEN_BRACKET:
        return depth === this.#depthMax ? 'json_too_deep' : this.#array(depth + 1);
      case 0x74:
        return this.#word('true');
      case 0x66:
        return this.#word('false');
      case 0x6e:
        return this.#word('null');
      default:
        return this.#number();
    }
  }

  #word(word: string): JsonError | null {
    if (!this.#text.startsWith(word, this.#at)) return 'json_syntax';
    this.#at += word.length;
    return null;
  }

  #number(): JsonError | null {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) return 'json_syntax';
    const digits = match[0];
    if (digits.length > limits.jsonNumberCharsMax || !Number.isFinite(Number(digits))) return 'json_number';
    this.#at += digits.length;
    return null;
  }

  #string(): JsonError | null {
    const text = this.#text;
    this.#at += 1;
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        const error = this.#escape();
        if (error !== null) return error;
      } else if (code >= 0x20) {
        this.#at += 1;
      } else {
        return 'json_syntax'; // a control character, or the end of the text
      }
    }
    this.#at += 1;
    return null;
  }

  #escape(): JsonError | null {
    const code = this.#escapedUnit();
    if (code === null) return 'json_syntax';
    if (code < 0xd800 || code > 0xdfff) return null;
    if (code > 0xdbff) return 'json_surrogate';
    const low = this.#escapedUnit();
    return low !== null && low >= 0xdc00 && low <= 0xdfff ? null : 'json_surrogate';
  }

  /** The UTF-16 unit of a `\uXXXX` at the position, 0 for another escape, `null` for none; moves past it. */
  #escapedUnit(): number | null {
    ESCAPE.lastIndex = this.#at;
    const match = ESCAPE.exec(this.#text);
    if (match === null) return null;
    this.#at += match[0].length;
    return match[1] === undefined ? 0 : Number.parseInt(match[1], 16);
  }

  #array(depth: number): JsonError | null {
    this.#at += 1;
    this.#space();
    if (this.#text.charCodeAt(this.#at) === CLOSE_BRACKET) return this.#close();
    for (;;) {
      this.#space();
      const error = this.#value(depth);
      if (error !== null) return error;
      this.#space();
      const code = this.#text.charCodeAt(this.#at);
      if (code === CLOSE_BRACKET) return this.#close();
      if (code !== COMMA) return 'json_syntax';
      this.#at += 1;
    }
  }

  #object(depth: number): JsonError | null {
    this.#at += 1;
    this.#space();
    if (this.#text.charCodeAt(this.#at) === CLOSE_BRACE) return this.#close();
    const keys = new Keys();
    for (;;) {
      this.#space();
      const error = this.#member(keys, depth);
      if (error !== null) return error;
      this.#space();
      const code = this.#text.charCodeAt(this.#at);
      if (code === CLOSE_BRACE) return this.#close();
      if (code !== COMMA) return 'json_syntax';
      this.#at += 1;
    }
  }

  #member(keys: Keys, depth: number): JsonError | null {
    const start = this.#at;
    if (this.#text.charCodeAt(start) !== QUOTE) return 'json_syntax';
    const bad = this.#string();
    if (bad !== null) return bad;
    if (!keys.add(decodeKey(this.#text.slice(start, this.#at)))) return 'json_duplicate_key';
    this.#space();
    if (this.#text.charCodeAt(this.#at) !== COLON) return 'json_syntax';
    this.#at += 1;
    this.#space();
    return this.#value(depth);
  }

  #close(): null {
    this.#at += 1;
    return null;
  }
}

/** A JSON string literal's value. */
function decodeKey(literal: string): string {
  if (!literal.includes('\\')) return literal.slice(1, -1);
  const value: unknown = JSON.parse(literal);
  return String(value);
}

class Keys {
  #list: string[] = [];
  #set: Set<string> | null = null;

  /** False when the key was there already. */
  add(key: string): boolean {
    if (this.#set === null) {
      if (this.#list.includes(key)) return false;
      this.#list.push(key);
      if (this.#list.length > KEYS_IN_LIST) this.#set = new Set(this.#list);
      return true;
    }
    if (this.#set.has(key)) return false;
    this.#set.add(key);
    return true;
  }
}
