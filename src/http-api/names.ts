/**
 * Names that every client takes: of tools, and of the arguments of one. The same document gives the same names,
 * whatever the order of its paths.
 */
import { limits } from '../kernel/index.ts';

const NOT_IN_TOOLS = /[^A-Za-z0-9_-]+/g;
const NOT_IN_ARGUMENTS = /[^A-Za-z0-9_.-]+/g;
const EDGES = /^_+|_+$/g;
const NAME_CHARS_MAX = 64;

/** What a tool is called after its operation: by its own name, or else by method and path. */
export function toolName(operationId: string | undefined, method: string, path: string): string {
  const named = operationId === undefined ? '' : cleaned(operationId, NOT_IN_TOOLS);
  return (named === '' ? pathName(method, path) : named).slice(0, limits.mcpNameCharsMax);
}

const pathName = (method: string, path: string): string =>
  cleaned(`${method.toLowerCase()}${path}`, NOT_IN_TOOLS);

const cleaned = (text: string, unwanted: RegExp): string =>
  text.replaceAll(unwanted, '_').replaceAll(EDGES, '');

interface Named {
  readonly name: string;
  readonly method: string;
  readonly path: string;
}

/** Gives each its own name: those that share one are told apart by method and path, and then by number. */
export function distinct<T extends Named>(tools: readonly T[]): T[] {
  const counts = new Map<string, number>();
  for (const { name } of tools) counts.set(name, (counts.get(name) ?? 0) + 1);
  const single = tools.filter(({ name }) => counts.get(name) === 1).map(({ name }) => name);
  const taken = new Taken(single, limits.mcpNameCharsMax);
  const sorted = [...tools].sort((a, b) => (`${a.path} ${a.method}` < `${b.path} ${b.method}` ? -1 : 1));
  const renamed = new Map<T, string>();
  for (const tool of sorted) {
    if (counts.get(tool.name) === 1) continue;
    renamed.set(tool, taken.take(pathName(tool.method, tool.path)));
  }
  return tools.map((tool) => ({ ...tool, name: renamed.get(tool) ?? tool.name }));
}

/** Names that are given, and how often each was asked for. */
class Taken {
  readonly #names: Set<string>;
  readonly #asked = new Map<string, number>();
  readonly #charsMax: number;

  constructor(names: Iterable<string>, charsMax: number) {
    this.#names = new Set(names);
    this.#charsMax = charsMax;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** The name, or the next free one with a number after it. */
  take(name: string): string {
    for (let number = (this.#asked.get(name) ?? 0) + 1; ; number += 1) {
      const suffix = number === 1 ? '' : `_${number}`;
      const candidate = name.slice(0, this.#charsMax - suffix.length) + suffix;
      if (this.#names.has(candidate)) continue;
      this.#asked.set(name, number);
      this.#names.add(candidate);
      return candidate;
    }
  }
}

/** The names of one tool's arguments. A name that is taken already gets its place before it: `query_id`. */
export class ArgumentNames {
  readonly #taken = new Taken([], NAME_CHARS_MAX);

  /** @param place `path`, `query`, `header`, `cookie` or `body` */
  take(name: string, place: string): string {
    const plain = cleaned(name, NOT_IN_ARGUMENTS).slice(0, NAME_CHARS_MAX) || place;
    return this.#taken.take(this.#taken.has(plain) ? `${place}_${plain}` : plain);
  }
}
