/**
 * Reads a JSON text for its strings alone, and makes nothing of the rest: no values, no copies. What it takes for JSON is
 * what `strict-json.ts` does, but for duplicate keys, which it minds only on the way to places that somebody asks for;
 * elsewhere they say nothing about those. It stops wherever it is told to, so that a long text is no long pause.
 */
import { isUtf8 } from 'node:buffer';
import { limits } from '../kernel/index.ts';
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
import type { JsonError } from './strict-json.ts';

/** A string in its text, or a key. */
export interface JsonString {
  readonly isKey: boolean;
  /** Positions of its quotes: that of the first, and just past the second. */
  readonly start: number;
  readonly end: number;
  readonly isEscaped: boolean;
}

/** Where pointers lead, step by step. */
interface Steps {
  readonly next: Map<string, Steps>;
}

interface Container {
  readonly isObject: boolean;
  /** Null: no pointer leads here. */
  readonly steps: Steps | null;
  /** Keys that a pointer goes on with, as far as they were there. */
  readonly seen: Set<string>;
  /** Of an array. */
  index: number;
  /** Where the key of the present member stands. */
  key: JsonString | null;
}

type State = 'value' | 'key' | 'colon' | 'after' | 'end';

const LOWER_U = 0x75;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
/** What may stand behind a backslash. */
const ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrtu'));
const WORDS: ReadonlySet<string> = new Set(['true', 'false', 'null']);

export class JsonStrings {
  malformed: JsonError | null = null;
  readonly #text: Buffer;
  readonly #onString: (string: JsonString) => void;
  readonly #steps: Steps;
  readonly #stack: Container[] = [];
  #state: State = 'value';
  /** A closing bracket may stand here, because the container is empty so far. */
  #mayClose = false;
  /** Where the string began that is being read; negative outside of one. */
  #quote = -1;
  #isEscaped = false;
  #at = 0;
  /** Where to stop. */
  #until = 0;

  /**
   * @param pointers (RFC 6901) to places at which a key that is there twice makes the text malformed
   * @param onString told of every string and every key
   */
  constructor(text: Buffer, pointers: Iterable<string>, onString: (string: JsonString) => void) {
    this.#text = text;
    this.#onString = onString;
    this.#steps = stepsOf(pointers);
    if (text.length > limits.jsonTextCharsMax) this.malformed = 'json_too_long';
    else if (!isUtf8(text)) this.malformed = 'json_utf8';
  }

