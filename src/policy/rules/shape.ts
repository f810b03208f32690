/**
 * What a condition names, calls and compares, seen in its syntax before anything is evaluated: what is not written down in
 * `functions.ts` is refused here, and from here it is known how long it can take.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { nearest } from '../../manifest/index.ts';
import { usageKey, usageNames } from './usage.ts';
import { COMPREHENSIONS, evaluatedName, FINDERS, FUNCTIONS, LITERALS, VARIABLES } from './functions.ts';

export interface Equality {
  readonly path: string;
  readonly value: string;
}

export interface ConditionFault {
  readonly message: string;
  /** What would be right. */
  readonly expected: string;
  /** Where in the text it is wrong, in characters. */
  readonly offset: number;
}

/** What others know by these names. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  sql: 'sqlVerbs(args.query) and sqlTables(args.query), which read the SQL in an argument',
};

/** How often parts of it run at most: `factor` times the number of values to the `power`. */
interface Cost {
  readonly factor: number;
  readonly power: number;
}

export interface Shape {
  readonly uses: ReadonlySet<string>;
  readonly cost: Cost;
  /** Whether it looks for things in texts: those lists are longer than what they are found in has values. */
  readonly finds: boolean;
  /** Names of fields that it looks at. */
  readonly fields: ReadonlySet<string>;
  /** Of those, the arguments themselves: `args.a`, `at(args, "a.b")`. */
  readonly argumentNames: ReadonlySet<string>;
  readonly equalities: readonly Equality[];
}

export class ShapeFault extends Error {
  readonly fault: ConditionFault;

  constructor(node: ASTNode, message: string, expected: string) {
    super(message);
    this.fault = { message, expected, offset: node.start };
  }
}

/** What it names and calls, and how long it can take. Gives `matches` its own meaning. @throws ShapeFault */
export function inspect(root: ASTNode): Shape {
  const uses = new Set<string>();
  const cost = walk(root, uses, new Set());
  const finds = hasFinder(root);
  if (finds && cost.power > 1)
    throw new ShapeFault(
      root,
      'it goes through what was found in texts within another list',
      'one of them at a time',
    );
  return {
    uses,
    cost,
    finds,
    fields: new Set(fieldsOf(root)),
    argumentNames: new Set(argumentsOf(root)),
    equalities: [...equalitiesOf(root)],
  };
}

/** Of arguments: `args.a`, `x["a"]`, `at(args, "a.b")`. */
function* fieldsOf(node: ASTNode): Generator<string> {
  const { op, args } = node;
  if (op === '.' || op === '.?') {
    const [left, field] = args;
    const isOurs = left.op === 'id' && VARIABLES[left.args] !== undefined && VARIABLES[left.args] !== null;
    if (!isOurs && !isUsage(node)) yield field;
  } else if (op === '[]' || op === '[?]') {
    const [, index] = args;
    if (index.op === 'value' && typeof index.args === 'string') yield index.args;
  } else if (op === 'call' && args[0] === 'at') {
    const [, path] = args[1];
    if (path?.op === 'value' && typeof path.args === 'string') yield* path.args.split('.');
  }
  for (const child of childrenOf(node)) yield* fieldsOf(child);
}

function* argumentsOf(node: ASTNode): Generator<string> {
  const isArgs = (one: ASTNode | undefined): boolean => one?.op === 'id' && one.args === 'args';
  if ((node.op === '.' || node.op === '.?') && isArgs(node.args[0])) yield node.args[1];
  if (node.op === 'call' && node.args[0] === 'at' && isArgs(node.args[1][0])) {
    const path = node.args[1][1];
    if (path?.op === 'value' && typeof path.args === 'string') yield path.args.split('.', 1)[0] ?? '';
  }
  for (const child of childrenOf(node)) yield* argumentsOf(child);
}

const hasFinder = (node: ASTNode): boolean =>
  (node.op === 'call' && FINDERS.has(node.args[0])) || childrenOf(node).some(hasFinder);

function childrenOf(node: ASTNode): readonly ASTNode[] {
  const isNode = (value: unknown): value is ASTNode =>
    typeof value === 'object' && value !== null && 'op' in value && 'input' in value;
  const parts: readonly unknown[] = Array.isArray(node.args) ? node.args.flat() : [node.args];
  return parts.filter(isNode);
}

/** `a.b == "c"`, wherever all of the condition depends on it. */
function* equalitiesOf(node: ASTNode): Generator<Equality> {
  if (node.op === '&&') {
    yield* equalitiesOf(node.args[0]);
    yield* equalitiesOf(node.args[1]);
  } else if (node.op === '==') {
    const [left, right] = node.args;
    const [name, value] = left.op === 'value' ? [right, left] : [left, right];
    const path = pathOf(name);
    if (path !== null && value.op === 'value' && typeof value.args === 'string')
      yield { path, value: JSON.stringify(value.args) };
  }
}

