/**
 * The path of an operation with its holes. A value fills one segment; where the document says that it has several (as names
 * of resources have at Google: `projects/a/topics/b`), its slashes are sent as they are. Pure.
 */
import type { JsonObject } from '../../kernel/index.ts';
import { own, textAt } from '../json-values.ts';
import type { Spans } from '../plan.ts';

export interface PathHoles {
  /** As the document has it, in characters that a request can have. */
  readonly written: string;
  /** The same with `{name}` for each hole. */
  readonly path: string;
  /** Names of the holes, with the segments that their text in the path says; null: it says nothing. */
  readonly holes: ReadonlyMap<string, Spans | null>;
}

const ANY: Spans = ['**'];

/** `{name}`, `{+name}` (RFC 6570) and `{name=shelves/**}` (Google's `http.proto`). */
export function pathHoles(path: string): PathHoles {
  const holes = new Map<string, Spans | null>();
  const written = sentPath(path);
  const plain = written.replaceAll(/\{([^{}]*)\}/g, (_hole, inner: string) => {
    const [said = '', ...pattern] = inner.split('=');
    const name = said.replace(/^\+/, '');
    const spans = pattern.length > 0 ? pattern.join('=').split('/') : null;
    holes.set(name, spans ?? (said.startsWith('+') ? ANY : null));
    return `{${name}}`;
  });
  return { written, path: plain, holes };
}

/**
 * The segments that a parameter's own entry says: any number for `allowReserved` (OpenAPI 3.2), and where its values have to
 * match a pattern with a slash in it. The pattern itself is not tried: it may be one that takes for ever.
 */
export function spansOf(param: JsonObject, schema: JsonObject): Spans | null {
  if (own(param, 'allowReserved') === true) return ANY;
  const outsideOfSets = (textAt(schema, 'pattern') ?? '').replaceAll(/\[(?:\\.|[^\]\\])*\]/g, '');
  return outsideOfSets.includes('/') ? ANY : null;
}

/**
 * The path of a document as one that a request can have. Documents tell two entries of one path apart by what is not sent: a
 * fragment, or characters that nobody sees.
 */
const sentPath = (path: string): string =>
  path
    .replace(/#.*$/s, '')
    .replaceAll(/\p{Cf}/gu, '')
    .replaceAll(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character.toWellFormed()));
