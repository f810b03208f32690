/** Every string of a definition with the place where it stands: what a model or a person may get to read of it. */
import { jsonItems, jsonMembers, type JsonSpan } from '../../wire/index.ts';

export interface PlacedString {
  /** `description`, `inputSchema.properties.path.description`; of a member's name, the object that has it. */
  readonly place: string;
  readonly text: string;
  /** The name of a member, not a value. */
  readonly isKey: boolean;
}

/** @param text checked JSON */
export function stringsOf(text: string): readonly PlacedString[] {
  const found: PlacedString[] = [];
  const start = text.search(/[^ \t\r\n]/);
  walk(text, { start, end: text.trimEnd().length }, '', found);
  return found;
}

function walk(text: string, span: JsonSpan, place: string, found: PlacedString[]): void {
  const first = text[span.start];
  const below = (step: string): string => (place === '' ? step : `${place}.${step}`);
  if (first === '{') {
    for (const member of jsonMembers(text, span)) {
      found.push({ place, text: member.key, isKey: true });
      walk(text, member, below(member.key), found);
    }
  } else if (first === '[') {
    for (const [index, item] of jsonItems(text, span).entries())
      walk(text, item, below(String(index)), found);
  } else if (first === '"') {
    found.push({ place, text: String(JSON.parse(text.slice(span.start, span.end))), isKey: false });
  }
}
