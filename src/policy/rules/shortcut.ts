/**
 * Most conditions compare names and arguments with what is written out. Those parts are made functions once, because a walk
 * over the syntax for each of a hundred rules is most of what a decision costs. They answer where no two readings are
 * possible, and leave everything else, every mistake included, to the evaluator: what a condition means is its to say.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { CallValue, ClientValue, EgressValue, VARIABLES } from './functions.ts';
import { UsageCountsValue, UsageValue } from './usage.ts';

/** What conditions can ask for, by name. */
export type Context = Readonly<Record<string, unknown>>;

/** Undefined: not certain. */
type Shortcut = (context: Context) => boolean | undefined;
type Read = (context: Context) => unknown;

/** @returns null where nothing of it can be certain */
export function shortcutOf(node: ASTNode): Shortcut | null {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- what is left is the evaluator's
  switch (node.op) {
    case '&&':
      return joined(node.args, false);
    case '||':
      return joined(node.args, true);
    case '!_': {
      const held = shortcutOf(node.args);
      return held === null ? null : (context) => negated(held(context));
    }
    case '==':
      return compared(node.args, equal);
    case '!=':
      return compared(node.args, (left, right) => negated(equal(left, right)));
    case '<':
      return compared(node.args, (left, right) => ordered(left, right, (a, b) => a < b));
    case '<=':
      return compared(node.args, (left, right) => ordered(left, right, (a, b) => a <= b));
    case '>':
      return compared(node.args, (left, right) => ordered(left, right, (a, b) => a > b));
    case '>=':
      return compared(node.args, (left, right) => ordered(left, right, (a, b) => a >= b));
    case 'in':
      return listedIn(node.args);
    case 'call':
      return node.args[0] === 'has' ? present(node.args[1][0]) : null;
    case 'rcall':
      return searched(node.args[0], node.args[1], node.args[2]);
    default:
      return null;
  }
}

/** @param decisive what ends it when it comes first */
function joined([first, second]: readonly [ASTNode, ASTNode], decisive: boolean): Shortcut | null {
  const [left, right] = [shortcutOf(first), shortcutOf(second)];
  if (left === null) return null;
  return (context) => {
    const held = left(context);
    return held === undefined || held === decisive ? held : right?.(context);
  };
}

const negated = (held: boolean | undefined): boolean | undefined => (held === undefined ? undefined : !held);

function compared(
  [first, second]: readonly [ASTNode, ASTNode],
  compare: (left: unknown, right: unknown) => boolean | undefined,
): Shortcut | null {
  const [left, right] = [readOf(first), readOf(second)];
  return left === null || right === null ? null : (context) => compare(left(context), right(context));
}

const isPlain = (value: unknown): boolean => typeof value === 'string' || typeof value === 'boolean';
const isNumber = (value: unknown): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';

const equal = (left: unknown, right: unknown): boolean | undefined =>
  typeof left === typeof right && isPlain(left) ? left === right : undefined;

const ordered = (
  left: unknown,
  right: unknown,
  holds: (left: number | bigint, right: number | bigint) => boolean,
): boolean | undefined => (isNumber(left) && isNumber(right) ? holds(left, right) : undefined);

/** `args.a in ["b", "c"]`. */
function listedIn([item, list]: readonly [ASTNode, ASTNode]): Shortcut | null {
  const read = readOf(item);
  if (read === null || list.op !== 'list') return null;
  const texts = list.args.flatMap((one) =>
    one.op === 'value' && typeof one.args === 'string' ? [one.args] : [],
  );
  if (texts.length < list.args.length) return null;
  const known = new Set(texts);
  return (context) => {
    const value = read(context);
    return typeof value === 'string' ? known.has(value) : undefined;
  };
}

/** `has(args.a)`. */
function present(node: ASTNode | undefined): Shortcut | null {
  if (node?.op !== '.') return null;
  const [object, field] = node.args;
  const read = readOf(object);
  if (read === null) return null;
  return (context) => {
    const value = read(context);
    return value instanceof Map ? value.has(field) : undefined;
  };
}

const SEARCHES: Readonly<Record<string, (text: string, part: string) => boolean>> = {
  contains: (text, part) => text.includes(part),
  startsWith: (text, part) => text.startsWith(part),
  endsWith: (text, part) => text.endsWith(part),
};

/** `args.a.contains("b")`. */
function searched(name: string, receiver: ASTNode, [part]: readonly ASTNode[]): Shortcut | null {
  const search = Object.hasOwn(SEARCHES, name) ? SEARCHES[name] : undefined;
  const read = readOf(receiver);
  if (search === undefined || read === null || part?.op !== 'value') return null;
  const wanted: unknown = part.args;
  if (typeof wanted !== 'string') return null;
  return (context) => {
    const text = read(context);
    return typeof text === 'string' ? search(text, wanted) : undefined;
  };
}

/** A value that is written out, or that stands in what is asked about. Undefined where there is none. */
function readOf(node: ASTNode): Read | null {
  if (node.op === 'value') {
    const value: unknown = node.args;
    return () => value;
  }
  if (node.op === 'id') {
    const name = node.args;
    return Object.hasOwn(VARIABLES, name) ? (context) => context[name] : null;
  }
  if (node.op !== '.') return null;
  const [object, field] = node.args;
  const read = readOf(object);
  if (read === null) return null;
  return (context) => fieldOf(read(context), field);
}

const OURS = [CallValue, ClientValue, EgressValue, UsageValue, UsageCountsValue] as const;

function fieldOf(value: unknown, field: string): unknown {
  if (value instanceof Map) return value.get(field);
  return OURS.some((type) => value instanceof type) && Object.hasOwn(Object(value), field)
    ? Reflect.get(Object(value), field)
    : undefined;
}
