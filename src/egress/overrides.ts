/**
 * Fields and parameters by which a request says that it is another one than its first line tells: frameworks and servers
 * that know them would do what no rule was asked about (ATTACKS 13).
 */
import type { Fields, RequestHead } from '../wire/index.ts';
import { decodePercent } from './inject/percent.ts';

const METHOD_FIELDS: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]);
/** Symfony, Laravel and others, Salesforce. */
const METHOD_PARAMETERS: ReadonlySet<string> = new Set(['_method', '_httpmethod']);
/** IIS, Symfony and others take the target from these. */
const TARGET_FIELDS: ReadonlySet<string> = new Set(['x-original-url', 'x-rewrite-url']);

/** Servers that give fields to programs as variables (CGI, WSGI, Rack, PHP) tell no underscore from a hyphen. */
const hyphenated = (key: string): string => (key.includes('_') ? key.replaceAll('_', '-') : key);

/** Names of the fields that are one of these, as they stand in the head. */
const namesOf = ({ keys }: Fields, known: ReadonlySet<string>): readonly string[] =>
  keys.filter((key) => key.startsWith('x') && known.has(hyphenated(key)));

/** Every method that an upstream may take the request for, in upper case: rules have to allow each. */
export function methodsOf({ method, fields, target }: RequestHead): readonly string[] {
  const inFields = namesOf(fields, METHOD_FIELDS).flatMap((key) => fields.list(key));
  const others = [...inFields, ...inQuery(target)];
  return others.length === 0 ? [method] : [method, ...others.map((name) => name.toUpperCase())];
}

function inQuery(target: string): readonly string[] {
  const mark = target.indexOf('?');
  if (mark < 0 || !/method|%/i.test(target)) return [];
  return target
    .slice(mark + 1)
    .split(/[&;]/)
    .map((parameter) => decodePercent(parameter.replaceAll('+', ' ')).split('='))
    .filter(([name = '']) => METHOD_PARAMETERS.has(variableName(name)))
    .map(([, value = '']) => value)
    .filter((value) => value !== '');
}

/** PHP drops blanks before a name, takes what no variable can be called for an underscore, and ends a name at NUL. */
const variableName = (name: string): string =>
  (name.split('\0', 1)[0] ?? '').trimStart().replaceAll(/[ .[]/g, '_').toLowerCase();

/** The first field that stands in for the target; null when there is none. */
export function targetOverride({ fields }: RequestHead): string | null {
  return namesOf(fields, TARGET_FIELDS)[0] ?? null;
}
