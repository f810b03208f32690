import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineRules, refusalOf, type RuleRequest } from '../../../src/policy/index.ts';
import { call, ruleSet, rulesOf } from './asking.ts';

const egress = (host: string, parts: Partial<NonNullable<RuleRequest['egress']>> = {}): RuleRequest => ({
  subject: 'egress',
  server: 'github',
  profile: 'dev',
  name: host,
  users: [],
  agents: [],
  tokens: [],
  now: 0,
  egress: { methods: ['GET'], path: '/', tools: [], ...parts },
});

describe('the strictest wins', () => {
  const mixed = `
default: deny
rules:
  - { id: reads, match: { tools: 'get_*' }, do: allow }
  - { id: slow, match: { tools: 'get_*' }, do: limit, limit: { calls: 5 } }
  - { id: ask, match: { tools: 'get_secret*' }, do: approve, approve: { people: 2 } }
  - { id: never, match: { tools: get_secret_key }, do: deny }
`;

  test('deny before approve before allow, and everything else is carried along', () => {
    const rules = rulesOf(mixed);
    const outcome = (tool: string) => rules.decide(call(tool));
    expect(outcome('get_issue')).toMatchObject({ outcome: 'allow', limits: [{ calls: 5, rule: 'slow' }] });
    expect(outcome('get_secret')).toMatchObject({ outcome: 'approve', approvals: [{ people: 2 }] });
    expect(outcome('get_secret_key')).toMatchObject({ outcome: 'deny', decisive: { rule: { id: 'never' } } });
    expect(outcome('get_secret_key').matched).toHaveLength(4);
    expect(outcome('write')).toMatchObject({ outcome: 'deny', decisive: null });
  });

  test('whatever the order of rules, and in however many texts they stand', () => {
    const { rules } = ruleSet(mixed);
    const tools = ['get_issue', 'get_secret', 'get_secret_key', 'write'];
    const expected = tools.map((tool) => rulesOf(mixed).decide(call(tool)).outcome);
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...rules], { minLength: rules.length }),
        fc.integer({ min: 0, max: rules.length }),
        (order, split) => {
          const place = { file: 'policy.yaml', line: 1 };
          const combined = combineRules([
            { fallback: null, rules: order.slice(0, split), place },
            { fallback: 'deny', rules: order.slice(split), place },
          ]);
          expect(tools.map((tool) => combined.decide(call(tool)).outcome)).toEqual(expected);
        },
      ),
    );
  });

  test('a set that denies by default does so for all', () => {
    expect(rulesOf('default: allow', 'default: deny').decide(call('any')).outcome).toBe('deny');
    expect(rulesOf('default: allow', '{}').decide(call('any')).outcome).toBe('allow');
  });
});

