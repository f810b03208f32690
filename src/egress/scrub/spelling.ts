/**
 * How one character of a secret can be written in a response: itself, percent-encoded, escaped for JSON or
 * JavaScript, as an HTML entity, and the common double escapes of punctuation. Each spelling is a string of
 * bytes (Latin-1), so that a secret in any mixture of spellings is one path through its characters' spellings.
 */

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

/** The named references of HTML 5 for ASCII punctuation: PHP's `htmlentities` with `ENT_HTML5` uses every one. */
const HTML_NAMES: Readonly<Record<string, readonly string[]>> = {
  '!': ['excl'],
  '"': ['quot', 'QUOT'],
  '#': ['num'],
  $: ['dollar'],
  '%': ['percnt'],
  '&': ['amp', 'AMP'],
  "'": ['apos'],
  '(': ['lpar'],
  ')': ['rpar'],
  '*': ['ast', 'midast'],
  '+': ['plus'],
  ',': ['comma'],
  '.': ['period'],
  '/': ['sol'],
  ':': ['colon'],
  ';': ['semi'],
  '<': ['lt', 'LT'],
  '=': ['equals'],
  '>': ['gt', 'GT'],
  '?': ['quest'],
  '@': ['commat'],
  '[': ['lsqb', 'lbrack'],
  '\\': ['bsol'],
  ']': ['rsqb', 'rbrack'],
  '^': ['Hat'],
  _: ['lowbar', 'UnderBar'],
  '`': ['grave', 'DiacriticalGrave'],
  '{': ['lcub', 'lbrace'],
  '|': ['vert', 'verbar', 'VerticalLine'],
  '}': ['rcub', 'rbrace'],
};

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
const jsonEscape = (text: string): string => JSON.stringify(text).slice(1, -1);
const isPunctuation = (character: string): boolean =>
  /^[\x20-\x7e]$/.test(character) && !/\w/.test(character);

/** Every spelling of one code point of a secret's text. */
export function spellCharacter(character: string): readonly Spelling[] {
  const bytes = utf8(character);
  const spellings = new Map<string, number>([[bytes, RAW]]);
  const add = (spelled: string, kind: number): void => {
    if (!spellings.has(spelled)) spellings.set(spelled, kind);
  };
  for (const spelled of percentForms(bytes)) add(spelled, PERCENT);
  if (character === ' ') add('+', PERCENT);
  for (const spelled of jsonForms(character)) add(spelled, JSON_ESCAPE);
  for (const spelled of htmlForms(character)) add(spelled, HTML);
  if (character === '_' || isPunctuation(character)) {
    for (const spelled of doubleForms(character)) add(spelled.bytes, spelled.kind);
  }
  return [...spellings].map(([spelled, kind]) => ({ bytes: spelled, kind }));
}

/** Spellings of one byte of a secret that is no text. */
export function spellByte(byte: number): readonly Spelling[] {
  const bytes = String.fromCharCode(byte);
  const forms = [
    ...percentForms(bytes).map((spelled) => ({ bytes: spelled, kind: PERCENT })),
    ...digitCases(hex(byte, 4)).map((digits) => ({ bytes: `\\u${digits}`, kind: JSON_ESCAPE })),
    ...digitCases(hex(byte, 2)).map((digits) => ({ bytes: `\\x${digits}`, kind: JSON_ESCAPE })),
  ];
  return [{ bytes, kind: RAW }, ...forms];
}

/** Lower, upper and mixed case of hex digits; only lower and upper when there would be many mixtures. */
function digitCases(digits: string): readonly string[] {
  const letters = digits.match(/[a-f]/g)?.length ?? 0;
  if (letters > 2) return [digits, digits.toUpperCase()];
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

/** JSON escapes, and the `\x` and backslash-before-anything that JavaScript, Python and shells add. */
function jsonForms(character: string): readonly string[] {
  const forms = [utf8(jsonEscape(character))];
  const units = Array.from({ length: character.length }, (_, index) => hex(character.charCodeAt(index), 4));
  if (units.length === 1) forms.push(...digitCases(units[0] ?? '').map((digits) => `\\u${digits}`));
  else forms.push(units.map((u) => `\\u${u}`).join(''), units.map((u) => `\\u${u.toUpperCase()}`).join(''));
  const code = character.charCodeAt(0);
  if (code < 0x100) forms.push(...digitCases(hex(code, 2)).map((digits) => `\\x${digits}`));
  if (character === '_' || isPunctuation(character)) forms.push(`\\${character}`);
  return forms;
}

/** Named, decimal and hexadecimal references, up to two leading zeros, with and without the semicolon. */
function htmlForms(character: string): readonly string[] {
  const code = character.codePointAt(0) ?? 0;
  const forms = (HTML_NAMES[character] ?? []).map((name) => `&${name};`);
  for (const zeros of ['', '0', '00']) {
    const numbers = [`${zeros}${code}`];
    for (const digits of digitCases(code.toString(16)))
      numbers.push(`x${zeros}${digits}`, `X${zeros}${digits}`);
    for (const number of numbers) forms.push(`&#${number};`, `&#${number}`);
  }
  return forms;
}

/** Punctuation escaped twice: a URL within a URL, JSON within JSON, HTML within HTML. */
function doubleForms(character: string): readonly Spelling[] {
  const digits = hex(character.charCodeAt(0), 2);
  const percent = [digits, digits.toUpperCase()].map((d) => ({ bytes: `%25${d}`, kind: PERCENT }));
  const json = [
    jsonEscape(character),
    `\\u00${digits}`,
    `\\u00${digits.toUpperCase()}`,
    `\\${character}`,
  ].map((escape) => ({ bytes: jsonEscape(escape), kind: JSON_ESCAPE }));
  const html = [...(HTML_NAMES[character] ?? []), `#${character.charCodeAt(0)}`, `#x${digits}`].map(
    (name) => ({
      bytes: `&amp;${name};`,
      kind: HTML,
    }),
  );
  return [...percent, ...json, ...html];
}

/** What may stand between two characters of base64 that was broken into lines, plain or inside a JSON string. */
const LINE_BREAKS = ['', '\n', '\r\n', '\\n', '\\r\\n'];

/**
 * Spellings of one base64 character in either alphabet; only `+` and `/` have escapes, because nothing escapes
 * letters and digits of base64.
 */
export function spellBase64(character: string, first: boolean): readonly Spelling[] {
  const forms = base64Forms(character);
  return (first ? [''] : LINE_BREAKS).flatMap((gap) =>
    forms.map((form) => ({ bytes: gap + form, kind: RAW })),
  );
}

function base64Forms(character: string): readonly string[] {
  const other = character === '+' ? '-' : character === '/' ? '_' : null;
  if (other === null) return [character];
  const digits = hex(character.charCodeAt(0), 2);
  return [
    character,
    other,
    ...[digits, digits.toUpperCase()].flatMap((d) => [`%${d}`, `\\u00${d}`, `&#x${d};`]),
    `&#${character.charCodeAt(0)};`,
    ...[character, other].flatMap((one) => (HTML_NAMES[one] ?? []).map((name) => `&${name};`)),
    ...(character === '/' ? ['\\/'] : []),
  ].filter((form, index, all) => all.indexOf(form) === index);
}

/** One hex digit in either case. */
export function spellHexDigit(digit: string): readonly Spelling[] {
  const upper = digit.toUpperCase();
  return (upper === digit ? [digit] : [digit, upper]).map((bytes) => ({ bytes, kind: RAW }));
}
