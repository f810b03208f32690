/**
 * Conditions: expressions of CEL, checked when a policy is loaded and evaluated over hostile arguments. What one may name
 * and call is written down in `functions.ts`; how long it can take follows from its shape and the size of the arguments,
 * and is known before it begins. It answers yes, no, or why it cannot be judged; it never throws.
 */
import { type ASTNode, type Environment, ParseError } from '@marcbachmann/cel-js';
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import { createEnvironment } from './functions.ts';
import { type ConditionFault, type Equality, inspect, type Shape, ShapeFault } from './shape.ts';
import { Unjudged } from './meter.ts';
import { Facts } from './facts.ts';
import { foldedKey } from './hostile-values.ts';
import { type Context, shortcutOf } from './shortcut.ts';
import { type RuleRequest, type Subject, subjects } from './request.ts';

export interface Condition {
  /** As it was written. */
  readonly text: string;
  /** Names of variables that it asks for, and of fields of them: `args`, `call`, `call.tool`. */
  readonly uses: ReadonlySet<string>;
  /** What it can be asked about. */
  readonly subjects: ReadonlySet<Subject>;
  /** Its value where it asks for nothing. */
  readonly constant: boolean | null;
  /** What has to be equal for it to hold: the text of a name, and the value as JSON. */
  readonly equalities: readonly Equality[];
  /** Arguments that it looks at. */
  readonly argumentNames: ReadonlySet<string>;
  judge(facts: Facts): Verdict;
}

type Verdict = { readonly met: boolean } | { readonly met: null; readonly fault: string };

const MET: Verdict = { met: true };
const NOT_MET: Verdict = { met: false };

let shared: Environment | null = null;

/** The subjects of which something is known. */
const SUBJECTS_OF: Readonly<Record<string, readonly Subject[]>> = {
  args: ['tool', 'prompt'],
  annotations: ['tool'],
  user: ['tool', 'prompt', 'resource'],
  agent: ['tool', 'prompt', 'resource'],
  client: ['tool', 'prompt', 'resource'],
  usage: ['tool'],
  egress: ['egress'],
  'call.tool': ['tool'],
  'call.prompt': ['prompt'],
  'call.resource': ['resource'],
};

/** @param text an expression that is true or false */
export function compileCondition(text: string): Result<Condition, ConditionFault> {
  if (text.length > limits.policyConditionCharsMax) {
    return err({
      message: 'it is too long',
      expected: `at most ${limits.policyConditionCharsMax} characters`,
      offset: 0,
    });
  }
  shared ??= createEnvironment();
  try {
    const parsed = shared.parse(text);
    const shape = inspect(parsed.ast);
    if (shape.cost.factor > limits.policyStepsMax)
      return err({
        message: 'it goes through too many lists within lists',
        expected: 'fewer of them',
        offset: 0,
      });
    const { valid, type, error } = parsed.check();
    if (!valid) return err(faultOf(error, parsed.ast));
    if (type !== 'bool' && type !== 'dyn')
      return err({ message: `it is of type ${type ?? 'unknown'}`, expected: 'true or false', offset: 0 });
    const shortcut = shortcutOf(parsed.ast);
    const run = (context: Context): unknown => shortcut?.(context) ?? parsed(context);
    return ok(conditionOf(text, shape, run));
  } catch (error) {
    if (error instanceof ShapeFault) return err(error.fault);
    return err(faultOf(error, null));
  }
}

function conditionOf(text: string, shape: Shape, run: (context: Context) => unknown): Condition {
  const { uses } = shape;
  const fields = new Map([...shape.fields].map((field) => [field, foldedKey(field)]));
  const asks = { args: uses.has('args'), annotations: uses.has('annotations'), usage: uses.has('usage') };
  const judge = (facts: Facts): Verdict => {
    try {
      checkCost(shape, facts);
      if (asks.args) checkSpelling(fields, facts);
      const value = run(facts.context(asks));
      if (value === true) return MET;
      return value === false ? NOT_MET : { met: null, fault: 'it is neither true nor false' };
    } catch (error) {
      return { met: null, fault: faultText(error) };
    }
  };
  const isConstant = uses.size === 0;
  const alone = isConstant ? judge(new Facts(NOBODY)) : null;
  return {
    text,
    uses,
    subjects: new Set(
      subjects.filter((one) => [...uses].every((use) => SUBJECTS_OF[use]?.includes(one) ?? true)),
    ),
    constant: alone?.met ?? null,
    equalities: shape.equalities,
    argumentNames: shape.argumentNames,
    judge,
  };
}

const NOBODY: RuleRequest = {
  subject: 'tool',
  server: '',
  profile: '',
  name: '',
  users: [],
  agents: [],
  tokens: [],
  now: 0,
};

/** Only what the language and our functions say themselves: no value of an argument. */
function faultText(error: unknown): string {
  if (error instanceof Unjudged) return error.message;
  if (error instanceof RangeError) return 'the arguments nest too deep';
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'unknown';
}

function checkCost({ cost: { factor, power }, uses, finds }: Shape, facts: Facts): void {
  if (power === 0) return;
  let values = finds ? limits.policyFoundMax : 1;
  let longest = 0;
  for (const name of ['args', 'annotations'] as const) {
    if (!uses.has(name)) continue;
    const measured = facts.measured(name);
    values += measured.values;
    longest = Math.max(longest, measured.longest);
  }
  if (factor * values ** power * (1 + longest / 1_024) > limits.policyStepsMax)
    throw new Unjudged('the arguments are too large for this condition');
}

/**
 * Some servers take `Force` for `force`. Whoever writes the name of an argument in another case than a rule does is not
 * judged by it, which counts against them.
 */
function checkSpelling(fields: ReadonlyMap<string, string>, facts: Facts): void {
  const { keys } = facts.measured('args');
  for (const [field, small] of fields) {
    const written = keys.get(small);
    if (written === undefined || (written.size === 1 && written.has(field))) continue;
    throw new Unjudged(`the arguments write ${JSON.stringify(field)} in another case`);
  }
}

function faultOf(error: unknown, root: ASTNode | null): ConditionFault {
  const offset = error instanceof Error && 'range' in error ? startOf(error.range) : (root?.start ?? 0);
  const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'it is no expression';
  const expected = error instanceof ParseError ? 'an expression of CEL' : 'types that fit together';
  return { message: message.charAt(0).toLowerCase() + message.slice(1), expected, offset };
}

const startOf = (range: unknown): number =>
  typeof range === 'object' && range !== null && 'start' in range && typeof range.start === 'number'
    ? range.start
    : 0;