describe('conditions that cannot be judged', () => {
  const broken = (deed: string): string => `
default: ${deed === 'allow' ? 'deny' : 'allow'}
rules: [{ id: one, when: args.amount > 100, do: ${deed} }]`;

  test('count as met where they refuse, and as not met where they would allow', () => {
    for (const args of [{}, { amount: 'much' }, { amount: [1] }, []]) {
      expect(rulesOf(broken('deny')).decide(call('pay', { args })).outcome).toBe('deny');
      expect(rulesOf(broken('approve')).decide(call('pay', { args })).outcome).toBe('approve');
      expect(rulesOf(broken('allow')).decide(call('pay', { args })).outcome).toBe('deny');
    }
    expect(rulesOf(broken('deny')).decide(call('pay', { args: { amount: 100 } })).outcome).toBe('allow');
  });

  test('an argument in another case than the rule writes it is one that cannot be judged', () => {
    const rules = rulesOf(`
rules:
  - { id: force, when: 'has(args.force) && args.force == true', do: deny }
  - { id: main, template: protect-branches, with: { argument: target.branch } }`);
    const outcome = (args: unknown) => rules.decide(call('push', { args })).outcome;
    expect(outcome({ force: false, target: { branch: 'dev' } })).toBe('allow');
    expect(outcome({ FORCE: true })).toBe('deny');
    expect(outcome({ force: false, Force: true })).toBe('deny');
    expect(outcome({ Target: { branch: 'main' } })).toBe('deny');
    expect(outcome({ target: { branch: 'dev', Branch: 'main' } })).toBe('deny');
    expect(outcome({ reinforce: true })).toBe('allow');
    const said = rulesOf(`rules: [{ id: said, when: 'has(args.tasks) && args.tasks > 1.0', do: deny }]`);
    const other = (args: unknown) => said.decide(call('run', { args })).outcome;
    // Go's own parser takes these for `tasks` (https://pkg.go.dev/encoding/json#Unmarshal).
    expect([other({ taſks: 2 }), other({ tas\u212as: 2 }), other({ tasks: 1 })]).toEqual([
      'deny',
      'deny',
      'allow',
    ]);
  });

  test('are told', () => {
    const rules = rulesOf(broken('deny'));
    const request = call('pay');
    const decision = rules.decide(request);
    expect(decision.decisive?.fault).toBe('No such key: amount');
    expect(refusalOf(request, decision, rules)).toMatchObject({
      code: 'policy_denied',
      message:
        'The tool pay of github is refused. Rule: one. Its condition could not be judged (No such key: amount), so it counts as met.',
      hint: 'Allowed is what does not meet its condition: args.amount > 100',
    });
  });

  test('no arguments throw, or talk their way past a rule that covers every amount', () => {
    const rules = rulesOf(`
rules:
  - { id: small, when: 'args.amount <= 100', do: deny }
  - { id: large, when: 'args.amount > 100', do: deny }
  - { id: words, when: 'mentions(args, ["x"]) || texts(args).exists(t, t.matches("(a+)+b")) || recipients(args).exists(r, domainOf(r) == "e")', do: alert }
`);
    const hostile = fc.oneof(
      fc.json({ maxDepth: 6 }),
      fc.json().map((text) => `{"amount":${text},"__proto__":${text},"constructor":${text}}`),
      fc.string(),
      fc.integer({ min: 100, max: 3_000 }).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`),
      fc.constantFrom(
        '{"amount":1e400}',
        '{"amount":null}',
        '{"__proto__":{"amount":1}}',
        '',
        '{"amount":"\\ud800"}',
      ),
    );
    fc.assert(
      fc.property(hostile, (args) => {
        const request = { ...call('pay'), args };
        expect(rules.decide(request).outcome).toBe('deny');
        expect(rules.explain(request).decision.outcome).toBe('deny');
      }),
      { numRuns: 500 },
    );
  });

  test('arguments too large for what a rule does with them are not judged, and not waited for', () => {
    const rules = rulesOf(
      `rules: [{ id: squares, when: 'args.ids.all(a, args.ids.all(b, args.ids.all(c, a + b + c > 0.0)))', do: deny }]`,
    );
    const decision = rules.decide(call('sum', { args: { ids: Array.from({ length: 5_000 }, () => 1) } }));
    expect(decision).toMatchObject({
      outcome: 'deny',
      decisive: { fault: 'the arguments are too large for this condition' },
    });
    const values = rules.decide({ ...call('sum'), args: `{"ids":[${'0,'.repeat(150_000)}0]}` });
    expect(values.decisive?.fault).toBe('the arguments cannot be judged: they hold more than 100000 values');
    const chars = rules.decide({ ...call('sum'), args: `{"ids":"${'x'.repeat(9 * 2 ** 20)}"}` });
    expect(chars.decisive?.fault).toBe(
      'the arguments cannot be judged: they are longer than 8388608 characters',
    );
  });

  test('so are lists that are found in texts', () => {
    const rules = rulesOf(
      `rules: [{ id: one, when: 'recipients(args).exists(r, within(domainOf(r), ["evil.example"]))', do: deny }]`,
    );
    const to = (count: number) => rules.decide(call('send', { args: { to: 'a@x.example,'.repeat(count) } }));
    expect(to(2_000).outcome).toBe('allow');
    expect(to(5_000).matched[0]?.fault).toBe('more than 2000 were found');
  });

  test('what the functions of all rules read is counted together', () => {
    const one = (id: number): string => `  - { id: r${id}, when: 'mentions(args, ["zz"])', do: deny }\n`;
    const rules = rulesOf(`rules:\n${Array.from({ length: 40 }, (_, id) => one(id)).join('')}`);
    const large = call('post', { args: { text: 'x'.repeat(2 ** 20) } });
    expect(rules.decide(large).matched[0]?.fault).toBe('the arguments are too large to be judged');
    expect(rules.decide(call('post', { args: { text: 'x'.repeat(2 ** 10) } })).outcome).toBe('allow');
  });
});

describe('what a rule is about', () => {
  test('servers, tools, users, agents: each by patterns', () => {
    const rules = rulesOf(`
rules: [{ id: one, match: { servers: 'git*', tools: ['*_delete', 'x*y*z'], users: [ann], agents: 'c*' }, do: deny }]`);
    const outcome = (tool: string, parts = {}) =>
      rules.decide(call(tool, { user: 'ann', agent: 'codex', ...parts })).outcome;
    expect(outcome('repo_delete')).toBe('deny');
    expect(outcome('x1y2z')).toBe('deny');
    expect(outcome('xyz')).toBe('deny');
    expect(outcome('xzy')).toBe('allow');
    expect(outcome('repo_delete', { server: 'svn' })).toBe('allow');
    expect(outcome('repo_delete', { user: 'bob' })).toBe('allow');
    expect(outcome('repo_delete', { agent: 'Codex' })).toBe('allow');
  });

  test('requests of servers only where it says so, and the default is none for them', () => {
    const rules = rulesOf(`
default: deny
rules:
  - { id: calls, match: { servers: github }, do: deny }
  - { id: posts, match: { hosts: '*.example.com', methods: post }, do: deny }
  - { id: search, match: { tools: search }, when: 'egress.method != "GET"', do: deny }
`);
    const outcome = (request: RuleRequest) => rules.decide(request).outcome;
    expect(outcome(egress('api.example.com'))).toBe('allow');
    expect(outcome(egress('api.example.com', { methods: ['GET', 'POST'] }))).toBe('deny');
    expect(outcome(egress('example.com', { methods: ['POST'] }))).toBe('allow');
    expect(outcome(egress('x.org', { methods: ['PUT'], tools: ['list', 'search'] }))).toBe('deny');
    expect(outcome(egress('x.org', { methods: ['PUT'], tools: ['list'] }))).toBe('allow');
  });
});

describe('what is shown', () => {
  const rules = rulesOf(`
rules:
  - { id: gone, match: { tools: shell }, do: deny }
  - { id: hints, when: 'has(annotations.destructiveHint) && annotations.destructiveHint == true', do: deny }
  - { id: some, match: { tools: send }, when: 'mentions(args, ["secret"])', do: deny }
  - { id: hours, match: { tools: deploy }, when: 'hour(now, "UTC") < 9', do: deny }`);

  test('is what could be allowed with some arguments, at some time', () => {
    expect(rules.shows(call('shell'))).toBe(false);
    expect(rules.shows(call('wipe', { annotations: { destructiveHint: true } }))).toBe(false);
    expect(rules.shows(call('send'))).toBe(true);
    expect(rules.shows(call('deploy', { now: '2026-11-20T01:00:00Z' }))).toBe(true);
  });

  test('is nothing that no rule could allow, where the default is deny', () => {
    const closed = rulesOf(`
default: deny
rules:
  - { id: reads, when: 'annotations.readOnlyHint == true', do: allow }
  - { id: some, match: { tools: send }, when: 'args.to == "me"', do: allow }
  - { id: asked, match: { tools: pay }, do: approve }
  - { id: counted, do: limit, limit: { calls: 1 } }`);
    expect(closed.shows(call('get', { annotations: { readOnlyHint: true } }))).toBe(true);
    expect(closed.shows(call('send'))).toBe(true);
    expect(closed.shows(call('pay'))).toBe(true);
    expect(closed.shows(call('write'))).toBe(false);
  });
});

describe('which templates of resources are shown', () => {
  const shows = (text: string, template: string) =>
    rulesOf(text).showsTemplate({ ...call(template), subject: 'resource' });

  test('is not those of which every resource is refused', () => {
    const denied = (pattern: string, when = 'true') =>
      `rules: [{ id: one, match: { resources: '${pattern}' }, when: '${when}', do: deny }]`;
    expect(shows(denied('file:///*'), 'file:///{path}')).toBe(false);
    expect(shows(denied('file:///*/end'), 'file:///a/{+path}/end')).toBe(false);
    expect(shows(denied('file:///etc/*'), 'file:///{path}')).toBe(true);
    expect(shows(denied('*path*'), 'file:///{path}')).toBe(true);
    expect(shows(denied('file:///*', 'agent == "claude"'), 'file:///{path}')).toBe(false);
    expect(shows(denied('file:///*', 'call.resource.contains("path")'), 'file:///{path}')).toBe(true);
  });

  test('is those of which some may be allowed, where the default is deny', () => {
    const allowed = (pattern: string, more = '') =>
      `{ default: deny, rules: [{ id: one, match: { resources: '${pattern}'${more} }, do: allow }] }`;
    expect(shows(allowed('file:///docs/*'), 'file:///{path}')).toBe(true);
    expect(shows(allowed('file:///docs/7'), 'file:///{path}/{number}')).toBe(true);
    expect(shows(allowed('*/end'), 'file:///{path}')).toBe(true);
    expect(shows(allowed('file:///a'), 'file:///a')).toBe(true);
    expect(shows(allowed('http://*'), 'file:///{path}')).toBe(false);
    expect(shows(allowed('*.txt'), 'file:///{path}.pdf')).toBe(false);
    expect(shows(allowed('*', ', servers: other'), 'file:///{path}')).toBe(false);
    expect(shows(allowed('file:///b'), 'file:///a')).toBe(false);
  });
});

test('explains every rule', () => {
  const rules = rulesOf(`
rules:
  - { id: other, match: { prompts: p }, do: deny }
  - { id: elsewhere, match: { tools: x }, do: deny }
  - { id: somebody, match: { users: bob }, do: deny }
  - { id: big, when: size(args) > 3, do: deny }
  - { id: this, when: call.tool == "get", do: deny }`);
  const { looked, decision } = rules.explain(call('get'));
  expect(looked.map(({ rule, look }) => [rule.id, look])).toEqual([
    ['other', 'subject'],
    ['elsewhere', 'match'],
    ['somebody', 'caller'],
    ['big', 'when'],
    ['this', 'matched'],
  ]);
  expect(decision.outcome).toBe('deny');
});

test('says what would be allowed', () => {
  const rules = rulesOf(`
default: deny
rules:
  - { id: reads, match: { servers: github, tools: [get_issue, list_*] }, do: allow }
  - { id: other, match: { servers: slack, tools: [post] }, do: allow }
  - { id: keys, match: { tools: get_key }, do: deny, message: Keys stay here, instead: Ask ops. }`);
  const refusal = (tool: string) => refusalOf(call(tool), rules.decide(call(tool)), rules);
  expect(refusal('write')).toMatchObject({
    code: 'policy_default_denied',
    hint: 'Allowed may be: get_issue and list_*.',
  });
  expect(refusal('get_key')).toMatchObject({
    code: 'policy_denied',
    message: 'Keys stay here. Rule: keys.',
    hint: 'Ask ops.',
  });
});

test('what was remembered of a tool is not taken for a prompt of its name', () => {
  const rules = rulesOf('rules: [{ id: one, match: { tools: get }, do: deny }]');
  expect(rules.decide(call('get')).outcome).toBe('deny');
  expect(rules.decide({ ...call('get'), subject: 'prompt' }).outcome).toBe('allow');
});

test('what is refused to somebody is shown to others', () => {
  const rules = rulesOf('rules: [{ id: one, match: { tools: get, agents: codex }, do: deny }]');
  expect(rules.shows(call('get', { agent: 'codex' }))).toBe(false);
  expect(rules.shows(call('get'))).toBe(true);
});

test('no character of a name stands for two of a pattern', () => {
  const outcome = (pattern: string, tool: string) =>
    rulesOf(`rules: [{ id: one, match: { tools: '${pattern}' }, do: deny }]`).decide(call(tool)).outcome;
  expect(outcome('ab*ba', 'abba')).toBe('deny');
  expect(outcome('ab*ba', 'aba')).toBe('allow');
  expect(outcome('a*bc*cd', 'axbccd')).toBe('deny');
  expect(outcome('a*bc*cd', 'axbcd')).toBe('allow');
});
