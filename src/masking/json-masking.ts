/**
 * What is to be masked in a JSON text: found by walking over its raw text once, so that what is not masked keeps every byte.
 * Strings are looked at as what they say, escapes undone; those that hold JSON again are walked in turn, down to a depth.
 * Trusts nothing: what is not JSON is nothing to it, and its caller takes it for text; what is JSON up to a place is, up to
 * there, and text from shortly before.
 */
import { limits } from '../kernel/index.ts';
import type { Place } from './place.ts';
import { type Edit, resolve } from './edit.ts';
import { namedValue } from './detectors/named-secret.ts';
import { JsonCursor } from './json-cursor.ts';
import { JsonEdits, type KeptString } from './json-edits.ts';
import { type Context, type JsonKey, type JsonKeys, NO_STEPS } from './json-key.ts';
import type { Steps } from './rule.ts';
import { strictnessOf } from './strategy.ts';
import { numberEdits, textEdits, type Tools, wholeEdits } from './text-masking.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Content blocks have their text under this key; a text may go on in the next. */
const BLOCK_TEXT = 'text';
/** Shortest number that may be anything that is looked for, in characters. */
const NUMBER_CHARS_MIN = 7;
/** The shortest text that holds anything that a detector looks for, in characters. */
const TEXT_CHARS_MIN = 6;

const BLANK = /\s*/y;

/** How far a text is JSON. */
type Extent = 'whole' | 'beginning' | 'none';

export class JsonMasking {
  readonly #tools: Tools;
  readonly #keys: JsonKeys;
  readonly #cursor: JsonCursor;
  readonly #layers: number;
  readonly #keyText: string;
  readonly #edits: JsonEdits;
  /** One for all strings without escapes. */
  readonly #place: { text: string; bytes: Uint8Array; from: number; to: number; key: string };
  /** The text of the object that was walked over last. */
  #text: KeptString | null = null;

  /** @param key of the string that the text is, if it is one */
  constructor(tools: Tools, keys: JsonKeys, raw: string, layers: number, key = '') {
    this.#tools = tools;
    this.#keyText = key;
    this.#keys = keys;
    this.#cursor = new JsonCursor(raw);
    this.#layers = layers;
    this.#edits = new JsonEdits(tools, this.#cursor);
    this.#place = { text: raw, bytes: this.#cursor.bytes, from: 0, to: 0, key: '' };
  }

  /** @returns edits, resolved; null when the text is to be taken for text */
  run(): readonly Edit[] | null {
    const { steps } = this.#tools.rules;
    const context = {
      key: this.#keys.none,
      rule: steps?.rule ?? -1,
      steps: steps === null ? NO_STEPS : [steps],
    };
    return this.#run(context, '');
  }

  /** The same, where pointers of rules do not lead: they are for the document. */
  runWithin(): readonly Edit[] | null {
    return this.#run({ key: this.#keys.none, rule: -1, steps: NO_STEPS }, '#');
  }

