/** Every way of writing a secret that the scrubber promises to see, made without the scrubber's own tables. */

export interface Rendition {
  readonly label: string;
  /** What the hit should be called. */
  readonly encoding: string;
  readonly bytes: Buffer;
}

const units = (text: string): readonly number[] =>
  Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');

const percentAll = (text: string): string =>
  Array.from(Buffer.from(text))
    .map((byte) => `%${hex(byte, 2)}`)
    .join('');
const jsonAll = (text: string): string =>
  units(text)
    .map((unit) => `\\u${hex(unit, 4)}`)
    .join('');
const entities = (text: string, write: (code: number) => string): string =>
  Array.from(text)
    .map((character) => write(character.codePointAt(0) ?? 0))
    .join('');
const upperDigits = (text: string): string =>
  text.replace(/%..|\\u..../g, (e) =>
    e.slice(0, 2) === '\\u' ? `\\u${e.slice(2).toUpperCase()}` : e.toUpperCase(),
  );

/** What PHP's `htmlentities` with `ENT_HTML5` writes for ASCII punctuation, in the order of ASCII. */
const HTML5_NAMES = (
  'excl quot num dollar percnt amp apos lpar rpar ast plus comma period sol colon semi lt equals gt quest commat ' +
  'lbrack bsol rsqb Hat lowbar grave lbrace vert rcub'
).split(' ');

/** Base64 of the secret at an alignment, cut to the characters that only the secret decides. */
function base64At(secret: string | Buffer, before: number, encoding: 'base64' | 'base64url'): string {
  const value = Buffer.from(secret as string);
  const bits = Array.from(Buffer.concat([Buffer.alloc(before), value]), (byte) =>
    byte.toString(2).padStart(8, '0'),
  ).join('');
  const alphabet = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${encoding === 'base64' ? '+/' : '-_'}`;
  let text = '';
  for (let at = 0; at + 6 <= bits.length; at += 6) {
    if (at >= before * 8) text += alphabet[Number.parseInt(bits.slice(at, at + 6), 2)] ?? '';
  }
  return text;
}

/** @param secret printable text without line breaks */
export function renditions(secret: string): readonly Rendition[] {
  const list: Rendition[] = [];
  const add = (label: string, encoding: string, text: string | Buffer): void => {
    list.push({ label, encoding, bytes: Buffer.from(text as string) });
  };
  const escape = (text: string, is: string): string => (text === secret ? 'raw' : is);
  add('raw', 'raw', secret);
  for (const before of [0, 1, 2]) {
    for (const alphabet of ['base64', 'base64url'] as const) {
      const text = base64At(secret, before, alphabet);
      add(`${alphabet} at ${before}`, 'base64', text);
      add(`${alphabet} at ${before} in lines`, 'base64', text.replace(/.{11}/g, '$&\r\n').trimEnd());
      add(`${alphabet} at ${before} in escaped lines`, 'base64', text.replace(/.{13}(?=.)/g, '$&\\n'));
      add(`${alphabet} at ${before} in a URL`, 'base64', encodeURIComponent(text));
    }
    add(
      `base64 at ${before} in PHP JSON`,
      'base64',
      base64At(secret, before, 'base64').replaceAll('/', '\\/'),
    );
  }
  const hexText = Buffer.from(secret).toString('hex');
  add('hex', 'hex', hexText);
  add('hex upper', 'hex', hexText.toUpperCase());
  add(
    'hex mixed',
    'hex',
    hexText.replace(/[a-f]/g, (digit, at: number) => (at % 3 === 0 ? digit.toUpperCase() : digit)),
  );
  add('percent all lower', 'percent', percentAll(secret));
  add('percent all upper', 'percent', upperDigits(percentAll(secret)));
  add('percent component', escape(encodeURIComponent(secret), 'percent'), encodeURIComponent(secret));
  const form = new URLSearchParams({ k: secret }).toString().slice(2);
  add('percent form', escape(form, 'percent'), form);
  add('json all lower', 'json', jsonAll(secret));
  add('json all upper', 'json', upperDigits(jsonAll(secret)));
  const json = JSON.stringify(secret).slice(1, -1);
  add('json minimal', escape(json, 'json'), json);
  const php = json.replaceAll('/', '\\/');
  add('json with slashes', escape(php, 'json'), php);
  const go = json.replace(/[<>&]/g, (c) => `\\u00${hex(c.charCodeAt(0), 2)}`);
  add('json for HTML', escape(go, 'json'), go);
  const html = secret
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
  add('html minimal', escape(html, 'html'), html);
  const named = secret.replace(/[!-/:-@[-`{-}]/g, (character) =>
    character === '-' ? character : `&${HTML5_NAMES['!"#$%&\'()*+,./:;<=>?@[\\]^_`{|}'.indexOf(character)]};`,
  );
  add('html 5 names', escape(named, 'html'), named);
  add(
    'html decimal',
    'html',
    entities(secret, (code) => `&#${code};`),
  );
  add(
    'html hex',
    'html',
    entities(secret, (code) => `&#x${code.toString(16)};`),
  );
  add(
    'html hex upper',
    'html',
    entities(secret, (code) => `&#X${code.toString(16).toUpperCase()};`),
  );
  add(
    'html padded',
    'html',
    entities(secret, (code) => `&#00${code};`),
  );
  add('utf-16 le', 'utf16le', Buffer.from(secret, 'utf16le'));
  add('utf-16 be', 'utf16be', Buffer.from(secret, 'utf16le').swap16());
  if (/^[\x00-\xff]*$/.test(secret)) {
    add('latin-1', 'raw', Buffer.from(secret, 'latin1'));
    const latin1 = Array.from(Buffer.from(secret, 'latin1'), (byte) => `%${hex(byte, 2)}`).join('');
    add('percent all of latin-1', 'percent', latin1);
  }
  add('hex with colons', 'hex', hexText.replace(/..(?=.)/g, '$&:'));
  add('hex upper with hyphens', 'hex', hexText.toUpperCase().replace(/..(?=.)/g, '$&-'));
  add('octal', 'json', Array.from(Buffer.from(secret), (byte) => `\\${octal(byte)}`).join(''));
  const python = Array.from(secret, (character) => pythonEscape(character)).join('');
  add('python', escape(python, 'json'), python);
  const latin1Names = secret.replace(/[é÷äöüß]/g, (character) => HTML_LATIN1[character] ?? character);
  add('html latin-1 names', escape(latin1Names, 'html'), latin1Names);
  for (const { label, encoding, text } of doubles(secret)) add(label, escape(text, encoding), text);
  for (const before of [0, 1, 2]) {
    const wide = Buffer.from(secret, 'utf16le');
    add(`base64 at ${before} of utf-16`, 'base64-utf16le', base64At(wide, before, 'base64'));
    for (const inner of [0, 1, 2]) {
      const once = base64At(secret, inner, inner === 1 ? 'base64url' : 'base64');
      const twice = base64At(once, before, 'base64url');
      add(`base64url at ${before} of base64 at ${inner}`, 'base64-base64', twice);
    }
    for (const [label, written] of [
      ['a URL component', encodeURIComponent(secret)],
      ['a form field', form],
      ['JSON', json],
      ['PHP JSON', php],
    ] as const)
      add(`base64 at ${before} of ${label}`, 'base64', base64At(written, before, 'base64'));
  }
  add('mixed', 'mixed', mixed(secret));
  return list;
}

