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
  const taken = new Set<string>(tools.filter(({ name }) => counts.get(name) === 1).map(({ name }) => name));
  const sorted = [...tools].sort((a, b) => (`${a.path} ${a.method}` < `${b.path} ${b.method}` ? -1 : 1));
  const renamed = new Map<T, string>();
  for (const tool of sorted) {
    if (counts.get(tool.name) === 1) continue;
    renamed.set(tool, free(pathName(tool.method, tool.path), taken, limits.mcpNameCharsMax));
  }
  return tools.map((tool) => ({ ...tool, name: renamed.get(tool) ?? tool.name }));
}

/** Takes the name, or the next free one with a number after it. */
function free(name: string, taken: Set<string>, charsMax: number): string {
  for (let number = 1; ; number += 1) {
    const suffix = number === 1 ? '' : `_${number}`;
    const candidate = name.slice(0, charsMax - suffix.length) + suffix;
    if (taken.has(candidate)) continue;
    taken.add(candidate);
    return candidate;
  }
}

/** The names of one tool's arguments. A name that is taken already gets its place before it: `query_id`. */
export class ArgumentNames {
  readonly #taken = new Set<string>();

  /** @param place `path`, `query`, `header`, `cookie` or `body` */
  take(name: string, place: string): string {
    const plain = cleaned(name, NOT_IN_ARGUMENTS).slice(0, NAME_CHARS_MAX) || place;
    return free(this.#taken.has(plain) ? `${place}_${plain}` : plain, this.#taken, NAME_CHARS_MAX);
  }
}
