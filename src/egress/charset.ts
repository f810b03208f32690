/**
 * Character sets of answers. A key is looked for in ASCII and in UTF-16; in a character set in which ASCII is other bytes
 * (EBCDIC, UTF-7, UTF-32) it would come through. No browser knows those, but frameworks do, and some answer in the one that
 * a request asks for. So they are not asked for, and what says that it is in one is not passed on.
 */

/**
 * Names that the Encoding Standard does not have, of what ASCII is the same in. With what people write who mean nothing by it.
 */
const ASCII_ALIKE: ReadonlySet<string> = new Set([
  'utf8mb3',
  'utf8mb4',
  'utf-8-sig',
  'cp437',
  'ibm437',
  'cp850',
  'ibm850',
  'cp852',
  'cp858',
  'cp932',
  'ms932',
  'cp936',
  'cp949',
  'cp950',
  'binary',
  'default',
  'none',
  'null',
  'undefined',
  'unknown',
]);

/** `charset*` is the same name to whoever knows RFC 2231. */
const PARAMETER = /charset\*?[ \t]*=[ \t]*("[^"]*"?|'[^']*'?|[^\s;,]*)/gi;

/** Whether a key would be found in text of a type that has this as its Content-Type. */
export function isReadableType(contentType: string): boolean {
  return !/charset/i.test(contentType) || charsetsOf(contentType).every(isReadable);
}

/** An Accept value without the character sets that could not be read. */
export function withoutUnreadableCharsets(accept: string): string {
  if (!/charset/i.test(accept)) return accept;
  return accept.replace(
    /(?:(?<![ \t])[ \t]+)?;[ \t]*(charset\*?[ \t]*=[ \t]*(?:"[^"]*"?|'[^']*'?|[^\s;,]*))/gi,
    (all, one: string) => (isReadableType(one) ? all : ''),
  );
}

const charsetsOf = (text: string): readonly string[] =>
  Array.from(text.matchAll(PARAMETER), ([, said = '']) =>
    said
      .replace(/^["']|["']$/g, '')
      .trim()
      .toLowerCase(),
  );

/**
 * Every encoding that the Encoding Standard decodes is ASCII where a text is ASCII, or UTF-16; but one has sequences that
 * choose between its parts and stand for nothing, and could stand between any two characters of a key.
 */
function isReadable(name: string): boolean {
  if (name === '' || name === 'utf-8' || ASCII_ALIKE.has(name)) return true;
  try {
    return new TextDecoder(name).encoding !== 'iso-2022-jp';
  } catch {
    return false;
  }
}
