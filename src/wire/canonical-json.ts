/**
 * One text for every way to write a JSON value: the order of an object's members, spaces and escapes do not count, and
 * everything else does. Numbers keep their text: `1.0` is not `1` to everybody, and a double holds less than a text.
 *
 * Takes JSON that was checked. Members that are named twice both count, in their order.
 */

/** The same text for every way to write one value. In one pass: a server chooses how deep it goes. */
export const canonicalJson = (text: string): string => new Writer(text).value();

const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const SCALAR = /[-+.0-9a-zA-Z]+/y;

class Writer {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): string {
    const first = this.#next();
    if (first === '{') return `{${this.#members().join(',')}}`;
    if (first === '[') return `[${this.#items().join(',')}]`;
    return first === '"' ? this.#string() : this.#take(SCALAR);
  }

  #members(): readonly string[] {
    const members: { readonly key: string; readonly value: string }[] = [];
    this.#at += 1;
    while (this.#next() === '"') {
      const key = this.#string();
      this.#skip(':');
      members.push({ key, value: this.value() });
      this.#skip(',');
    }
    this.#skip('}');
    // A stable sort: members of the same name stay in their order.
    members.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    return members.map(({ key, value }) => `${key}:${value}`);
  }

  #items(): readonly string[] {
    const items: string[] = [];
    this.#at += 1;
    while (this.#next() !== ']' && this.#at < this.#text.length) {
      items.push(this.value());
      this.#skip(',');
    }
    this.#skip(']');
    return items;
  }

  #string(): string {
    return JSON.stringify(JSON.parse(this.#take(STRING)));
  }

  /** The character that comes after spaces. */
  #next(): string | undefined {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
    return this.#text[this.#at];
  }

  #skip(character: string): void {
    if (this.#next() === character) this.#at += 1;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) throw new Error('the text is no JSON');
    this.#at += found[0].length;
    return found[0];
  }
}
