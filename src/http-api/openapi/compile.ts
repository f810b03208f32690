/** An OpenAPI document to tools, one for each operation that was chosen. */
import { upgradeFromTwoToThree } from '@scalar/openapi-upgrader/2.0-to-3.0';
import { upgradeFromThreeToThreeOne } from '@scalar/openapi-upgrader/3.0-to-3.1';
import { type Json, type JsonObject, limits, err, ok, type Result } from '../../kernel/index.ts';
import type { OperationFilter } from '../../manifest/index.ts';
import type { ApiFault } from '../faults.ts';
import { isObject, listAt, objectAt, own, textAt } from '../json-values.ts';
import { ArgumentNames, distinct, toolName } from '../names.ts';
import type { ApiTool, Base, CompiledApi, OperationPlan, Taken } from '../plan.ts';
import { toolDefinition } from '../tool-definition.ts';
import type { OpenApiText } from './document.ts';
import { parametersOf } from './parameters.ts';
import { pathHoles } from './path-holes.ts';
import { prune, type Pruned } from './prune.ts';
import { bodyOf } from './request-body.ts';
import { ToolSchemas } from './schema.ts';

/** What there is besides the document: the manifest says it. */
export interface OpenApiUse {
  readonly filter: OperationFilter;
  readonly base: Base;
  readonly taken: Taken;
}

/** Codes: `api_document_empty`, `api_document_too_many`, `api_document_too_costly`, `api_document_malformed`. */
export function toolsFromOpenApi(text: OpenApiText, use: OpenApiUse): Result<CompiledApi, ApiFault> {
  const pruned = prune(text, use.filter);
  if (pruned.chosen.length === 0) {
    return err({
      code: 'api_document_empty',
      message: `None of the ${pruned.total} operations in the document is chosen.`,
      hint: 'See `server.operations` of the manifest: tags, methods and paths must each match.',
    });
  }
  if (pruned.chosen.length > limits.apiToolsMax) {
    return err({
      code: 'api_document_too_many',
      message: `The document has ${pruned.chosen.length} operations; ${limits.apiToolsMax} may be tools.`,
      hint: 'Choose some by tag, method or path: `server.operations` of the manifest.',
    });
  }
  const root = upgraded(pruned);
  return root.ok ? compiled(root.value, pruned, use) : root;
}

/** The document as one of version 3.1, whose schemas are JSON Schema. */
function upgraded({ root, version }: Pruned): Result<JsonObject, ApiFault> {
  try {
    const three = version === '2.0' ? plain(upgradeFromTwoToThree(mutable(root))) : root;
    return ok(
      version === '2.0' || version === '3.0' ? plain(upgradeFromThreeToThreeOne(mutable(three))) : three,
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : 'it has another shape';
    return err({
      code: 'api_document_malformed',
      message: `The document is not as its version ${version} says: ${reason}`,
    });
  }
}

/** The upgrader changes what it is given in places, and what was pruned still shares its parts with the document. */
const mutable = (root: JsonObject): Record<string, unknown> => structuredClone({ ...root });

const plain = (value: unknown): JsonObject => {
  const copied: Json = JSON.parse(JSON.stringify(value));
  if (!isObject(copied)) throw new Error('nothing is left of it');
  return copied;
};

function compiled(root: JsonObject, { chosen }: Pruned, use: OpenApiUse): Result<CompiledApi, ApiFault> {
  const leftOut: string[] = [];
  let nodes = 0;
  const made: Made[] = [];
  for (const { method, path } of chosen) {
    const item = objectAt(objectAt(root, 'paths') ?? {}, path) ?? {};
    const operation = objectAt(item, method.toLowerCase());
    const tool =
      operation === undefined ? err('it is no map') : toolFrom({ root, item, operation, method, path }, use);
    if (tool.ok) {
      made.push(tool.value);
      nodes += tool.value.nodes;
      if (nodes > limits.apiSchemaNodesMax) return err(tooCostly);
    } else leftOut.push(`${method} ${path.slice(0, SHOWN_PATH_CHARS)}: ${tool.error}`);
  }
  const tools: ApiTool[] = [];
  let chars = 0;
  for (const { name, facts, plan } of distinct(made)) {
    const definition = toolDefinition({ ...facts, name });
    chars += definition.length;
    if (chars > limits.apiDefinitionsCharsMax) return err(tooCostly);
    if (definition.length <= limits.apiDefinitionCharsMax) tools.push({ name, definition, plan });
    else leftOut.push(`${plan.method} ${plan.path.slice(0, SHOWN_PATH_CHARS)}: its schemas are too long`);
  }
  return ok({ tools, leftOut });
}

/** Of a path in a message. */
const SHOWN_PATH_CHARS = 200;

const tooCostly: ApiFault = {
  code: 'api_document_too_costly',
  message: 'The schemas of its tools are too large together.',
  hint: 'Choose some operations by tag, method or path: `server.operations` of the manifest.',
};

interface Place {
  readonly root: JsonObject;
  readonly item: JsonObject;
  readonly operation: JsonObject;
  readonly method: string;
  readonly path: string;
}

interface Made {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Of its schemas. */
  readonly nodes: number;
  readonly facts: Omit<Parameters<typeof toolDefinition>[0], 'name'>;
  readonly plan: OperationPlan;
}

/** Or why there is no request for it. */
function toolFrom({ root, item, operation, method, path }: Place, use: OpenApiUse): Result<Made, string> {
  const schemas = new ToolSchemas(root);
  const names = new ArgumentNames();
  const context = { root, taken: use.taken, names, schemas };
  const params = parametersOf([listAt(item, 'parameters'), listAt(operation, 'parameters')], context);
  if (!params.ok) return params;
  const { written, path: sent, holes } = pathHoles(path);
  const unfilled = [...holes.keys()].find(
    (hole) => !params.value.some(({ plan }) => plan.in === 'path' && plan.name === hole),
  );
  if (unfilled !== undefined) return err(`nothing says what {${unfilled}} is`);
  const body = bodyOf(operation, context);
  const title = textAt(operation, 'summary');
  const properties = [
    ...params.value.map(({ plan, schema }): [string, Json] => [plan.argument, schema]),
    ...(body?.properties ?? []),
  ];
  return ok({
    name: toolName(textAt(operation, 'operationId'), method, path),
    method,
    path,
    nodes: schemas.nodes,
    facts: {
      title,
      description: descriptionOf(operation, title),
      method,
      path: written,
      properties,
      required: [
        ...params.value.filter(({ plan }) => plan.required).map(({ plan }) => plan.argument),
        ...(body?.required ?? []),
      ],
      schemas: schemas.definitions,
    },
    plan: {
      kind: 'operation',
      base: use.base,
      method,
      path: sent,
      params: params.value
        .filter(({ plan }) => plan.in !== 'path' || holes.has(plan.name))
        .map(({ plan }) => ({
          ...plan,
          spans: (plan.in === 'path' ? holes.get(plan.name) : null) ?? plan.spans,
        })),
      body: body?.plan ?? null,
    },
  });
}

function descriptionOf(operation: JsonObject, title: string | undefined): string {
  const old = own(operation, 'deprecated') === true ? ['Deprecated.'] : [];
  return [...old, textAt(operation, 'description')?.trim() ?? title ?? ''].join('\n\n');
}
