import { describe, expect, test } from 'vitest';
import { errorsOf, ruleSet, warningsOf } from './asking.ts';

const rule = (text: string): string => `rules:\n  - id: one\n${text.replace(/^/gm, '    ')}\n`;

describe('errors have a place, a code, and what would be right', () => {
  test.each([
    ['a key', rule('do: deny\nmach: {}'), 4, 5, 'policy_unknown_key', 'did you mean "match"?'],
    ['an action', rule('do: denny'), 3, 9, 'policy_unknown_choice', 'did you mean "deny"?'],
    [
      'a list in match',
      rule('do: deny\nmatch: { toolz: [a] }'),
      4,
      14,
      'policy_unknown_key',
      'did you mean "tools"?',
    ],
    [
      'an empty list',
      rule('do: deny\nmatch: { tools: [] }'),
      4,
      21,
      'policy_never_matches',
      'matches nothing',
    ],
    ['a host', rule('do: deny\nmatch: { hosts: [Example.com] }'), 4, 21, 'policy_never_matches', 'no host'],
    [
      'a name',
      rule('do: deny\nwhen: argz.x == 1'),
      4,
      11,
      'policy_condition_invalid',
      'did you mean "args"?',
    ],
    [
      'a field',
      rule('do: deny\nwhen: 1 == 1 && call.tol == "x"'),
      4,
      21,
      'policy_condition_invalid',
      'did you mean "call.tool"?',
    ],
    [
      'a function',
      rule('do: deny\nwhen: texts(args).exist(t, true)'),
      4,
      11,
      'policy_condition_invalid',
      'did you mean "exists"?',
    ],
    [
      'a type',
      rule('do: deny\nwhen: call.tool == 5'),
      4,
      11,
      'policy_condition_invalid',
      'no such overload: string == int',
    ],
    ['syntax', rule('do: deny\nwhen: call.tool =='), 4, 23, 'policy_condition_invalid', 'unexpected token'],
    [
      'what is no yes or no',
      rule('do: deny\nwhen: call.tool'),
      4,
      11,
      'policy_condition_invalid',
      'of type string',
    ],
    [
      'a pattern',
      rule(`do: deny\nwhen: call.tool.matches("(a")`),
      4,
      29,
      'policy_condition_invalid',
      'does not compile',
    ],
    [
      'a pattern that looks back',
      rule(`do: deny\nwhen: call.tool.matches("(?=a)")`),
      4,
      29,
      'policy_condition_invalid',
      'does not compile',
    ],
    [
      'a pattern from arguments',
      rule('do: deny\nwhen: call.tool.matches(args.p)'),
      4,
      29,
      'policy_condition_invalid',
      'written out',
    ],
    [
      'lists within found ones',
      rule('do: deny\nwhen: recipients(args).exists(r, texts(args).exists(t, t == r))'),
      4,
      11,
      'policy_condition_invalid',
      'found in texts within another list',
    ],
    [
      'a time zone',
      rule('do: deny\nwhen: hour(now, "Mars/Base") > 3'),
      4,
      21,
      'policy_condition_invalid',
      'no time zone',
    ],
    [
      'a function of the language that is not offered',
      rule('do: deny\nwhen: args.a.split("").size() > 3'),
      4,
      11,
      'policy_condition_invalid',
      '"split" is unknown',
    ],
    [
      'a template',
      rule('template: block-keyword\nwith: { words: [a] }'),
      3,
      15,
      'policy_template_unknown',
      'did you mean "block-keywords"?',
    ],
    [
      'a missing parameter',
      rule('template: block-keywords'),
      3,
      15,
      'policy_parameter_missing',
      '"words" is missing',
    ],
    [
      'parameters of another action',
      rule('do: deny\nlimit: { calls: 1 }'),
      4,
      12,
      'policy_unused_key',
      'do: limit',
    ],
    ['no action', rule('match: { tools: [a] }'), 2, 5, 'policy_missing_key', '"do" is missing'],
    ['an id', 'rules: [{ id: "A B", do: deny }]', 1, 15, 'policy_id_invalid', 'no id'],
    [
      'two of one id',
      'rules:\n  - { id: a, do: deny }\n  - { id: a, do: deny }',
      3,
      5,
      'policy_duplicate_id',
      'on line 2',
    ],
    ['two keys', 'default: allow\ndefault: deny', 2, 1, 'policy_duplicate_key', ''],
    ['a limit of nothing', rule('do: limit\nlimit: { per: day }'), 4, 12, 'policy_nothing_limited', ''],
    ['roles', rule('do: deny\nmatch: { roles: [admin] }'), 4, 14, 'policy_unknown_key', '"roles" is unknown'],
  ])('%s', (_, text, line, column, code, message) => {
    const [first, ...others] = errorsOf(text);
    expect(others).toEqual([]);
    expect(first).toMatchObject({ file: 'policy.yaml', line, column, code });
    expect(first?.message).toContain(message);
    expect(first?.expected === '' && message === '').toBe(false);
  });

  test('all of them at once', () => {
    expect(
      errorsOf('default: maybe\nrules:\n  - { id: a, do: x }\n  - { id: b, do: deny, when: "1 +" }'),
    ).toHaveLength(3);
  });
});