function pathOf(node: ASTNode): string | null {
  if (node.op === 'id') return node.args;
  const left = node.op === '.' ? pathOf(node.args[0]) : null;
  return node.op === '.' && left !== null ? `${left}.${node.args[1]}` : null;
}

const together = (costs: readonly Cost[]): Cost => ({
  factor: costs.reduce((sum, { factor }) => sum + factor, 1),
  power: Math.max(0, ...costs.map(({ power }) => power)),
});

function walk(node: ASTNode, uses: Set<string>, bound: ReadonlySet<string>): Cost {
  const all = (nodes: readonly ASTNode[]): Cost => together(nodes.map((child) => walk(child, uses, bound)));
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- every operator that is left has two or three operands
  switch (node.op) {
    case 'value':
      return together([]);
    case 'id':
      if (!bound.has(node.args)) nameUsed(node, node.args, uses);
      return together([]);
    case '.':
    case '.?': {
      const [left, field] = node.args;
      if (isUsage(node)) return usageRead(node, uses);
      const fields = left.op === 'id' && !bound.has(left.args) ? VARIABLES[left.args] : undefined;
      if (left.op === 'id' && fields !== undefined && fields !== null) {
        if (!fields.includes(field))
          throw unknownName(
            node,
            `${left.args}.${field}`,
            fields.map((one) => `${left.args}.${one}`),
          );
        uses.add(`${left.args}.${field}`);
      }
      return all([left]);
    }
    case 'call':
      return called(node, node.args[0], [], node.args[1], {
        uses,
        bound,
        rename: (name) => (node.args[0] = name),
      });
    case 'rcall':
      return called(node, node.args[0], [node.args[1]], node.args[2], {
        uses,
        bound,
        rename: (name) => (node.args[0] = name),
      });
    case '!_':
    case '-_':
      return all([node.args]);
    case 'list':
      return all(node.args);
    case 'map':
      return all(node.args.flat());
    default:
      return all(node.args);
  }
}

const USAGES = usageNames.map((name) => `usage.${usageKey(name)}`);

/** `usage.tool.day`, and whatever else somebody takes for one. */
const isUsage = (node: ASTNode): boolean => pathOf(node)?.startsWith('usage.') === true;

/** What is read is known from what is written out, so it is written out to its end. */
function usageRead(node: ASTNode, uses: Set<string>): Cost {
  const path = pathOf(node) ?? '';
  if (!USAGES.includes(path)) throw unknownName(node, path, USAGES);
  uses.add('usage').add(path);
  return together([]);
}

interface Walk {
  readonly uses: Set<string>;
  readonly bound: ReadonlySet<string>;
  readonly rename: (name: string) => void;
}

function called(
  node: ASTNode,
  name: string,
  receiver: readonly ASTNode[],
  args: readonly ASTNode[],
  { uses, bound, rename }: Walk,
): Cost {
  if (!FUNCTIONS.has(name)) throw unknownName(node, name, [...FUNCTIONS], 'function');
  const literal = LITERALS.get(name);
  if (literal !== undefined) {
    const given = args[literal.index];
    if (given?.op !== 'value' || typeof given.args !== 'string')
      throw new ShapeFault(given ?? node, `${name} takes this written out`, 'a text in quotes');
    const fault = literal.fault(given.args);
    if (fault !== null) throw new ShapeFault(given, fault, 'one that is valid');
  }
  const [list] = receiver;
  if (!COMPREHENSIONS.has(name) || list === undefined) {
    rename(evaluatedName(name));
    return together([...receiver, ...args].map((child) => walk(child, uses, bound)));
  }
  const range = walk(list, uses, bound);
  const [variable, ...bodies] = args;
  if (variable?.op !== 'id')
    throw new ShapeFault(variable ?? node, `${name} takes the name of a variable first`, 'a name');
  if (VARIABLES[variable.args] !== undefined)
    throw new ShapeFault(variable, `${variable.args} is the name of something else`, 'another name');
  const body = together(bodies.map((child) => walk(child, uses, new Set([...bound, variable.args]))));
  const written = list.op === 'list' ? list.args.length : null;
  return {
    factor: range.factor + (written ?? 1) * body.factor,
    power: Math.max(range.power, body.power + (written === null ? 1 : 0)),
  };
}

/** Names of types are values, too: `type(args.x) == string`. */
const TYPES: ReadonlySet<string> = new Set([
  'string',
  'int',
  'uint',
  'double',
  'bool',
  'list',
  'map',
  'null_type',
]);

function nameUsed(node: ASTNode, name: string, uses: Set<string>): void {
  if (TYPES.has(name)) return;
  if (VARIABLES[name] === undefined) throw unknownName(node, name, Object.keys(VARIABLES));
  if (name === 'usage') throw unknownName(node, name, USAGES);
  uses.add(name);
}

function unknownName(node: ASTNode, name: string, known: readonly string[], kind = 'name'): ShapeFault {
  const near = nearest(name, known);
  const message = `the ${kind} ${JSON.stringify(name)} is unknown${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
  return new ShapeFault(node, message, ELSEWHERE[name] ?? `one of ${known.join(', ')}`);
}
