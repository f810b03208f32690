/** One field line of a head or a trailer section (RFC 9112 section 5), without its CRLF. */
import type { Fields } from './fields.ts';
import type { Http1Reason } from './reasons.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** HTAB, SP, visible ASCII, and obs-text, which is passed through as it is. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const HTAB = 9;
const SPACE = 32;

const isBlank = (code: number): boolean => code === SPACE || code === HTAB;

/** Adds the line to `fields`. @returns null, or why it is refused */
export function readFieldLine(line: string, fields: Fields, fieldsMax: number): Http1Reason | null {
  if (isBlank(line.charCodeAt(0))) return 'field_folded';
  const colon = line.indexOf(':');
  if (colon < 0) return line.includes('\r') ? 'bare_cr' : 'field_malformed';
  const name = line.slice(0, colon);
  if (!TOKEN.test(name)) {
    return colon > 0 && isBlank(line.charCodeAt(colon - 1))
      ? 'field_space_before_colon'
      : 'field_name_invalid';
  }
  let start = colon + 1;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  const value = line.slice(start, end);
  if (!VALUE.test(value)) return value.includes('\r') ? 'bare_cr' : 'field_value_invalid';
  if (fields.length >= fieldsMax) return 'fields_too_many';
  fields.add(name, value);
  return null;
}
