/** The tools of one connection, as far as a decision about a call needs them: name and `readOnlyHint`. */
import type { ToolFacts } from '../policy/index.ts';
import { fetchAll } from './listing.ts';
import { find, slice, stringAt } from './raw-json.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export interface ListedTool extends ToolFacts {
  /** The definition exactly as given. */
  readonly text: string;
}

/** Reads one element of `tools`; null when it has no name. */
export function readTool(text: string): ListedTool | null {
  const name = stringAt(text, find(text, 0, ['name']));
  if (name === null) return null;
  const hint = find(text, 0, ['annotations', 'readOnlyHint']);
  return { name, annotations: { readOnlyHint: hint !== null && slice(text, hint) === 'true' }, text };
}

export class ToolCatalog {
  readonly #connection: UpstreamConnection;
  #known: ReadonlyMap<string, ListedTool> | null = null;
  #fetching: Promise<readonly ListedTool[]> | null = null;

  constructor(connection: UpstreamConnection) {
    this.#connection = connection;
  }

  /** The definitions may have changed: the next question asks the server. */
  invalidate(): void {
    this.#known = null;
  }

  /** Asks the server. Those who ask at the same time share one answer. */
  list(): Promise<readonly ListedTool[]> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  /** From memory, or asks the server once when the name is not known. */
  async find(name: string): Promise<ListedTool | null> {
    const known = this.#known?.get(name);
    if (known !== undefined) return known;
    await this.list();
    return this.#known?.get(name) ?? null;
  }

  async #fetch(): Promise<readonly ListedTool[]> {
    const tools = (await fetchAll(this.#connection, 'tools/list'))
      .map(readTool)
      .filter((tool) => tool !== null);
    this.#known = new Map(tools.map((tool) => [tool.name, tool]));
    return tools;
  }
}
