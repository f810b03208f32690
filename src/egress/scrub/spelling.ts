/**
 * How one character of a secret can be written in a response: itself, percent-encoded, escaped for JSON or
 * JavaScript, as an HTML reference, and any two of these on top of each other. Each spelling is a string of bytes
 * (Latin-1), so that a secret in any mixture of spellings is one path through its characters' spellings.
 */
import { namesInHtml } from './html-names.ts';

/** Bits that say which escapes a spelling uses; several in one match make it `mixed`. */
export const RAW = 0;
export const PERCENT = 1;
export const JSON_ESCAPE = 2;
export const HTML = 4;

export interface Spelling {
  /** One character per byte. */
  readonly bytes: string;
  readonly kind: number;
}

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
const jsonEscape = (text: string): string => JSON.stringify(text).slice(1, -1);
const isPunctuation = (character: string): boolean => /^[ -/:-@[-`{-~]$/.test(character);
const isLatin1 = (character: string): boolean => /^[\x80-\xff]$/.test(character);

/** Every spelling of one code point of a secret's text. */
export function spellCharacter(character: string): readonly Spelling[] {
  const bytes = utf8(character);
  const spellings = new Map<string, number>([[bytes, RAW]]);
  const add = (spelled: string, kind: number): void => {
    if (!spellings.has(spelled)) spellings.set(spelled, kind);
  };
  if (isLatin1(character)) {
    add(character, RAW);
    for (const spelled of percentForms(character)) add(spelled, PERCENT);
  }
  for (const spelled of percentForms(bytes)) add(spelled, PERCENT);
  if (character === ' ') add('+', PERCENT);
  for (const spelled of jsonForms(character)) add(spelled, JSON_ESCAPE);
  for (const spelled of htmlForms(character)) add(spelled, HTML);
  for (const spelled of doubleForms(character)) add(spelled.bytes, spelled.kind);
  return [...spellings].map(([spelled, kind]) => ({ bytes: spelled, kind }));
}

/** Spellings of one byte (a character of Latin-1) of a secret that is no text. */
export function spellByte(byte: string): readonly Spelling[] {
  const code = byte.charCodeAt(0);
  const escapes = [
    ...digitCases(hex(code, 4)).map((digits) => `\\u${digits}`),
    ...digitCases(hex(code, 2)).map((digits) => `\\x${digits}`),
    octal(byte),
  ];
  return [
    ...spellRaw(byte),
    ...percentForms(byte).map((bytes) => ({ bytes, kind: PERCENT })),
    ...escapes.map((bytes) => ({ bytes, kind: JSON_ESCAPE })),
  ];
}

/** One byte that nothing escapes. */
export const spellRaw = (byte: string): readonly Spelling[] => [{ bytes: byte, kind: RAW }];

/** Every mixture of lower and upper case of hex digits. */
function digitCases(digits: string): readonly string[] {
  let forms = [''];
  for (const digit of digits) {
    const options = /[a-f]/.test(digit) ? [digit, digit.toUpperCase()] : [digit];
    forms = forms.flatMap((form) => options.map((option) => form + option));
  }
  return forms;
}

function percentForms(bytes: string): readonly string[] {
  const encode = (digits: (byte: string) => string): string =>
    Array.from(bytes)
      .map((byte) => `%${digits(hex(byte.charCodeAt(0), 2))}`)
      .join('');
  if (bytes.length === 1) return digitCases(hex(bytes.charCodeAt(0), 2)).map((digits) => `%${digits}`);
  return [encode((digits) => digits), encode((digits) => digits.toUpperCase())];
}

/** JSON escapes, and those that JavaScript, Python, C and shells add: `\x`, octal, backslash before anything. */
function jsonForms(character: string): readonly string[] {
  const forms = [utf8(jsonEscape(character)), ...unicodeEscapes(character), octal(utf8(character))];
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) forms.push(...digitCases(hex(code, 2)).map((digits) => `\\x${digits}`));
  if (code > 0xffff) forms.push(`\\U${hex(code, 8)}`, `\\U${hex(code, 8).toUpperCase()}`);
  if (isPunctuation(character)) forms.push(`\\${character}`);
  return forms;
}

/** `\u` escapes: in every mixture of cases, of a surrogate pair in either. */
function unicodeEscapes(character: string): readonly string[] {
  const units = Array.from({ length: character.length }, (_, index) => hex(character.charCodeAt(index), 4));
  const [only] = units;
  if (units.length === 1) return digitCases(only ?? '').map((digits) => `\\u${digits}`);
  return [units, units.map((unit) => unit.toUpperCase())].map((cased) =>
    cased.map((unit) => `\\u${unit}`).join(''),
  );
}

const octal = (bytes: string): string =>
  Array.from(bytes)
    .map((byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`)
    .join('');

/** Named, decimal and hexadecimal references, up to two leading zeros, with and without the semicolon. */
function htmlForms(character: string): readonly string[] {
  const code = character.codePointAt(0) ?? 0;
  const forms = namesInHtml(character).map((name) => `&${name};`);
  for (const zeros of ['', '0', '00']) {
    const numbers = [`${zeros}${code}`];
    for (const digits of digitCases(code.toString(16)))
      numbers.push(`x${zeros}${digits}`, `X${zeros}${digits}`);
    for (const number of numbers) forms.push(`&#${number};`, `&#${number}`);
  }
  return forms;
}

/**
 * A character escaped and escaped again: a URL within a URL, JSON within JSON, JSON within HTML. Only escapes that
 * programs write by themselves, in one case throughout.
 */
function doubleForms(character: string): readonly Spelling[] {
  const code = character.codePointAt(0) ?? 0;
  const upper = (text: string): string =>
    text.replace(/([%\\]u?)([0-9a-f]+)/g, (_, lead: string, digits: string) => lead + digits.toUpperCase());
  const percent = percentForms(utf8(character))[0] ?? '';
  const unicode = unicodeEscapes(character)[0] ?? '';
  const inner = [
    ...[percent, upper(percent)].map((bytes) => ({ bytes, kind: PERCENT })),
    ...[unicode, upper(unicode), utf8(jsonEscape(character))].map((bytes) => ({ bytes, kind: JSON_ESCAPE })),
    ...(character === '/' ? [{ bytes: '\\/', kind: JSON_ESCAPE }] : []),
    ...[...namesInHtml(character), `#${code}`, `#x${code.toString(16)}`].map((name) => ({
      bytes: `&${name};`,
      kind: HTML,
    })),
  ];
  return inner.flatMap(({ bytes, kind }) =>
    escapedAgain(bytes)
      .filter((outer) => outer.bytes !== bytes)
      .map((outer) => ({ bytes: outer.bytes, kind: kind | outer.kind })),
  );
}

/** A text of ASCII as a URL's component, a JSON string and HTML write it. */
function escapedAgain(text: string): readonly Spelling[] {
  const component = text.replace(/[^\w.~-]/g, (one) => `%${hex(one.charCodeAt(0), 2).toUpperCase()}`);
  const json = jsonEscape(text);
  const html = text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return [
    { bytes: component, kind: PERCENT },
    { bytes: component.replace(/%../g, (escape) => escape.toLowerCase()), kind: PERCENT },
    { bytes: json, kind: JSON_ESCAPE },
    { bytes: json.replace(/[&<>]/g, (one) => `\\u00${hex(one.charCodeAt(0), 2)}`), kind: JSON_ESCAPE },
    { bytes: html.replaceAll('"', '&quot;').replaceAll("'", '&#39;'), kind: HTML },
    { bytes: html.replaceAll('"', '&#34;').replaceAll("'", '&#x27;'), kind: HTML },
  ];
}

/** What may stand between two characters of base64 that was broken into lines, plain or escaped. */
const LINE_BREAKS = ['', '\n', '\r\n', '\\n', '\\r\\n', '%0A', '%0D%0A'];

/**
 * Spellings of one base64 character in either alphabet; only `+` and `/` have escapes, because nothing escapes
 * letters and digits of base64.
 */
export const spellBase64 = (character: string): readonly Spelling[] =>
  base64Forms(character).map((bytes) => ({ bytes, kind: RAW }));

/** The same, with a line's end before it or not. */
export const spellBreakableBase64 = (character: string): readonly Spelling[] =>
  after(LINE_BREAKS, spellBase64(character));

const after = (gaps: readonly string[], spellings: readonly Spelling[]): readonly Spelling[] =>
  gaps.flatMap((gap) => spellings.map(({ bytes, kind }) => ({ bytes: gap + bytes, kind })));

function base64Forms(character: string): readonly string[] {
  const other = character === '+' ? '-' : character === '/' ? '_' : null;
  if (other === null) return [character];
  const digits = hex(character.charCodeAt(0), 2);
  return [
    character,
    other,
    ...[digits, digits.toUpperCase()].flatMap((d) => [`%${d}`, `%25${d}`, `\\u00${d}`, `&#x${d};`]),
    `&#${character.charCodeAt(0)};`,
    ...[character, other].flatMap((one) => namesInHtml(one).map((name) => `&${name};`)),
    ...(character === '/' ? ['\\/', '\\\\/'] : []),
  ].filter((form, index, all) => all.indexOf(form) === index);
}

/** What may stand between two bytes of a fingerprint in hex. */
const HEX_SEPARATORS = ['', ':', '-'];

/** One hex digit in either case. */
export function spellHexDigit(digit: string): readonly Spelling[] {
  const upper = digit.toUpperCase();
  return (upper === digit ? [digit] : [digit, upper]).map((bytes) => ({ bytes, kind: RAW }));
}

/** The same, with a separator before it or not. */
export const spellSeparableHexDigit = (digit: string): readonly Spelling[] =>
  after(HEX_SEPARATORS, spellHexDigit(digit));
