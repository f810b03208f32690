/**
 * Resources and templates that one server lists with characters that nobody can see in what a model reads of them. They
 * are data, which changes as data does, so they are neither agreed to nor withheld: the operator's log says so, once for
 * each and of a few.
 */
import { limits, type Log } from '../../kernel/index.ts';
import { printable } from '../protocol/printable.ts';
import { find, stringAt } from '../protocol/raw-json.ts';
import { characterFlags } from './deceptive-characters.ts';
import { isApprovable } from './definition-hash.ts';
import { stringsOf } from './strings.ts';

/** All that such a character can be written as. */
const NOT_PLAIN = /[^\t\n\r -~]|\\u/u;
const SHOWN_CHARS = 200;

export class ResourceReport {
  readonly #slug: string;
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(slug: string, log: Log) {
    this.#slug = slug;
    this.#log = log;
  }

  /** @param member where the address of an entry stands: `uri`, or `uriTemplate` */
  look(member: 'uri' | 'uriTemplate', entries: readonly string[]): void {
    for (const text of entries.slice(0, limits.resourcesReadMax)) {
      if (this.#told.size >= limits.definitionFindingsMax) return;
      if (!NOT_PLAIN.test(text) || !isApprovable(text)) continue;
      const flags = new Set(stringsOf(text).flatMap((string) => characterFlags(string.text)));
      const uri = printable(stringAt(text, find(text, 0, [member])) ?? '', SHOWN_CHARS);
      if (flags.size === 0 || this.#told.has(uri)) continue;
      this.#told.add(uri);
      this.#log.warn('mcp.resource.deceptive', { server: this.#slug, [member]: uri, characters: [...flags] });
    }
  }
}
