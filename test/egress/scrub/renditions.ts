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
function base64At(secret: string, before: number, encoding: 'base64' | 'base64url'): string {
  const value = Buffer.from(secret);
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
  add('mixed', 'mixed', mixed(secret));
  return list;
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