describe('rules that can never match', () => {
  test.each([
    ['when: 1 > 2', 'always false'],
    ['when: call.tool == "a" && call.tool == "b"', 'cannot be "a" and "b"'],
    ['when: call.tool == "a" && size(args) > 1\nmatch: { tools: ["b*"] }', 'cannot be "a"'],
    ['when: egress.method == "GET"\nmatch: { prompts: [p] }', 'nothing has all'],
    ['when: size(args) > 1\nmatch: { hosts: [a.example] }', 'nothing has all'],
    ['on: egress\nwhen: annotations.readOnlyHint == true', 'not known of egress'],
  ])('%s', (text, message) => {
    const [first] = errorsOf(rule(`do: deny\n${text}`));
    expect(first).toMatchObject({ code: 'policy_never_matches' });
    expect(first?.message).toContain(message);
  });

  test('and those that decide nothing are told of', () => {
    const codes = (text: string) => warningsOf(text).map(({ code }) => code);
    expect(codes('default: deny')).toEqual(['policy_nothing_allowed']);
    expect(codes('rules: [{ id: a, do: allow }]')).toEqual(['policy_shadowed']);
    expect(codes('rules: [{ id: a, do: deny }, { id: b, match: { tools: x }, do: approve }]')).toEqual([
      'policy_shadowed',
    ]);
    expect(codes('rules: [{ id: a, do: deny, when: "1 < 2", match: { tools: x } }]')).toEqual([
      'policy_condition_constant',
    ]);
    expect(codes('rules: [{ id: a, do: deny, match: { tools: x } }]')).toEqual([]);
  });

  test('and those that count less than their names say', () => {
    const told = (...rules: string[]) =>
      warningsOf(`rules: [${rules.join(', ')}]`).map(({ code, message }) => `${code}: ${message}`);
    const rule = (id: string, match: string, count: string) =>
      `{ id: ${id}, match: { ${match} }, when: "usage.${count} > 9", do: deny }`;
    expect(told(rule('a', 'servers: x, tools: [b, c]', 'server.day'))).toEqual([
      'policy_count_narrow: in the rule a, usage.server.day counts the calls of its tools alone, and not those of the whole server',
    ]);
    expect(told(rule('a', 'servers: x', 'all.ever'))).toEqual([
      'policy_count_narrow: in the rule a, usage.all.ever counts the calls of its servers alone, and not those of everything',
    ]);
    expect(told(rule('a', 'tools: "b*"', 'all.hour'))).toHaveLength(1);
    // Another count, and one of another server, are no help.
    const narrow = rule('a', 'servers: x, tools: b', 'server.day');
    expect(told(narrow, rule('b', 'servers: x', 'server.month'))).toHaveLength(1);
    expect(told(narrow, rule('b', 'servers: y', 'server.day'))).toHaveLength(1);
    for (const wide of [rule('b', 'servers: [y, x]', 'server.day'), rule('b', 'agents: z', 'server.day')])
      expect(told(narrow, wide)).toEqual([]);
    for (const [match, count] of [
      ['servers: x, tools: "*"', 'server.day'],
      ['servers: x, tools: b', 'tool.day'],
      ['agents: z', 'all.day'],
    ] as const)
      expect(told(rule('a', match, count))).toEqual([]);
  });

  test('and those that want more people than there are', () => {
    const told = (people: number, approvers?: number) =>
      warningsOf(
        `rules: [{ id: a, do: approve, approve: { people: ${people} } }]`,
        approvers === undefined ? {} : { approvers },
      ).map(({ code, message }) => `${code}: ${message}`);
    expect(told(2, 1)).toEqual([
      'policy_too_few_people: the rule a wants 2 people to agree, and there is 1 who can',
    ]);
    expect(told(1, 0)).toEqual([
      'policy_too_few_people: the rule a wants 1 person to agree, and there are 0 who can',
    ]);
    expect([told(1, 1), told(2, 2), told(2)]).toEqual([[], [], []]);
  });
});