const HTML_LATIN1: Readonly<Record<string, string>> = {
  é: '&eacute;',
  '÷': '&divide;',
  ä: '&auml;',
  ö: '&ouml;',
  ü: '&uuml;',
  ß: '&szlig;',
};
const octal = (byte: number): string => byte.toString(8).padStart(3, '0');

/** As Python's `ascii()` writes it. */
function pythonEscape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\\' || character === "'") return `\\${character}`;
  if (code < 0x80) return character;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

/** One escape on top of another, as servers make them that put a URL into JSON, JSON into HTML and so on. */
function doubles(secret: string): readonly { label: string; encoding: string; text: string }[] {
  const json = (text: string): string => JSON.stringify(text).slice(1, -1);
  const ascii = (text: string): string =>
    json(text).replace(/[^\x00-\x7f]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`);
  const html = (text: string): string =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;');
  const go = (text: string): string =>
    json(text).replace(/[<>&]/g, (one) => `\\u00${hex(one.charCodeAt(0), 2)}`);
  const decimal = entities(secret, (code) => `&#${code};`);
  return [
    { label: 'percent twice', encoding: 'percent', text: encodeURIComponent(encodeURIComponent(secret)) },
    { label: 'percent all twice', encoding: 'percent', text: encodeURIComponent(percentAll(secret)) },
    { label: 'json twice', encoding: 'json', text: json(json(secret)) },
    { label: 'json in ASCII twice', encoding: 'json', text: json(ascii(secret)) },
    { label: 'json all twice', encoding: 'json', text: json(jsonAll(secret)) },
    { label: 'html twice', encoding: 'html', text: html(html(secret)) },
    { label: 'html decimal twice', encoding: 'html', text: html(decimal) },
    { label: 'json in html', encoding: 'mixed', text: html(json(secret)) },
    { label: 'html in json for HTML', encoding: 'mixed', text: go(html(secret)) },
    { label: 'percent of json', encoding: 'mixed', text: encodeURIComponent(json(secret)) },
    { label: 'percent of json all', encoding: 'mixed', text: encodeURIComponent(jsonAll(secret)) },
    { label: 'percent of html', encoding: 'mixed', text: encodeURIComponent(html(secret)) },
    { label: 'percent of html decimal', encoding: 'mixed', text: encodeURIComponent(decimal) },
  ];
}

/** Each character escaped in another way. */
function mixed(secret: string): string {
  const ways = [
    (c: string) => c,
    (c: string) => percentAll(c),
    (c: string) => jsonAll(c),
    (c: string) => entities(c, (code) => `&#${code};`),
    (c: string) => c,
  ];
  return Array.from(secret)
    .map((character, index) => ways[index % ways.length]?.(character) ?? character)
    .join('');
}
