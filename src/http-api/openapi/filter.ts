/** Which operations of a document become tools. Pure. */
import type { JsonObject } from '../../kernel/index.ts';
import type { OperationFilter } from '../../manifest/index.ts';
import { listAt, textAt } from '../json-values.ts';

/** One operation, before anything of it is read that only tools need. */
export interface OperationHead {
  /** In capitals. */
  readonly method: string;
  readonly path: string;
  readonly operation: JsonObject;
}

/**
 * Whether a filter lets an operation through: it must match each of the lists that are there, and nothing of `exclude`.
 * `/repos/*` matches one more segment, `/repos/**` any number, none included.
 */
export function isSelected({ method, path, operation }: OperationHead, filter: OperationFilter): boolean {
  const { tags, methods, paths, exclude = [] } = filter;
  if (methods !== undefined && !methods.some((one) => one === method)) return false;
  if (
    tags !== undefined &&
    !listAt(operation, 'tags').some((tag) => typeof tag === 'string' && tags.includes(tag))
  )
    return false;
  if (paths !== undefined && !paths.some((pattern) => matchesPath(pattern, path))) return false;
  const id = textAt(operation, 'operationId');
  return !exclude.some((one) => (one.startsWith('/') ? matchesPath(one, path) : one === id));
}

function matchesPath(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const there = path.split('/');
  const open = wanted.at(-1) === '**';
  if (open) wanted.pop();
  if (open ? there.length < wanted.length : there.length !== wanted.length) return false;
  return wanted.every((step, index) => step === '*' || step === there[index]);
}