  /**
   * Goes on for so many bytes, and a few more.
   *
   * @returns whether it came to the end of the text, or to what makes it malformed
   */
  read(bytes: number): boolean {
    this.#until = Math.min(this.#text.length, this.#at + bytes);
    while (this.#at < this.#until && this.malformed === null) {
      if (this.#quote < 0) this.#step();
      else this.#string();
    }
    if (this.#at >= this.#text.length && this.malformed === null && this.#state !== 'end')
      this.malformed = this.#isBlank ? 'json_empty' : 'json_syntax';
    return this.malformed !== null || this.#at >= this.#text.length;
  }

  /** Pointer to the string that `onString` is told of; of a key, to its member. */
  get pointer(): string {
    return this.#stack
      .map(({ isObject, index, key }) => (isObject ? this.#decode(key) : String(index)))
      .map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`)
      .join('');
  }

  /** What a string says. */
  valueOf({ start, end, isEscaped }: JsonString): string {
    if (!isEscaped) return this.#text.toString('utf8', start + 1, end - 1);
    const value: unknown = JSON.parse(this.#text.toString('utf8', start, end));
    return String(value);
  }

  get #isBlank(): boolean {
    return this.#stack.length === 0 && this.#state === 'value' && this.#quote < 0;
  }

  #decode(key: JsonString | null): string {
    return key === null ? '' : this.valueOf(key);
  }

  #step(): void {
    const code = this.#text[this.#at] ?? 0;
    if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
      this.#at += 1;
      return;
    }
    switch (this.#state) {
      case 'value':
        return this.#value(code);
      case 'key':
        return this.#key(code);
      case 'colon':
        return code === COLON ? this.#move('value') : this.#fail('json_syntax');
      case 'after':
        return this.#after(code);
      case 'end':
        return this.#fail('json_trailing');
    }
  }

  #value(code: number): void {
    const mayClose = this.#mayClose;
    this.#mayClose = false;
    if (code === QUOTE) this.#begin();
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) this.#open(code === OPEN_BRACE);
    else if (code === CLOSE_BRACKET && mayClose) this.#close();
    else this.#scalar(code);
  }

  #open(isObject: boolean): void {
    if (this.#stack.length === limits.jsonDepthMax) return this.#fail('json_too_deep');
    const steps = this.#stepsHere();
    this.#stack.push({ isObject, steps, seen: steps === null ? EMPTY : new Set(), index: 0, key: null });
    this.#move(isObject ? 'key' : 'value');
    this.#mayClose = true;
  }

  /** Where pointers go on from the value that begins here; null where none does. */
  #stepsHere(): Steps | null {
    const container = this.#stack.at(-1);
    if (container === undefined) return this.#steps;
    const { steps, isObject, index, key } = container;
    if (steps === null) return null;
    return steps.next.get(isObject ? this.#decode(key) : String(index)) ?? null;
  }

  #key(code: number): void {
    const mayClose = this.#mayClose;
    this.#mayClose = false;
    if (code === CLOSE_BRACE && mayClose) return this.#close();
    if (code === QUOTE) this.#begin();
    else this.#fail('json_syntax');
  }

  #keyRead(string: JsonString): void {
    const container = this.#stack.at(-1);
    if (container === undefined) return;
    container.key = string;
    if (container.steps !== null && !this.#isNew(container, container.steps, string))
      return this.#fail('json_duplicate_key');
    this.#state = 'colon';
    this.#onString(string);
  }

  #isNew({ seen }: Container, { next }: Steps, string: JsonString): boolean {
    const key = this.valueOf(string);
    if (!next.has(key)) return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  }

  #after(code: number): void {
    const container = this.#stack.at(-1);
    if (container === undefined) return;
    if (code === COMMA) {
      container.index += 1;
      this.#move(container.isObject ? 'key' : 'value');
    } else if (code === (container.isObject ? CLOSE_BRACE : CLOSE_BRACKET)) this.#close();
    else this.#fail('json_syntax');
  }

  #close(): void {
    this.#stack.pop();
    this.#move(this.#stack.length === 0 ? 'end' : 'after');
  }

  /** A number, or a word. */
  #scalar(code: number): void {
    const start = this.#at;
    let end = start;
    let isPlain = code >= 0x31 && code <= 0x39;
    while (isScalar(this.#text[end])) {
      isPlain &&= isDigit(this.#text[end]);
      end += 1;
    }
    this.#at = end;
    this.#state = this.#stack.length === 0 ? 'end' : 'after';
    if ((isPlain && end - start < PLAIN_DIGITS_MAX) || (end - start === 1 && isDigit(code))) return;
    const said = this.#text.toString('latin1', start, Math.min(end, start + limits.jsonNumberCharsMax + 1));
    if (WORDS.has(said)) return;
    if (said.length > limits.jsonNumberCharsMax) this.#fail('json_number');
    else if (!NUMBER.test(said)) this.#fail('json_syntax');
    else if (!Number.isFinite(Number(said))) this.#fail('json_number');
  }

  /** A string begins here. */
  #begin(): void {
    this.#quote = this.#at;
    this.#isEscaped = false;
    this.#at += 1;
  }

  /** More of the string. */
  #string(): void {
    const text = this.#text;
    let at = this.#at;
    while (at < this.#until) {
      const code = text[at] ?? 0;
      if (code === QUOTE) return this.#stringRead(at + 1);
      if (code < 0x20) return this.#fail('json_syntax');
      if (code === BACKSLASH) {
        this.#isEscaped = true;
        at = this.#escape(at);
        if (this.malformed !== null) return;
      } else at += 1;
    }
    this.#at = at;
  }

  #stringRead(end: number): void {
    const isKey = this.#state === 'key';
    const string = { isKey, start: this.#quote, end, isEscaped: this.#isEscaped };
    this.#quote = -1;
    this.#at = end;
    if (isKey) return this.#keyRead(string);
    this.#state = this.#stack.length === 0 ? 'end' : 'after';
    this.#onString(string);
  }

  /** @returns the position behind an escape, and behind both of a surrogate pair */
  #escape(at: number): number {
    const code = this.#text[at + 1] ?? 0;
    if (!ESCAPES.has(code)) this.#fail('json_syntax');
    if (code !== LOWER_U) return at + 2;
    const unit = this.#unit(at);
    if (unit < 0) this.#fail('json_syntax');
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    const low = unit > 0xdbff ? -1 : this.#unit(at + 6);
    if (low < 0xdc00 || low > 0xdfff) this.#fail('json_surrogate');
    return at + 12;
  }

  /** The unit of a `\uXXXX`; negative for none. */
  #unit(at: number): number {
    if (this.#text[at] !== BACKSLASH || this.#text[at + 1] !== LOWER_U) return -1;
    let unit = 0;
    for (let digit = at + 2; digit < at + 6; digit += 1) {
      const value = hexValue(this.#text[digit]);
      if (value < 0) return -1;
      unit = unit * 16 + value;
    }
    return unit;
  }

  #move(state: State): void {
    this.#at += 1;
    this.#state = state;
  }

  #fail(error: JsonError): void {
    this.malformed ??= error;
  }
}

/** Nothing is ever put into it. */
const EMPTY = new Set<string>();
/** So many digits are a number that a double holds, whatever they are. */
const PLAIN_DIGITS_MAX = 300;

const isDigit = (code = 0): boolean => code >= 0x30 && code <= 0x39;

/** Letters, digits and what else numbers are written with. */
const isScalar = (code = 0): boolean =>
  isDigit(code) ||
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x2b ||
  code === 0x2d ||
  code === 0x2e;

function hexValue(code = 0): number {
  if (isDigit(code)) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function stepsOf(pointers: Iterable<string>): Steps {
  const root: Steps = { next: new Map() };
  for (const pointer of pointers) {
    let steps = root;
    for (const part of pointer.split('/').slice(1)) {
      const step = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const next = steps.next.get(step) ?? { next: new Map() };
      steps.next.set(step, next);
      steps = next;
    }
  }
  return root;
}
