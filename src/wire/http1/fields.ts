/**
 * The field lines of one HTTP/1.1 message, in the order received. Text is Latin-1, one character per
 * byte, so that what is passed on is what arrived. Names are compared in lower case.
 */
import { isBlank } from './line-bytes.ts';

const NONE: readonly string[] = [];

/** Field lines. Positions are the same in all three lists. */
export class Fields {
  /** Names as the sender wrote them. */
  readonly names: string[] = [];
  /** The same names in lower case. */
  readonly keys: string[] = [];
  readonly values: string[] = [];

  get length(): number {
    return this.keys.length;
  }

  /** @param name as it is to be written */
  add(name: string, value: string): void {
    this.append(name, name.toLowerCase(), value);
  }

  /** The same where the lower-case form is known. @param key `name` in lower case */
  append(name: string, key: string, value: string): void {
    this.names.push(name);
    this.keys.push(key);
    this.values.push(value);
  }

  /** Value of the first field with this name. @param key in lower case */
  get(key: string): string | undefined {
    const at = this.keys.indexOf(key);
    return at < 0 ? undefined : this.values[at];
  }

  /** How many fields have this name. @param key in lower case */
  count(key: string): number {
    let count = 0;
    for (const candidate of this.keys) if (candidate === key) count += 1;
    return count;
  }

  /** Replaces the value at a position that `keys` gave. */
  setAt(index: number, value: string): void {
    this.values[index] = value;
  }

  /** Members of a comma-separated field, over all its lines, trimmed and in lower case. @param key in lower case */
  list(key: string): readonly string[] {
    const first = this.keys.indexOf(key);
    if (first < 0) return NONE;
    const members: string[] = [];
    for (let index = first; index < this.keys.length; index += 1) {
      if (this.keys[index] !== key) continue;
      for (const part of (this.values[index] ?? '').split(',')) {
        const member = withoutBlanks(part).toLowerCase();
        if (member !== '') members.push(member);
      }
    }
    return members;
  }
}

/** Without the blanks of RFC 9110 around it; `trim` would take other characters too. */
export function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
