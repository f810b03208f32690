/**
 * What was found in a JSON text, as changes to its raw text: each stands where the walk is, says so by a pointer, and is written
 * the way that its place wants it. Keeps no value.
 */
import type { Edit } from './edit.ts';
import { namedValue } from './detectors/named-secret.ts';
import { isSecretName } from './entropy.ts';
import { JsonPositions } from './escapes.ts';
import { joinedEdits } from './join.ts';
import { type JsonCursor, parsedString, type StringSpan } from './json-cursor.ts';
import type { JsonKey } from './json-key.ts';
import { editFor, type Tools } from './text-masking.ts';

type Path = readonly (JsonKey | number)[];

/** A string that the walk has left behind. */
export interface KeptString extends StringSpan {
  /** Steps to it. */
  readonly path: Path;
}

interface Found {
  readonly rule: number;
  readonly detector: string;
}

export class JsonEdits {
  /** Steps of the pointer to the value that is walked over. */
  readonly path: (JsonKey | number)[] = [];
  readonly all: Edit[] = [];
  readonly #tools: Tools;
  readonly #cursor: JsonCursor;

  constructor(tools: Tools, cursor: JsonCursor) {
    this.#tools = tools;
    this.#cursor = cursor;
  }

  /** The string that was stepped over last, when the walk goes on before it is used. */
  kept(): KeptString {
    return { ...this.#cursor.span(), path: [...this.path] };
  }

  /** @param edits of the raw text where the walk is */
  add(edits: readonly Edit[]): void {
    if (edits.length === 0) return;
    for (const edit of edits) this.all.push({ ...edit, within: this.#pointer(this.path) + edit.within });
  }

  /** @param edits of what a string says, resolved */
  addDecoded(span: StringSpan, edits: readonly Edit[], path: Path = this.path): void {
    if (edits.length === 0) return;
    const { start, isEscaped } = span;
    const positions = isEscaped ? new JsonPositions(this.#cursor.raw, start) : null;
    for (const edit of edits) {
      const from = positions === null ? start + edit.start : positions.of(edit.start);
      const to = positions === null ? start + edit.end : positions.of(edit.end);
      const text = JSON.stringify(edit.text).slice(1, -1);
      this.all.push({ ...edit, start: from, end: to, text, within: this.#pointer(path) + edit.within });
    }
  }

  /** A whole string. */
  whole(span: StringSpan, found: Found, path: Path = this.path): void {
    const { start, end } = span;
    const said = this.#cursor.said(span) ?? this.#cursor.raw.slice(start, end);
    const label = found.detector === 'key' ? (this.#tools.rules.ids[found.rule] ?? '') : found.detector;
    const edit = editFor(this.#tools, said, span, { rule: found.rule, detector: label });
    this.all.push({ ...edit, detector: found.detector, within: this.#pointer(path) });
  }

  /** A number or a word. @param json what takes its place */
  scalar(json: string, found: Found): void {
    const { start, end } = this.#cursor;
    const edit = editFor(this.#tools, '', { start, end }, found);
    this.all.push({ ...edit, text: json, within: this.#pointer(this.path) });
  }

  /** A key that was stepped over last. Masked keys may become the same: no two of an object may be. */
  key(key: JsonKey, masked: Map<string, number>): void {
    const count = masked.get(key.shown) ?? 0;
    masked.set(key.shown, count + 1);
    const last = key.edits.length - 1;
    const edits = key.edits.map((edit, index) =>
      count > 0 && index === last ? { ...edit, text: `${edit.text}~${count + 1}` } : edit,
    );
    this.addDecoded(this.#cursor.span(), edits);
  }

  /** `{"name": "API_KEY", "value": "…"}`. @param rawName as it stands between its quotes */
  named(rawName: string, value: KeptString): void {
    const rule = this.#tools.rules.detectors.get('named-secret');
    const said = this.#cursor.said(value);
    const name = parsedString(`"${rawName}"`);
    if (rule === undefined || said === null || name === null) return;
    if (isSecretName(name) && namedValue(name, said))
      this.whole(value, { rule, detector: 'named-secret' }, value.path);
  }

  /** Strings next to each other: one may go on in the next. */
  join(strings: readonly KeptString[]): void {
    const texts = strings.map((span) => ({ text: this.#cursor.said(span) ?? '' }));
    for (const { index, edits } of joinedEdits(this.#tools, texts)) {
      const span = strings[index];
      if (span !== undefined) this.addDecoded(span, edits, span.path);
    }
  }

  #pointer(path: Path): string {
    return path
      .map(
        (step) =>
          `/${(typeof step === 'number' ? String(step) : step.shown).replaceAll('~', '~0').replaceAll('/', '~1')}`,
      )
      .join('');
  }
}
