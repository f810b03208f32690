/** A tool as an MCP server would list it, from what a document says. Pure. */
import { type Json, type JsonObject, limits } from '../kernel/index.ts';
import { hintsOf } from './hints.ts';

export interface ToolFacts {
  readonly name: string;
  readonly title: string | undefined;
  readonly description: string;
  readonly method: string;
  readonly path: string;
  readonly properties: readonly (readonly [string, Json])[];
  readonly required: readonly string[];
  /** Schemas that the properties refer to, by `#/$defs/NAME`. */
  readonly schemas: JsonObject;
}

export function toolDefinition(facts: ToolFacts): string {
  const { name, title, description, method, path, properties, required, schemas } = facts;
  const shown = title === undefined ? undefined : clipped(title, limits.apiTitleCharsMax);
  const said = description === '' ? `${method} ${path}` : `${description}\n\n${method} ${path}`;
  return JSON.stringify({
    name,
    ...(shown === undefined ? {} : { title: shown }),
    description: clipped(said, limits.apiDescriptionCharsMax),
    inputSchema: {
      type: 'object',
      properties: Object.fromEntries(properties),
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: false,
      ...(Object.keys(schemas).length === 0 ? {} : { $defs: schemas }),
    },
    annotations: hintsOf(method, shown),
  });
}

function clipped(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  return `${text.slice(0, charsMax - 2).replace(/[\uD800-\uDBFF]$/, '')} …`;
}
