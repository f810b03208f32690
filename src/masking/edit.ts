/** Changes to a text: found in any order, resolved to ones that do not overlap, applied. What lies between them keeps its bytes. */

export interface Edit {
  /** Half-open range in the text. */
  readonly start: number;
  readonly end: number;
  /** What takes its place. */
  readonly text: string;
  /** Index of the rule whose strategy it was. */
  readonly rule: number;
  /** The more of it wins where two edits overlap: how little the replacement says. */
  readonly strictness: number;
  /** The detector, or what else found it. */
  readonly detector: string;
  /** Where in JSON that stands within a string: a pointer, or empty. */
  readonly within: string;
}

/** In order, none overlapping: of two that do, both ranges are replaced by what the stricter one says. */
export function resolve(edits: readonly Edit[]): readonly Edit[] {
  if (edits.length < 2) return edits;
  const sorted = edits.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const resolved: Edit[] = [];
  for (const edit of sorted) {
    const last = resolved.at(-1);
    if (last === undefined || edit.start >= last.end) resolved.push(edit);
    else resolved[resolved.length - 1] = united(last, edit);
  }
  return resolved;
}

function united(first: Edit, second: Edit): Edit {
  const winner = second.strictness > first.strictness ? second : first;
  return { ...winner, start: first.start, end: Math.max(first.end, second.end) };
}

/** @param edits resolved */
export function apply(text: string, edits: readonly Edit[]): string {
  if (edits.length === 0) return text;
  const parts: string[] = [];
  let at = 0;
  for (const edit of edits) {
    parts.push(text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  parts.push(text.slice(at));
  return parts.join('');
}
