/** A toolspec of the registry to tools: its parameters are flat, and say themselves where they go. Pure. */
import { err, type JsonObject, ok, type Result } from '../kernel/index.ts';
import type { SpecParam, SpecTool, ToolSpec } from '../manifest/index.ts';
import { parseBase } from './base.ts';
import type { ApiFault } from './faults.ts';
import { ArgumentNames } from './names.ts';
import type { ApiTool, Base, BodyPlan, CompiledApi, ParamPlan, Style, Taken } from './plan.ts';
import { fieldKey, isOwnField } from './serialise/fields.ts';
import { toolDefinition } from './tool-definition.ts';

/** Codes: `api_base_invalid`. */
export function toolsFromToolSpec(spec: ToolSpec, taken: Taken): Result<CompiledApi, ApiFault> {
  const tools: ApiTool[] = [];
  for (const tool of spec.tools) {
    const base = parseBase(tool.baseUrl === '' ? spec.baseUrl : tool.baseUrl);
    if (!base.ok) return err(base.error);
    tools.push(toolFrom(tool, base.value, taken));
  }
  return ok({ tools, leftOut: [] });
}

function toolFrom(tool: SpecTool, base: Base, taken: Taken): ApiTool {
  const names = new ArgumentNames();
  const params = tool.params
    .filter((param) => !isTaken(param, taken))
    .map((param): Named => ({ ...param, argument: names.take(param.name, param.in) }));
  return {
    name: tool.name,
    definition: toolDefinition({
      name: tool.name,
      title: undefined,
      description: tool.description,
      method: tool.method,
      path: tool.path,
      properties: params.map((param) => [param.argument, schemaOf(param)]),
      required: params.filter(({ required }) => required).map(({ argument }) => argument),
      schemas: {},
    }),
    plan: {
      kind: 'operation',
      base,
      method: tool.method,
      path: tool.path,
      params: params.flatMap(paramPlan),
      body: bodyPlan(tool, params),
    },
  };
}

type Named = SpecParam & {
  /** The name in a form that every client takes: `$set` is `set`, `ids[]` is `ids`. */
  readonly argument: string;
};

/** Where a credential goes, and what is the connection's, is not for an argument. */
function isTaken({ name, in: place }: SpecParam, taken: Taken): boolean {
  if (place === 'header') return isOwnField(name) || taken.headers.has(fieldKey(name));
  if (place === 'query') return taken.query.has(name);
  return place === 'body' && taken.body.has(name);
}

const schemaOf = ({ type, description }: SpecParam): JsonObject => ({
  type,
  ...(type === 'array' ? { items: {} } : {}),
  ...(description === '' ? {} : { description }),
});

function paramPlan({ argument, name, in: place, type, required }: Named): ParamPlan[] {
  if (place !== 'path' && place !== 'query' && place !== 'header') return [];
  return [
    {
      argument,
      name,
      in: place,
      style: styleIn(place, type),
      explode: true,
      reserved: false,
      spans: null,
      required,
    },
  ];
}

/** Lists as one parameter for each item, maps as JSON: what their descriptions ask for. */
function styleIn(place: string, type: string): Style {
  if (type === 'object') return 'json';
  return place === 'query' || place === 'body' ? 'form' : 'simple';
}

function bodyPlan(tool: SpecTool, params: readonly Named[]): BodyPlan | null {
  const inBody = params.filter((param) => param.in === 'body');
  if (inBody.length === 0) return null;
  const isForm = tool.encoding === 'form';
  return {
    encoding: isForm ? 'form' : 'json',
    contentType: isForm ? 'application/x-www-form-urlencoded' : 'application/json',
    required: inBody.some(({ required }) => required),
    content: {
      fields: inBody.map(({ argument, name, type, required }) => ({
        argument,
        name,
        required,
        style: styleIn('body', type),
        explode: true,
        file: false,
        contentType: null,
      })),
    },
  };
}
