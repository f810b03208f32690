/**
 * What a decision costs, in processor time: over a hundred rules of which a few are about the tool, over a hundred that all
 * are, and beside them in the same run a loop that looks at every rule each time, and one condition alone. Then what counting
 * costs. Prints tables.
 */
import { Environment } from '@marcbachmann/cel-js';
import { limitCosts } from './support/limit-costs.ts';
import { combineRules, decodePolicy, type RuleRequest } from '../src/policy/index.ts';
import { CONDITIONS } from './support/governed.ts';

const ROUNDS = 15;
const DECISIONS = 4_000;

const compiled = (rules: readonly object[]) => {
  const read = decodePolicy(JSON.stringify({ rules }), 'bench');
  if (!read.ok) throw new Error(JSON.stringify(read.error[0]));
  return read.value.rules;
};

const condition = (index: number): string => CONDITIONS[index % CONDITIONS.length] ?? 'false';

/** Ten servers with ten rules each: what a team's policy looks like. */
const spread = compiled(
  Array.from({ length: 100 }, (_, index) => ({
    id: `r${index}`,
    match: { servers: [`server${index % 10}`], tools: index % 20 < 10 ? ['create_*'] : ['*'] },
    when: condition(index),
    do: 'deny',
  })),
);
/** Every rule about every tool, each with a condition. */
const dense = compiled(
  Array.from({ length: 100 }, (_, index) => ({
    id: `r${index}`,
    when: condition(index),
    on: 'tool',
    do: 'deny',
  })),
);
const plain = compiled(
  Array.from({ length: 100 }, (_, index) => ({
    id: `r${index}`,
    match: { agents: [`other${index}`] },
    do: 'deny',
  })),
);

const request = (): RuleRequest => ({
  subject: 'tool',
  server: 'server3',
  profile: 'dev',
  name: 'create_issue',
  users: [],
  agents: ['claude'],
  tokens: ['tok_1'],
  now: 1_763_700_000_000,
  args: '{"owner":"acme","repo":"site","title":"Fix the door","body":"It squeaks.","labels":["bug","ui"]}',
  annotations: '{"readOnlyHint":false}',
});

/** No memory of what is about which tool, no facts shared between rules. */
const naive = () => {
  let denied = 0;
  for (const rule of spread.rules) {
    const alone = combineRules([{ ...spread, rules: [rule] }]);
    if (alone.decide(request()).outcome === 'deny') denied += 1;
  }
  return denied;
};

const environment = new Environment().registerVariable('args', 'dyn');
const bare = environment.parse('has(args.amount) && args.amount > 1000');
bare.check();
const bareContext = { args: new Map<string, unknown>([['title', 'x']]) };

const decider = (set: typeof spread) => {
  const rules = combineRules([set]);
  return () => (rules.decide(request()).outcome === 'deny' ? 1 : 0);
};

const cases: readonly { name: string; run: () => number; share: number }[] = [
  { name: 'no rules', run: decider({ ...spread, rules: [] }), share: 1 },
  { name: '100 rules, 10 servers', run: decider(spread), share: 1 },
  { name: '100 rules, all about the tool, with conditions', run: decider(dense), share: 1 },
  { name: '100 rules about other callers', run: decider(plain), share: 1 },
  { name: 'naive loop over the first', run: naive, share: 0.05 },
  { name: 'one condition alone', run: () => (bare(bareContext) === true ? 1 : 0), share: 5 },
];

const best = new Map<string, number>();
let sum = 0;
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { name, run, share } of cases) {
    const times = Math.ceil(DECISIONS * share);
    const before = process.cpuUsage();
    for (let index = 0; index < times; index += 1) sum += run();
    const { user, system } = process.cpuUsage(before);
    best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, (user + system) / times));
  }
}
const reference = best.get('one condition alone') ?? Number.NaN;
process.stdout.write(`${'case'.padEnd(50)} ${'µs each'.padStart(9)} ${'× one condition'.padStart(16)}\n`);
for (const [name, each] of best) {
  process.stdout.write(
    `${name.padEnd(50)} ${each.toFixed(2).padStart(9)} ${(each / reference).toFixed(1).padStart(16)}\n`,
  );
}
process.stdout.write('Budget: 20 µs for what a team has, 100 rules for 10 servers.\n');
await limitCosts();
if (sum !== 0) throw new Error('a rule matched that should not');
