/**
 * Looks in the body of a POST for the field by which frameworks take it for another method: `_method` in a form (Rails,
 * Laravel, Symfony), in a multipart form, and in JSON (Laravel). Rules have to allow that method too (ATTACKS 13). It reads
 * rather too much as such a field than too little, as the most lenient servers do; what it cannot read counts as every method.
 */
import { limits } from '../../kernel/index.ts';
import type { Refusal } from '../refusals.ts';

/** Takes a body piece by piece, undecoded. */
export interface MethodWatch {
  /** @returns why the request is refused, with what was found so far */
  push(data: Buffer): Refusal | null;
  /** The body is complete. */
  end(): Refusal | null;
}

/** @returns why the request is refused if it is also one with these methods */
type Judge = (methods: readonly string[]) => Refusal | null;

interface Kind {
  /** Stands before the first byte, and behind the last one. */
  readonly edge: string;
  /** The field, up to its value. */
  readonly name: RegExp;
  /** From there: the value, and what ends it. */
  readonly value: RegExp;
}

/** Letters in either case, each as it is or escaped. */
const spelled = (text: string, escaped: string): string =>
  Array.from(
    text,
    (letter) =>
      `(?:${letter}|${escaped}${letter.charCodeAt(0).toString(16)}|${escaped}${letter.toUpperCase().charCodeAt(0).toString(16)})`,
  ).join('');
const NAMES = ['method', 'httpmethod'];
const names = (escaped: string): string => NAMES.map((name) => spelled(name, escaped)).join('|');

/** PHP drops blanks before a name, takes what no variable can be called for an underscore, and ends a name at NUL. */
const FORM: Kind = {
  edge: '&',
  name: new RegExp(
    `[&;](?:[ +\\t]|%20|%09|%0[a-d])*(?:[_.[ +]|%5f|%2e|%5b|%20)(?:${names('%')})(?:%00[^=&;]*)?=`,
    'i',
  ),
  value: /^([^&;]*)[&;]/,
};
const MULTIPART: Kind = {
  edge: '',
  name: /name\*?[ \t]*=(?:[ \t]*(?:[\w-]*'[\w-]*'["']?|["']))?\s*[_.[ ](?:http)?method(?![\w-])/i,
  value: /^[^]*?\r?\n\r?\n([^\r\n]*)\r?\n--/,
};
const JSON_TEXT: Kind = {
  edge: '',
  name: new RegExp(`"${spelled('_', '\\\\u00')}(?:${names('\\\\u00')})"\\s*:\\s*`, 'i'),
  value: /^(?:"([^"]*)"|[^"\s])/,
};

/** What it may mean that cannot be read. */
const ANY = ['GET', 'PUT', 'PATCH', 'DELETE'];

/**
 * @param type every Content-Type of the request; empty without one, which some servers take for a form
 * @returns null where nobody looks for a method
 */
export function watchMethods(type: string, judge: Judge): MethodWatch | null {
  if (/multipart\//i.test(type)) return new FieldWatch(MULTIPART, judge);
  if (/json/i.test(type)) return new FieldWatch(JSON_TEXT, judge);
  return type === '' || /x-www-form-urlencoded/i.test(type) ? new FieldWatch(FORM, judge) : null;
}

class FieldWatch implements MethodWatch {
  readonly #kind: Kind;
  readonly #judge: Judge;
  /** What may be the beginning of a field, or of one's value. Latin-1. */
  #held: string;
  #refused: Refusal | null = null;

  constructor(kind: Kind, judge: Judge) {
    this.#kind = kind;
    this.#judge = judge;
    this.#held = kind.edge;
  }

  push(data: Buffer): Refusal | null {
    if (this.#refused === null) this.#search(this.#held + data.toString('latin1'), false);
    return this.#refused;
  }

  end(): Refusal | null {
    if (this.#refused === null) this.#search(this.#held + this.#kind.edge, true);
    return this.#refused;
  }

  #search(text: string, isAll: boolean): void {
    const { name, value } = this.#kind;
    let rest = text;
    for (let field = name.exec(rest); field !== null; field = name.exec(rest)) {
      const start = field.index + field[0].length;
      const known = rest.slice(start, start + limits.methodFieldBytesMax);
      const found = value.exec(known);
      if (found === null && !isAll && known.length < limits.methodFieldBytesMax) {
        this.#held = rest.slice(field.index);
        return;
      }
      this.#found(found === null ? null : (found[1] ?? ''));
      if (this.#refused !== null) return;
      /* What ends one field may begin the next. */
      rest = rest.slice(start + Math.max(0, (found?.[0].length ?? 0) - 1));
    }
    this.#held = rest.slice(-limits.methodNameBytesMax);
  }

  /** @param said null where that is not to be made out */
  #found(said: string | null): void {
    if (said?.trim() === '') return;
    this.#refused = this.#judge(said !== null && /^[a-z]+$/i.test(said) ? [said.toUpperCase()] : ANY);
  }
}