  /** @param prefix of all pointers */
  #run(context: Context, prefix: string): readonly Edit[] | null {
    const extent = this.#walk(context);
    if (extent === 'none') return null;
    const { all } = this.#edits;
    const placed = prefix === '' ? all : all.map((edit) => ({ ...edit, within: `${prefix}${edit.within}` }));
    if (extent === 'whole') return resolve(placed);
    // All of it is text then, and nothing is known of it yet.
    if (all.length === 0 && this.#restFrom() === 0) return null;
    return resolve([...placed, ...this.#rest()]);
  }

  /** One value, or lists and objects one after another. */
  #walk(context: Context): Extent {
    const cursor = this.#cursor;
    const { length } = cursor.bytes;
    const isContainer = (): boolean => cursor.peek() === OPEN_BRACE || cursor.peek() === OPEN_BRACKET;
    this.#blank();
    const extent = isContainer() ? 'beginning' : 'none';
    if (!this.#value(context)) return extent;
    this.#blank();
    while (cursor.at < length) {
      if (extent === 'none' || !isContainer() || !this.#value(context)) return extent;
      this.#blank();
    }
    return 'whole';
  }

  /** Around a document many take more than JSON does: a mark of the order of bytes before it, above all. */
  #blank(): void {
    const cursor = this.#cursor;
    BLANK.lastIndex = cursor.at;
    cursor.at += BLANK.exec(cursor.raw)?.[0].length ?? 0;
  }

  #restFrom(): number {
    return Math.max(0, this.#cursor.at - limits.maskingArmourCharsMax);
  }

  /** What comes once it is no JSON any more, as text, with enough before it for whatever began there. */
  #rest(): readonly Edit[] {
    const { raw, bytes } = this.#cursor;
    const place = { text: raw, bytes, from: this.#restFrom(), to: raw.length, key: this.#keyText };
    return textEdits(this.#tools, place, Math.min(this.#layers + 1, limits.maskingLayersMax));
  }

  /** @returns whether it is JSON so far; if not, the cursor is at what is none */
  #value(context: Context): boolean {
    const cursor = this.#cursor;
    const isWithinDepth = this.#edits.path.length < limits.jsonDepthMax;
    switch (cursor.peek()) {
      case QUOTE:
        if (!cursor.string()) return false;
        this.#maskString(context);
        return true;
      case OPEN_BRACE:
        return isWithinDepth && this.#object(context);
      case OPEN_BRACKET:
        return isWithinDepth && this.#array(context);
      default:
        return this.#scalar(context);
    }
  }

  #object(context: Context): boolean {
    const cursor = this.#cursor;
    const edits = this.#edits;
    /** What a member such as `name` says its sibling `value` is called. */
    let name: string | null = null;
    let named: KeptString | null = null;
    let masked: Map<string, number> | null = null;
    if (this.#isEmpty(CLOSE_BRACE)) return true;
    let before: JsonKey | null = null;
    let code = COMMA;
    do {
      const key = this.#key(before === null ? context.key.first : before.following);
      if (key === null) break;
      if (before === null) context.key.first = key;
      else before.following = key;
      before = key;
      edits.path.push(key);
      if (key.edits.length > 0) {
        masked ??= new Map();
        edits.key(key, masked);
      }
      cursor.space();
      if (cursor.peek() !== COLON) break;
      cursor.at += 1;
      cursor.space();
      const isString = cursor.peek() === QUOTE;
      if (!this.#value(this.#contextOf(context, key, key.text))) break;
      if (isString && key.isName) name = cursor.raw.slice(cursor.start, cursor.end);
      else if (isString && key.text === 'value') named = edits.kept();
      edits.path.pop();
      code = this.#next(CLOSE_BRACE);
    } while (code === COMMA);
    if (name !== null && named !== null) edits.named(name, named);
    return code === CLOSE_BRACE;
  }

  /** Steps into an object or list. @returns whether nothing is in it */
  #isEmpty(close: number): boolean {
    const cursor = this.#cursor;
    cursor.at += 1;
    cursor.space();
    if (cursor.peek() !== close) return false;
    cursor.at += 1;
    return true;
  }

  /** Steps over what stands behind a value. @returns it; 0 where it is nothing that may stand there */
  #next(close: number): number {
    const cursor = this.#cursor;
    cursor.space();
    const code = cursor.peek();
    if (code !== COMMA && code !== close) return 0;
    cursor.at += 1;
    if (code === COMMA) cursor.space();
    return code;
  }

  /** @param expected what came here last time: it comes here again, mostly */
  #key(expected: JsonKey | null): JsonKey | null {
    const cursor = this.#cursor;
    if (cursor.peek() !== QUOTE) return null;
    if (expected !== null && cursor.known(expected.raw)) return expected;
    const { at } = cursor;
    if (!cursor.string()) return null;
    if (cursor.isEscaped && cursor.said(cursor.span()) === null) {
      cursor.at = at;
      return null;
    }
    return this.#keys.of(cursor.raw.slice(cursor.start, cursor.end));
  }

  #array(context: Context): boolean {
    const cursor = this.#cursor;
    const edits = this.#edits;
    /** Strings next to each other, and texts of objects next to each other: a secret may go on in the next. */
    let strings: KeptString[] | null = null;
    let texts: KeptString[] | null = null;
    if (this.#isEmpty(CLOSE_BRACKET)) return true;
    let code = COMMA;
    for (let index = 0; code === COMMA; index += 1) {
      const first = cursor.peek();
      edits.path.push(index);
      const inner =
        context.steps.length === 0 ? context : this.#contextOf(context, context.key, String(index));
      this.#text = null;
      const isWhole = this.#value(inner);
      if (isWhole && first === QUOTE) {
        strings ??= [];
        strings.push(edits.kept());
      } else if (first === OPEN_BRACE && this.#text !== null) {
        texts ??= [];
        texts.push(this.#text);
      }
      if (!isWhole) break;
      edits.path.pop();
      code = this.#next(CLOSE_BRACKET);
    }
    this.#text = null;
    if (strings !== null && strings.length > 1) edits.join(strings);
    if (texts !== null && texts.length > 1) edits.join(texts);
    return code === CLOSE_BRACKET;
  }

  #contextOf(context: Context, key: JsonKey, step: string): Context {
    const { steps } = context;
    if (steps.length === 0 && context.rule < 0 && key !== context.key) return key.context;
    let rule = context.rule;
    if (rule < 0 && key !== context.key) rule = key.rule;
    if (steps.length === 0) return { key, rule, steps: NO_STEPS };
    const next: Steps[] = [];
    for (const each of steps) {
      const exact = each.next.get(step);
      if (exact !== undefined) next.push(exact);
      if (each.any !== null) next.push(each.any);
    }
    for (const each of next) if (rule < 0) rule = each.rule;
    return { key, rule, steps: next };
  }

