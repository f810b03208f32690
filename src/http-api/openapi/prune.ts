/**
 * A document without what no tool is made of: answers, examples, callbacks, operations that nobody chose, and the schemas
 * that only those need. Of GitHub's 13 MB, some 2 are left; whatever walks the document afterwards walks those.
 */
import type { Json, JsonObject } from '../../kernel/index.ts';
import type { OperationFilter } from '../../manifest/index.ts';
import { isList, isObject, objectAt, own } from '../json-values.ts';
import type { OpenApiText } from './document.ts';
import { isSelected, type OperationHead } from './filter.ts';
import { follow, pointerSteps, referenceIn } from './references.ts';

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'] as const;
const OPERATION_KEYS = [
  'operationId',
  'summary',
  'description',
  'tags',
  'parameters',
  'requestBody',
  'security',
  'servers',
  'deprecated',
  'consumes',
] as const;
const ROOT_KEYS = [
  'openapi',
  'swagger',
  'info',
  'servers',
  'security',
  'host',
  'basePath',
  'schemes',
  'consumes',
  'securityDefinitions',
] as const;
const SECTIONS = ['schemas', 'parameters', 'requestBodies', 'pathItems'] as const;

export interface Pruned {
  readonly root: JsonObject;
  readonly version: OpenApiText['version'];
  /** What the filter chose, by path and method, in the order of the document. */
  readonly chosen: readonly { readonly method: string; readonly path: string }[];
  /** How many operations there were to choose from. */
  readonly total: number;
}

/** Every operation of a document, references of whole paths followed. */
export function operationsOf(root: JsonObject): OperationHead[] {
  return Object.entries(objectAt(root, 'paths') ?? {}).flatMap(([path, item]) => {
    const methods = pathItem(root, item);
    if (methods === undefined || !path.startsWith('/')) return [];
    return METHODS.flatMap((method) => {
      const operation = objectAt(methods, method);
      return operation === undefined ? [] : [{ method: method.toUpperCase(), path, operation }];
    });
  });
}

/** A path's entry, or the one that it refers to. */
function pathItem(root: JsonObject, item: Json | undefined): JsonObject | undefined {
  if (!isObject(item)) return undefined;
  const reference = referenceIn(item);
  if (reference === undefined) return item;
  const target = follow(root, reference);
  return isObject(target) ? { ...target, ...without(item, '$ref') } : undefined;
}

const without = (value: JsonObject, key: string): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));

const picked = (value: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(
    keys.flatMap((key) => {
      const member = own(value, key);
      return member === undefined ? [] : [[key, member]];
    }),
  );

export function prune({ root, version }: OpenApiText, filter: OperationFilter): Pruned {
  const all = operationsOf(root);
  const selected = all.filter((head) => isSelected(head, filter));
  const paths: Record<string, Record<string, Json>> = Object.create(null);
  for (const { method, path, operation } of selected) {
    const item = pathItem(root, objectAt(root, 'paths')?.[path]) ?? {};
    const kept = (paths[path] ??= { ...picked(item, ['parameters', 'servers']) });
    kept[method.toLowerCase()] = picked(operation, OPERATION_KEYS);
  }
  const needed = neededBy(root, Object.values(paths));
  for (const path of needed.paths) {
    paths[path] = { ...pathItem(root, objectAt(root, 'paths')?.[path]), ...paths[path] };
  }
  const small: Record<string, Json> = { ...picked(root, ROOT_KEYS), paths: { ...paths } };
  for (const [section, members] of needed.old) small[section] = members;
  const schemes = objectAt(objectAt(root, 'components') ?? {}, 'securitySchemes');
  const components: Record<string, Json> = Object.fromEntries(needed.components);
  if (schemes !== undefined) components['securitySchemes'] = schemes;
  if (version !== '2.0') small['components'] = components;
  return {
    root: small,
    version,
    chosen: selected.map(({ method, path }) => ({ method, path })),
    total: all.length,
  };
}

interface Needed {
  readonly components: readonly (readonly [string, JsonObject])[];
  /** Sections of version 2.0, which stand at the top. */
  readonly old: readonly (readonly [string, JsonObject])[];
  /** Paths into whose entries something refers. */
  readonly paths: ReadonlySet<string>;
}

/** What references lead to from here, and from there, and so on. */
function neededBy(root: JsonObject, from: readonly Json[]): Needed {
  const found = new Map<string, Json>();
  const paths = new Set<string>();
  const open: Json[] = [...from];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (isList(value)) {
      open.push(...value.filter((item) => typeof item === 'object' && item !== null));
      continue;
    }
    if (!isObject(value)) continue;
    const reference = referenceIn(value);
    const key = reference === undefined ? undefined : placeOf(reference);
    if (reference !== undefined && key !== undefined && !found.has(key)) {
      const target = follow(root, key);
      if (target !== undefined) {
        found.set(key, target);
        open.push(target);
        const [section, path] = pointerSteps(key) ?? [];
        if (section === 'paths' && path !== undefined) paths.add(path);
      }
    }
    for (const member of Object.values(value))
      if (typeof member === 'object' && member !== null) open.push(member);
  }
  const sectionOf = (prefix: string, section: string): [string, JsonObject] => [
    section,
    Object.fromEntries(
      [...found].flatMap(([key, value]) => {
        const steps = pointerSteps(key) ?? [];
        const name = steps.at(-1);
        return name !== undefined && key.startsWith(`#/${prefix}${section}/`) ? [[name, value]] : [];
      }),
    ),
  ];
  return {
    components: SECTIONS.map((section) => sectionOf('components/', section)),
    old: ['definitions', 'parameters']
      .map((section) => sectionOf('', section))
      .filter(([, members]) => Object.keys(members).length > 0),
    paths,
  };
}

const MEMBER = /^#\/(?:components\/[^/]+|definitions|parameters)\/[^/]+/;

/** The member of a section that a reference leads to or into; for one into a path's entry, the reference itself. */
const placeOf = (reference: string): string | undefined =>
  reference.startsWith('#/paths/') ? reference : MEMBER.exec(reference)?.[0];
