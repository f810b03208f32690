/**
 * The URIs that a template (RFC 6570) may become, as far as routing needs them: its literal parts, with anything between
 * them. Wider than the RFC, since servers take values that it would have encoded. Linear, whatever the template.
 */
export class UriPattern {
  readonly #first: string;
  readonly #between: readonly string[];
  /** Null: no variable, so one URI. */
  readonly #last: string | null;

  constructor(template: string) {
    const [first = '', ...others] = template.split(/\{[^{}]*\}/);
    this.#first = first;
    this.#last = others.pop() ?? null;
    this.#between = others;
  }

  matches(uri: string): boolean {
    const [first, last] = [this.#first, this.#last];
    if (last === null) return uri === first;
    if (!uri.startsWith(first) || uri.length < first.length + last.length || !uri.endsWith(last))
      return false;
    let at = first.length;
    const end = uri.length - last.length;
    for (const literal of this.#between) {
      const found = uri.indexOf(literal, at);
      if (found === -1 || found + literal.length > end) return false;
      at = found + literal.length;
    }
    return true;
  }

  /** Whether some URI matches both: what is between their ends can always be made so that it does. */
  overlaps(other: UriPattern): boolean {
    if (this.#last === null) return other.matches(this.#first);
    if (other.#last === null) return this.matches(other.#first);
    return (
      isEither(this.#first, other.#first, (long, short) => long.startsWith(short)) &&
      isEither(this.#last, other.#last, (long, short) => long.endsWith(short))
    );
  }
}

const isEither = (a: string, b: string, holds: (long: string, short: string) => boolean): boolean =>
  a.length >= b.length ? holds(a, b) : holds(b, a);
