/**
 * Finds tools by words: names and titles count most, then what they say of themselves, then their parameters and their
 * servers. Ranked by BM25 over all tools of the index.
 *
 * Definitions are their servers' words and queries their clients': both are bounded here, and neither can do more than be
 * found or find.
 */
import type MiniSearch from 'minisearch';
import { limits } from '../../kernel/index.ts';
import type { ListedTool } from '../upstream/tool-catalog.ts';
import { synonymsOf } from './synonyms.ts';
import { wordsOf } from './words.ts';

/** The tools of one server, and what the server is called. */
export interface Indexed {
  readonly slug: string;
  readonly title: string | null;
  readonly tools: readonly ListedTool[];
}

export interface Hit {
  readonly slug: string;
  readonly tool: ListedTool;
}

/** What is searched of one tool, as words. */
interface Entry {
  readonly id: number;
  readonly name: readonly string[];
  readonly title: readonly string[];
  readonly description: readonly string[];
  readonly parameters: readonly string[];
  readonly details: readonly string[];
  readonly server: readonly string[];
}

const FIELDS = ['name', 'title', 'description', 'parameters', 'details', 'server'] as const;
const BOOST = { name: 5, title: 3, description: 2, parameters: 1, details: 0.4, server: 1.5 };
/** By how much more a tool counts whose server the query names. */
const NAMED_SERVER_WEIGHT = 3;
/** What a word counts that was not asked for but means the same. */
const SYNONYM_WEIGHT = 0.35;
const FUZZY_CHARS_MIN = 5;
/** How many characters of a word may be others, as a share of all. */
const FUZZY_SHARE = 0.25;
const FUZZY_MAX = 2;
/** Of one query, how many words may be mistyped. */
const FUZZY_WORDS_MAX = 4;
const PREFIX_CHARS_MIN = 3;
/** Entries between two turns of the event loop. */
const ENTRIES_PER_TURN = 25;

export class ToolIndex {
  readonly #hits: readonly Hit[];
  readonly #index: MiniSearch<Entry>;
  readonly #known: ReadonlySet<string>;
  /** The words of each server's slug. */
  readonly #servers: ReadonlyMap<string, readonly string[]>;

  private constructor(hits: readonly Hit[], index: MiniSearch<Entry>, known: ReadonlySet<string>) {
    this.#hits = hits;
    this.#servers = new Map(hits.map((hit) => [hit.slug, wordsOf(hit.slug)]));
    this.#index = index;
    this.#known = known;
  }

  /** Does its work in small pieces: others are served meanwhile. */
  static async of(servers: readonly Indexed[]): Promise<ToolIndex> {
    const { default: Index } = await import('minisearch');
    const index = new Index<Entry>({
      fields: [...FIELDS],
      tokenize: (text) => text.split(' ').filter((word) => word !== ''),
      processTerm: (word) => word,
      stringifyField: (value) => (Array.isArray(value) ? value.join(' ') : ''),
      autoVacuum: false,
    });
    const hits: Hit[] = [];
    const known = new Set<string>();
    for (const { slug, title, tools } of servers) {
      const server = wordsOf(`${slug} ${title ?? ''}`);
      for (const tool of tools) {
        if (hits.length % ENTRIES_PER_TURN === 0) await turn();
        const entry: Entry = { id: hits.length, ...searched(tool), server };
        index.add(entry);
        for (const field of FIELDS) for (const word of entry[field]) known.add(word);
        hits.push({ slug, tool });
      }
    }
    return new ToolIndex(hits, index, known);
  }

  /**
   * The best first.
   *
   * @param query in anybody's words; without any that count, every tool is as good as any other
   * @param slug only tools of this server; null: of all
   */
  rank(query: string, slug: string | null): readonly Hit[] {
    const text = query.slice(0, limits.mcpFindQueryCharsMax);
    const asked = [...new Set(wordsOf(text))].slice(0, limits.mcpFindWordsMax);
    const isWanted = ({ slug: of }: Hit): boolean => slug === null || of === slug;
    if (asked.length === 0) return this.#hits.filter(isWanted);
    const meant = new Set(asked.flatMap((word) => [...synonymsOf(word)]));
    const words = [...asked, ...[...meant].filter((word) => !asked.includes(word) && this.#known.has(word))];
    const isAsked = new Set(asked);
    // Only what no definition says is taken for mistyped, and only so much of it: it is what costs most.
    const mistyped = new Set(
      asked
        .filter((word) => !this.#known.has(word) && word.length >= FUZZY_CHARS_MIN)
        .slice(0, FUZZY_WORDS_MAX),
    );
    const named = new Set(
      [...this.#servers]
        .filter(([, parts]) => parts.length > 0 && parts.every((part) => isAsked.has(part)))
        .map(([of]) => of),
    );
    const found = this.#index.search(text, {
      tokenize: () => words,
      boost: BOOST,
      boostDocument: (id) => (named.has(this.#hits[Number(id)]?.slug ?? '') ? NAMED_SERVER_WEIGHT : 1),
      boostTerm: (word) => (isAsked.has(word) ? 1 : SYNONYM_WEIGHT),
      prefix: (word) => isAsked.has(word) && word.length >= PREFIX_CHARS_MIN,
      fuzzy: (word) => (mistyped.has(word) ? FUZZY_SHARE : false),
      maxFuzzy: FUZZY_MAX,
      weights: { prefix: 0.3, fuzzy: 0.3 },
    });
    const ranked = found.map(({ id }) => this.#hits[Number(id)]).filter((hit) => hit !== undefined);
    const exact = text.trim();
    const isExact = ({ tool }: Hit): boolean => tool.name === exact;
    return [...ranked.filter(isExact), ...ranked.filter((hit) => !isExact(hit))].filter(isWanted);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const TEXT_CHARS_MAX = 4_000;
const PARAMETERS_MAX = 100;
const SCHEMA_DEPTH_MAX = 3;

function searched({ name, text }: ListedTool): Omit<Entry, 'id' | 'server'> {
  const definition: unknown = JSON.parse(text);
  const parameters: string[] = [];
  const details: string[] = [];
  walk(memberOf(definition, 'inputSchema'), SCHEMA_DEPTH_MAX, parameters, details);
  const annotations = memberOf(definition, 'annotations');
  return {
    name: wordsOf(name.slice(0, TEXT_CHARS_MAX)),
    title: wordsIn([memberOf(definition, 'title'), memberOf(annotations, 'title')]),
    description: wordsIn([memberOf(definition, 'description')]),
    parameters: wordsIn(parameters),
    details: wordsIn(details),
  };
}

const wordsIn = (texts: readonly unknown[]): string[] =>
  wordsOf(
    texts
      .filter((text) => typeof text === 'string')
      .join(' ')
      .slice(0, TEXT_CHARS_MAX),
  );

/** Names and descriptions of parameters, those of what they hold too. */
function walk(schema: unknown, depth: number, names: string[], details: string[]): void {
  const properties = memberOf(schema, 'properties');
  if (typeof properties === 'object' && properties !== null) {
    for (const [name, below] of Object.entries(properties)) {
      if (names.length >= PARAMETERS_MAX) return;
      names.push(name);
      const description = memberOf(below, 'description');
      if (typeof description === 'string') details.push(description);
      if (depth > 1) walk(below, depth - 1, names, details);
    }
  }
  const items = memberOf(schema, 'items');
  if (depth > 1 && items !== undefined) walk(items, depth - 1, names, details);
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