  /** A number, or a word. */
  #scalar({ key, rule }: Context): boolean {
    const cursor = this.#cursor;
    const edits = this.#edits;
    const kind = cursor.scalar();
    if (kind === 'other') return false;
    if (kind !== 'number') {
      if (rule >= 0 && kind === 'true') edits.scalar('false', { rule, detector: 'key' });
      return true;
    }
    if (rule >= 0) edits.scalar('0', { rule, detector: 'key' });
    else if (cursor.end - cursor.digitsStart >= NUMBER_CHARS_MIN) this.#maskNumber(key);
    return true;
  }

  /** Most numbers are a few digits, and what is looked for has no fraction. */
  #maskNumber(key: JsonKey): void {
    const { start, end, digitsStart, digitsEnd } = this.#cursor;
    const isPatterned = this.#tools.rules.patterns.length > 0;
    if (digitsEnd === end || isPatterned) {
      const place = this.#placeAt(isPatterned ? start : digitsStart, end, key.text);
      for (const edit of numberEdits(this.#tools, place, this.#layers)) this.#edits.scalar('0', edit);
    }
    const digits = this.#cursor.wholeDigits();
    if (digits === null) return;
    for (const edit of wholeEdits(this.#tools, digits, key.text, this.#layers)) this.#edits.scalar('0', edit);
  }

  #maskString({ key, rule }: Context): void {
    const { start, end, isEscaped } = this.#cursor;
    if (key.text === BLOCK_TEXT) this.#text = this.#edits.kept();
    if (end === start) return;
    if (rule >= 0)
      return this.#edits.whole(this.#cursor.span(), { rule: this.#strictest(rule, key), detector: 'key' });
    if (end - start < TEXT_CHARS_MIN && this.#tools.rules.patterns.length === 0) return;
    if (key.isSecret) {
      const said = this.#cursor.said(this.#cursor.span());
      const named = this.#tools.rules.detectors.get('named-secret') ?? -1;
      if (said !== null && named >= 0 && namedValue(key.text, said))
        return this.#edits.whole(this.#cursor.span(), { rule: named, detector: 'named-secret' });
    }
    if (isEscaped) this.#maskEscaped(key);
    else this.#edits.add(textEdits(this.#tools, this.#placeAt(start, end, key.text), this.#layers));
  }

  /** Of the rule that masks a whole string and those that find something in it, the strictest. */
  #strictest(rule: number, key: JsonKey): number {
    const { strategies, finderStrictness } = this.#tools.rules;
    const strategy = strategies[rule];
    const own = strategy === undefined ? Infinity : strictnessOf(strategy);
    if (finderStrictness <= own) return rule;
    const { raw, start, end } = this.#cursor;
    const said = this.#cursor.said(this.#cursor.span()) ?? raw.slice(start, end);
    const within = this.#layers > 0 ? this.#innerEdits(said, key.text) : null;
    const edits = within ?? wholeEdits(this.#tools, said, key.text, this.#layers);
    const strictest = edits.reduce((most, { strictness }) => Math.max(most, strictness), own);
    return edits.find(({ strictness }) => strictness === strictest && strictness > own)?.rule ?? rule;
  }

  #placeAt(from: number, to: number, key: string): Place {
    const place = this.#place;
    place.from = from;
    place.to = to;
    place.key = key;
    return place;
  }

  /** A string with escapes is looked at as what it says, which may be JSON again; one that no parser takes, as it stands. */
  #maskEscaped(key: JsonKey): void {
    const span = this.#cursor.span();
    const said = this.#cursor.said(span);
    if (said === null)
      return this.#edits.add(
        textEdits(this.#tools, this.#placeAt(span.start, span.end, key.text), this.#layers),
      );
    const edits = this.#layers > 0 ? this.#innerEdits(said, key.text) : null;
    this.#edits.addDecoded(span, edits ?? wholeEdits(this.#tools, said, key.text, this.#layers));
  }

  #innerEdits(said: string, key: string): readonly Edit[] | null {
    if (!/^\s*[[{"]/.test(said)) return null;
    return new JsonMasking(this.#tools, this.#keys, said, this.#layers - 1, key).runWithin();
  }
}
