/** The tools and prompts of one connection, as far as decisions about them need them. */
import type { ToolFacts } from '../policy/index.ts';
import { fetchAll } from './listing.ts';
import { definitionHash } from './pinning/definition-hash.ts';
import { find, slice, stringAt } from './raw-json.ts';
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
  #hash: string | null = null;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }

  get hash(): string {
    this.#hash ??= definitionHash(this.text);
    return this.#hash;
  }
}

class Tool extends Listed implements ListedTool {
  readonly annotations: { readonly readOnlyHint: boolean };

  constructor(name: string, text: string) {
    super(name, text);
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

  /** From memory, or asks the server once when the name is not known. */
  async find(name: string): Promise<Kind | null> {
    const known = this.#known?.get(name);
    if (known !== undefined) return known;
    return this.findNow(name);
  }

  /** Asks the server. */
  async findNow(name: string): Promise<Kind | null> {
    return (await this.list()).findLast((one) => one.name === name) ?? null;
  }

  /** What the server answered to somebody else: calls are judged by the latest that it said. Without what has no name. */
  noted(texts: readonly string[]): readonly Kind[] {
    const noted = texts
      .map((text) => {
        const one = named(text, this.#make);
        const known = one === null ? undefined : this.#known?.get(one.name);
        return known?.text === text ? known : one;
      })
      .filter((one) => one !== null);
    if (this.#known !== null) {
      this.#known = new Map([...this.#known, ...noted.map((one) => [one.name, one] as const)]);
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
