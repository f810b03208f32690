/**
 * Field lines of a head or a trailer section (RFC 9112 section 5). One scan over the bytes decides whether a line is
 * accepted and remembers where its parts are; text is made for all lines at once. Only a refused line is looked
 * at again, to say why.
 */
import type { Fields } from './fields.ts';
import { COLON, HTAB, isBlank, isLineEnd, SPACE, VALUE_BYTE } from './line-bytes.ts';
import type { Http1Reason } from './reasons.ts';
import { isNamed, isWrittenAs, NAME_BYTE, nameHash, usualNameAt } from './usual-names.ts';

/** Numbers kept of each line: where the name begins and ends, where the value begins and ends, the name's hash. */
const MARKS = 5;

/** Accepted lines of one buffer, until they become text. */
export class FieldLines {
  readonly #marks: number[] = [];
  #count = 0;

  /** Lines that were accepted and are not yet text. */
  get count(): number {
    return this.#count;
  }

  /** @returns position after the line, or -1 when it is not one, or not complete */
  scan(bytes: Uint8Array, at: number): number {
    const { length } = bytes;
    let position = at;
    let hash = 0;
    let byte = 0;
    for (; position < length; position += 1) {
      byte = NAME_BYTE[bytes[position] ?? 0] ?? 0;
      if (byte === 0) break;
      hash = nameHash(hash, byte);
    }
    const nameEnd = position;
    if (nameEnd === at || bytes[nameEnd] !== COLON) return -1;
    position += 1;
    while (position < length && isBlank(bytes[position])) position += 1;
    const valueStart = position;
    while (position < length && VALUE_BYTE[bytes[position] ?? 0] === 1) position += 1;
    if (position + 1 >= length || !isLineEnd(bytes, position)) return -1;
    let valueEnd = position;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd -= 1;
    const mark = this.#count * MARKS;
    this.#marks[mark] = at;
    this.#marks[mark + 1] = nameEnd;
    this.#marks[mark + 2] = valueStart;
    this.#marks[mark + 3] = valueEnd;
    this.#marks[mark + 4] = hash;
    this.#count += 1;
    return position + 2;
  }

  /**
   * Adds the lines to `fields` and forgets them.
   *
   * @param bytes that were scanned
   * @param text of these bytes in Latin-1, beginning with the byte at `textStart`
   */
  moveTo(fields: Fields, bytes: Uint8Array, text: string, textStart: number): void {
    const marks = this.#marks;
    const end = this.#count * MARKS;
    this.#count = 0;
    for (let mark = 0; mark < end; mark += MARKS) {
      const start = marks[mark] ?? 0;
      const nameEnd = marks[mark + 1] ?? 0;
      const usual = usualNameAt(marks[mark + 4] ?? 0);
      const isUsual = usual !== undefined && isWrittenAs(usual, bytes, start, nameEnd);
      const name = isUsual ? usual.written : text.slice(start - textStart, nameEnd - textStart);
      const isKnown = isUsual || (usual !== undefined && isNamed(usual, bytes, start, nameEnd));
      const key = isKnown ? usual.key : name.toLowerCase();
      let valueStart = marks[mark + 2] ?? 0;
      let valueEnd = marks[mark + 3] ?? 0;
      if (key === 'transfer-encoding') {
        /* Parsers differ about tabs around this one value. They stay, and it is none that is known. */
        valueStart = nameEnd + 1;
        while (isBlank(bytes[valueEnd])) valueEnd += 1;
        while (bytes[valueStart] === SPACE) valueStart += 1;
        while (valueEnd > valueStart && bytes[valueEnd - 1] === SPACE) valueEnd -= 1;
      }
      fields.append(name, key, text.slice(valueStart - textStart, valueEnd - textStart));
    }
  }

  clear(): void {
    this.#count = 0;
  }
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Why a line was not accepted. @param line without its CRLF */
export function fieldLineReason(line: string): Http1Reason {
  const first = line.charCodeAt(0);
  if (first === SPACE || first === HTAB) return 'field_folded';
  const colon = line.indexOf(':');
  if (colon < 0) return line.includes('\r') ? 'bare_cr' : 'field_malformed';
  const name = line.slice(0, colon);
  if (!TOKEN.test(name)) return /[\t ]$/.test(name) ? 'field_space_before_colon' : 'field_name_invalid';
  return line.includes('\r', colon) ? 'bare_cr' : 'field_value_invalid';
}
