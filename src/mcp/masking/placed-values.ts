/**
 * Where the data stands in what a server says: rules by key and by pointer are about that, and not about the names that
 * the protocol has for its own. Detectors and patterns look at everything, and need none of this.
 *
 * Trusts that the text is valid JSON. A member that is not known to be the protocol's is data.
 */
import type { Masked, Masker, MaskingHit } from '../../masking/index.ts';
import {
  type Edit,
  elementsOf,
  membersOf,
  slice,
  type Span,
  splice,
  stringAt,
} from '../protocol/raw-json.ts';

/** What holds further members of the protocol's own, or lists of such. */
const ENVELOPES: ReadonlySet<string> = new Set([
  'content',
  'contents',
  'messages',
  'resource',
  'inputRequests',
  'params',
]);
/** Texts that may be JSON. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'message', 'systemPrompt']);
/** Documents, for which pointers are. */
const DOCUMENTS: ReadonlySet<string> = new Set(['structuredContent', '_meta', 'data', 'metadata']);
/** The protocol's own words, encoded contents, and what both sides go by. */
const OWN: ReadonlySet<string> = new Set([
  'annotations',
  'blob',
  'code',
  'description',
  'elicitationId',
  'icons',
  'id',
  'isError',
  'level',
  'logger',
  'method',
  'mimeType',
  'mode',
  'name',
  'progress',
  'progressToken',
  'requestedSchema',
  'requestId',
  'requestState',
  'resultType',
  'role',
  'size',
  'title',
  'total',
  'type',
  'uri',
  'url',
]);

/** @param text an object of the protocol: a result, an error, parameters. @returns it with what the masker finds in its data masked */
export function maskPlaced(text: string, masker: Masker): Masked {
  const walk = new Walk(text, masker);
  walk.visit({ start: 0, end: text.length }, '');
  return walk.edits.length === 0 ? { text, hits: [] } : { text: splice(text, walk.edits), hits: walk.hits };
}

class Walk {
  readonly edits: Edit[] = [];
  readonly hits: MaskingHit[] = [];
  readonly #text: string;
  readonly #masker: Masker;

  constructor(text: string, masker: Masker) {
    this.#text = text;
    this.#masker = masker;
  }

  visit(span: Span, at: string): void {
    const items = elementsOf(this.#text, span);
    if (items !== null) for (const [index, item] of items.entries()) this.visit(item, `${at}/${index}`);
    if (this.#text[span.start] !== '{') return;
    const members = membersOf(this.#text, span.start);
    // Which of two of one name is meant is anybody's guess: then all of it is data.
    if (members === null) return this.#add(span, this.#masker.maskJson(slice(this.#text, span)), at);
    for (const [name, member] of members) this.#member(name, member, `${at}/${escaped(name)}`);
  }

  #member(name: string, span: Span, at: string): void {
    const isNested = '[{'.includes(this.#text.charAt(span.start));
    const said = stringAt(this.#text, span);
    if (ENVELOPES.has(name) && isNested) this.visit(span, at);
    else if (TEXTS.has(name) && said !== null) this.#addText(span, said, at);
    else if (DOCUMENTS.has(name)) {
      if (said !== null) this.#addText(span, said, at);
      else if (isNested) this.#add(span, this.#masker.maskJson(slice(this.#text, span)), at);
    } else if (!OWN.has(name)) this.#addNamed(name, span, at);
  }

  #addText(span: Span, said: string, at: string): void {
    const { maskJson, maskText } = this.#masker;
    const { text, hits } = /^\s*[[{]/.test(said) ? maskJson(said) : maskText(said);
    this.#add(span, { text: JSON.stringify(text), hits }, `${at}#`);
  }

  /** A member whose name counts, too. */
  #addNamed(name: string, span: Span, at: string): void {
    const { text, hits } = this.#masker.maskJson(`{${JSON.stringify(name)}:${slice(this.#text, span)}}`);
    const [value] = membersOf(text)?.values() ?? [];
    if (value !== undefined)
      this.#add(span, { text: slice(text, value), hits }, at.slice(0, at.lastIndexOf('/')));
  }

  #add({ start, end }: Span, { text, hits }: Masked, at: string): void {
    if (hits.length === 0) return;
    this.edits.push({ start, end, text });
    for (const hit of hits) this.hits.push({ ...hit, where: at + hit.where });
  }
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
