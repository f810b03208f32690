/** The tools and prompts of one connection, as far as decisions about them need them. */
import { limits } from '../../kernel/index.ts';
import type { ToolFacts } from '../../policy/index.ts';
import { fetchAll } from './listing.ts';
import { definitionHash } from '../pinning/definition-hash.ts';
import type { ApprovedTool } from '../ports/definitions.ts';
import { find, membersOf, slice, stringAt } from '../protocol/raw-json.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export interface ListedDefinition {
  readonly name: string;
  /** The definition exactly as given. */
  readonly text: string;
  /** What it is approved by; computed when it is first asked for. */
  readonly hash: string;
}

export interface ListedTool extends ListedDefinition, ToolFacts {}

class Listed implements ListedDefinition {
  readonly name: string;
  readonly text: string;
  #hash: string | null;

  constructor(name: string, text: string, hash: string | null = null) {
    this.name = name;
    this.text = text;
    this.#hash = hash;
  }

  get hash(): string {
    this.#hash ??= definitionHash(this.text);
    return this.#hash;
  }
}

/** What is read of a tool's definition at each call of it. */
interface ToolTexts {
  /** Its `annotations` as written; null: it has none. */
  readonly annotations: string | null;
  /** Its `outputSchema` as written; null: it has none. */
  readonly outputSchema: string | null;
}

/** Anything that a server lists. */
type Described = Pick<ListedDefinition, 'text'>;

const toolTexts = new WeakMap<Described, ToolTexts>();

/** Read once for each definition that was listed. */
export function textsOf(tool: Described): ToolTexts {
  const known = toolTexts.get(tool);
  if (known !== undefined) return known;
  const members = membersOf(tool.text);
  const textOf = (name: string): string | null => {
    const span = members?.get(name);
    return span === undefined ? null : slice(tool.text, span);
  };
  const texts = { annotations: textOf('annotations'), outputSchema: textOf('outputSchema') };
  toolTexts.set(tool, texts);
  return texts;
}

class Tool extends Listed implements ListedTool {
  readonly annotations: { readonly readOnlyHint: boolean };

  constructor(name: string, text: string, hash: string | null = null) {
    super(name, text, hash);
    const hint = find(text, 0, ['annotations', 'readOnlyHint']);
    this.annotations = { readOnlyHint: hint !== null && slice(text, hint) === 'true' };
  }
}

/** Reads one element of a list; null when it has no name. */
function named<Kind>(text: string, make: new (name: string, text: string) => Kind): Kind | null {
  const name = stringAt(text, find(text, 0, ['name']));
  return name === null ? null : new make(name, text);
}

export class DefinitionCatalog<Kind extends ListedDefinition> {
  readonly #fetchTexts: () => Promise<readonly string[]>;
  readonly #make: new (
    name: string,
    text: string,
  ) => Kind;
  #known: ReadonlyMap<string, Kind> | null = null;
  /** What was listed, by its text: the same text need not be read, and hashed, at each list. */
  readonly #read = new Map<string, Kind>();
  #fetching: Promise<readonly Kind[]> | null = null;
  /** How often the server said that they changed. */
  #changes = 0;

  constructor(fetchTexts: () => Promise<readonly string[]>, make: new (name: string, text: string) => Kind) {
    this.#fetchTexts = fetchTexts;
    this.#make = make;
  }

  /** The definitions may have changed: the next question asks the server. */
  invalidate(): void {
    this.#known = null;
    this.#fetching = null;
    this.#changes += 1;
  }

  /** Asks the server. Those who ask at the same time share one answer. */
  list(): Promise<readonly Kind[]> {
    if (this.#fetching !== null) return this.#fetching;
    const fetching = this.#fetch().finally(() => {
      if (this.#fetching === fetching) this.#fetching = null;
    });
    this.#fetching = fetching;
    return fetching;
  }

  /** From memory alone. */
  known(name: string): Kind | null {
    return this.#known?.get(name) ?? null;
  }

  /** From memory, or asks the server once when the name is not known. */
  async find(name: string): Promise<Kind | null> {
    return this.known(name) ?? this.findNow(name);
  }

  /** Asks the server. */
  async findNow(name: string): Promise<Kind | null> {
    return (await this.list()).findLast((one) => one.name === name) ?? null;
  }

  /** What the server answered to somebody else: calls are judged by the latest that it said. Without what has no name. */
  noted(texts: readonly string[]): readonly Kind[] {
    const noted = texts
      .map((text) => this.#read.get(text) ?? named(text, this.#make))
      .filter((one) => one !== null);
    for (const one of noted) this.#read.set(one.text, one);
    if (isTooMuch(this.#read)) this.#read.clear();
    if (this.#known !== null) {
      const known = new Map([...this.#known, ...noted.map((one) => [one.name, one] as const)]);
      // A server that says something new each time is asked for what it says now.
      this.#known = isTooMuch(known) ? null : known;
    }
    return noted;
  }

  async #fetch(): Promise<readonly Kind[]> {
    const changes = this.#changes;
    const texts = await this.#fetchTexts();
    const listed = this.noted(texts);
    // What was said before a change is not kept after it.
    if (changes === this.#changes) this.#known = new Map(listed.map((one) => [one.name, one]));
    return listed;
  }
}

const approvedTools = new WeakMap<readonly ApprovedTool[], readonly ListedTool[]>();

/** What was agreed to, as if a server had listed it: the same array for the same one. */
export function asListed(approved: readonly ApprovedTool[]): readonly ListedTool[] {
  const known = approvedTools.get(approved);
  if (known !== undefined) return known;
  const listed = approved.map(({ name, text, hash }) => new Tool(name, text, hash));
  approvedTools.set(approved, listed);
  return listed;
}

function isTooMuch(known: ReadonlyMap<string, ListedDefinition>): boolean {
  let chars = 0;
  for (const { text } of known.values()) chars += text.length;
  return known.size > limits.mcpListItemsMax || chars > limits.mcpListCharsMax;
}

export class ToolCatalog extends DefinitionCatalog<ListedTool> {
  constructor(connection: UpstreamConnection) {
    super(() => fetchAll(connection, 'tools/list'), Tool);
  }
}

export class PromptCatalog extends DefinitionCatalog<ListedDefinition> {
  constructor(connection: UpstreamConnection) {
    super(() => fetchAll(connection, 'prompts/list'), Listed);
  }
}