test('names are held against what there is', () => {
  const known = new Map([
    [
      'github',
      [
        { name: 'get_issue', argumentNames: ['owner', 'number'] },
        { name: 'create_issue', argumentNames: ['owner', 'title'] },
      ],
    ],
    ['slack', null],
  ] as const);
  const [server] = errorsOf(rule('do: deny\nmatch: { servers: [githb] }'), { known });
  expect(server).toMatchObject({ code: 'policy_unknown_server', line: 4, column: 23 });
  expect(server?.message).toContain('did you mean "github"?');
  // Of a server that is not there nobody can say which tools it has: that it is not there is all there is to say.
  expect(
    errorsOf(rule('do: deny\nmatch: { servers: githb, tools: [get_issue] }'), { known }).map(
      ({ code }) => code,
    ),
  ).toEqual(['policy_unknown_server']);
  const [tool] = errorsOf(rule('do: deny\nmatch: { servers: github, tools: [get_isue] }'), { known });
  expect(tool?.message).toBe('there is no tool "get_isue"; did you mean "get_issue"?');
  expect(
    errorsOf(rule('do: deny\nmatch: { servers: github }\nwhen: call.tool == "x"'), { known })[0]?.code,
  ).toBe('policy_unknown_tool');
  expect(errorsOf(rule('do: deny\nmatch: { servers: slack, tools: [anything] }'), { known })).toEqual([]);
  expect(errorsOf(rule('do: deny\nmatch: { servers: "*hub", tools: ["*_issue"] }'), { known })).toEqual([]);
});

test('arguments are held against what the tools of a rule declare', () => {
  const known = new Map([
    [
      'github',
      [
        { name: 'get_issue', argumentNames: ['owner', 'number'] },
        { name: 'create_issue', argumentNames: ['owner', 'title'] },
        { name: 'request', argumentNames: null },
      ],
    ],
  ]);
  const errors = (text: string) => errorsOf(rule(`do: deny\n${text}`), { known });
  const [misspelt] = errors('match: { tools: "*_issue" }\nwhen: has(args.titl) && args.titl != args.owner');
  expect(misspelt).toMatchObject({ code: 'policy_unknown_argument', line: 5 });
  expect(misspelt?.message).toBe('there is no argument "titl"; did you mean "title"?');
  expect(errors('match: { tools: get_issue }\nwhen: at(args, "title.x") == null')[0]?.code).toBe(
    'policy_unknown_argument',
  );
  expect(
    errors('match: { tools: "*_issue" }\nwhen: has(args.title) && at(args, "number.x") == null'),
  ).toEqual([]);
  expect(errors('match: { tools: ["*"] }\nwhen: has(args.whatever)')).toEqual([]);
  expect(errors('when: has(args.whatever)')).toEqual([]);
  const template = (argument: string) =>
    errorsOf(
      rule(
        `template: allow-repositories\nwith: { repositories: [a/b], owner: ${argument} }\nmatch: { tools: get_issue }`,
      ),
      { known },
    );
  expect(template('owner')).toEqual([]);
  expect(template('ownr')[0]).toMatchObject({ code: 'policy_unknown_argument', line: 4 });
});

test('a template is joined with what the rule says itself', () => {
  const { rules } = ruleSet(
    rule(
      'template: block-keywords\nwith: { words: secret }\nmatch: { tools: [send] }\nwhen: call.server == "slack"\ndo: approve\nmessage: Careful.',
    ),
  );
  expect(rules[0]).toMatchObject({
    match: { tools: ['send'] },
    when: { text: '(mentions(args, ["secret"])) && (call.server == "slack")' },
    action: { do: 'approve', people: 1 },
    message: 'Careful.',
    instead: null,
  });
  const [escape] = errorsOf(rule('template: block-keywords\nwith: { words: secret }\nwhen: true) || (true'));
  expect(escape).toMatchObject({ code: 'policy_condition_invalid' });
});

test('nobody can be asked about what a server sends', () => {
  const rule = (on: string): string => `rules: [{ id: x, match: { servers: a }, on: ${on}, do: approve }]`;
  expect(errorsOf(rule('egress'))).toMatchObject([{ code: 'policy_approve_egress', line: 1 }]);
  expect(errorsOf(rule('[tool, egress]'))).toMatchObject([{ code: 'policy_approve_egress' }]);
  expect(errorsOf(rule('[tool, prompt, resource]'))).toEqual([]);
});
