/**
 * Fields by which a request says that it is another one than its first line tells: frameworks and servers that know
 * them would do what no rule was asked about (ATTACKS 13).
 */
import type { RequestHead } from '../wire/index.ts';

const METHOD_FIELDS = ['x-http-method-override', 'x-http-method', 'x-method-override'];
/** IIS, Symfony and others take the target from these. */
const TARGET_FIELDS = ['x-original-url', 'x-rewrite-url'];

/** Every method that an upstream may take the request for, in upper case: rules have to allow each. */
export function methodsOf({ method, fields }: RequestHead): readonly string[] {
  const others = METHOD_FIELDS.flatMap((key) => fields.list(key));
  return others.length === 0 ? [method] : [method, ...others.map((name) => name.toUpperCase())];
}

/** The first field that stands in for the target; null when there is none. */
export function targetOverride({ fields }: RequestHead): string | null {
  return TARGET_FIELDS.find((key) => fields.count(key) > 0) ?? null;
}
