import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideToolEgress,
  type ToolEgress,
  type ToolEgressRule,
  type ToolRequest,
  type ToolUse,
} from '../../src/policy/index.ts';

const rule = (over: Partial<ToolEgressRule> = {}): ToolEgressRule => ({
  tools: ['search_*'],
  hosts: ['api.example.com'],
  methods: ['GET'],
  paths: ['/search'],
  enforce: true,
  ...over,
});
const request = (over: Partial<ToolRequest> = {}): ToolRequest => ({
  host: 'api.example.com',
  methods: ['GET'],
  path: '/search/issues',
  ...over,
});
const tool = (name: string, readOnly = false): ToolUse => ({ tool: name, readOnly });
const none = (): readonly ToolUse[] => [];
const decide = (
  policy: Partial<ToolEgress>,
  wanted: Partial<ToolRequest>,
  running: readonly ToolUse[],
  ended: readonly ToolUse[] = [],
): string => {
  const decision = decideToolEgress(
    { rules: [], readOnly: 'report', ...policy },
    request(wanted),
    running,
    () => ended,
  );
  if (!decision.allow) return decision.code;
  return decision.unexpected === null ? 'expected' : `told ${decision.unexpected}`;
};
const POST = { methods: ['POST'] };

describe('a rule that names a tool', () => {
  const search = tool('search_issues');

  it.each([
    ['a request that it covers', {}, 'expected'],
    ['another method', POST, 'egress_tool_denied'],
    ['another host', { host: 'other.example.com' }, 'egress_tool_denied'],
    ['another path', { path: '/searching' }, 'egress_tool_denied'],
    ['a method that is said twice, once differently', { methods: ['GET', 'DELETE'] }, 'egress_tool_denied'],
  ])('%s', (_, wanted, answer) => {
    expect(decide({ rules: [rule()] }, wanted, [search])).toBe(answer);
  });

  it('says nothing of tools that it does not name, nor of times without any', () => {
    expect(decide({ rules: [rule()] }, POST, [tool('research_issues')])).toBe('expected');
    expect(decide({ rules: [rule()] }, POST, [])).toBe('expected');
    expect(decide({ rules: [rule({ tools: ['search'] })] }, POST, [search])).toBe('expected');
    expect(decide({ rules: [rule({ tools: ['*'] })] }, POST, [tool('anything')])).toBe('egress_tool_denied');
  });

  it('only tells where it does not enforce', () => {
    expect(decide({ rules: [rule({ enforce: false })] }, POST, [search])).toBe('told egress_tool_denied');
    expect(decide({ rules: [rule({ enforce: false })] }, {}, [search])).toBe('expected');
  });

  it('adds to the other rules of the same kind for that tool', () => {
    const writes = rule({ tools: ['search_issues'], methods: ['POST'], paths: ['/saved'] });
    expect(decide({ rules: [rule(), writes] }, { ...POST, path: '/saved/1' }, [search])).toBe('expected');
    expect(decide({ rules: [rule(), writes] }, POST, [search])).toBe('egress_tool_denied');
  });

  it('is not opened by a wider one that only tells', () => {
    const wide: ToolEgressRule = { tools: ['*'], enforce: false };
    expect(decide({ rules: [wide, rule()] }, POST, [search])).toBe('egress_tool_denied');
  });

  it('without host, method or path frees a tool from the rule for all', () => {
    const rules = [rule({ tools: ['*'] }), { tools: ['create_issue'], enforce: true }];
    expect(decide({ rules }, POST, [tool('create_issue')])).toBe('expected');
    expect(decide({ rules }, POST, [tool('delete_issue')])).toBe('egress_tool_denied');
  });
});

describe('a tool that says that it only reads', () => {
  const reader = tool('get_issue', true);

  it.each([
    ['report', 'told egress_read_only'],
    ['enforce', 'egress_read_only'],
    ['off', 'expected'],
  ] as const)('%s', (readOnly, answer) => {
    expect(decide({ readOnly }, POST, [reader])).toBe(answer);
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      expect(decide({ readOnly }, { methods: [method] }, [reader])).toBe('expected');
    expect(decide({ readOnly }, POST, [tool('create_issue')])).toBe('expected');
  });

  it.each(['PUT', 'PATCH', 'DELETE', 'PROPFIND', 'get'])('%s is no method that only reads', (method) => {
    expect(decide({ readOnly: 'enforce' }, { methods: [method] }, [reader])).toBe('egress_read_only');
  });

  it('does not write under the name of another method', () => {
    expect(decide({ readOnly: 'enforce' }, { methods: ['GET', 'DELETE'] }, [reader])).toBe(
      'egress_read_only',
    );
  });

  it('does not write where nobody can see it, unless its methods are written down', () => {
    const socket = { methods: ['GET'], isOpaque: true };
    const named = { tools: ['get_*'], methods: ['GET'], enforce: true };
    expect(decide({ readOnly: 'enforce' }, socket, [reader])).toBe('egress_read_only');
    expect(decide({ readOnly: 'report' }, socket, [reader])).toBe('told egress_read_only');
    expect(decide({ readOnly: 'enforce', rules: [named] }, socket, [reader])).toBe('expected');
  });

  it('does not use what nobody reads, unless a rule names its host', () => {
    const tunnel = { methods: ['CONNECT'], isUnread: true };
    const rules = (over: Partial<ToolEgressRule>): readonly ToolEgressRule[] => [
      { tools: ['get_*'], enforce: true, ...over },
    ];
    const enforced = (over: Partial<ToolEgressRule>): unknown =>
      decide({ readOnly: 'enforce', rules: rules(over) }, tunnel, [reader]);
    expect(decide({ readOnly: 'enforce' }, tunnel, [reader])).toBe('egress_read_only');
    expect(enforced({ hosts: ['api.example.com'] })).toBe('expected');
    expect(enforced({ hosts: ['other.example.com'] })).toBe('egress_tool_denied');
    expect(enforced({})).toBe('egress_read_only');
    expect(enforced({ hosts: ['api.example.com'], methods: ['GET'] })).toBe('egress_tool_denied');
  });

  it('may send what a rule with methods says, and nothing more for a rule without', () => {
    const graphql = { tools: ['get_*'], methods: ['POST'], paths: ['/search'], enforce: true };
    const anything = { tools: ['get_*'], hosts: ['api.example.com'], enforce: true };
    expect(decide({ readOnly: 'enforce', rules: [graphql] }, POST, [reader])).toBe('expected');
    expect(decide({ readOnly: 'enforce', rules: [anything] }, POST, [reader])).toBe('egress_read_only');
    expect(decide({ readOnly: 'enforce', rules: [graphql] }, { ...POST, path: '/x' }, [reader])).toBe(
      'egress_tool_denied',
    );
  });

  it('is held to the stricter of what is enforced and what is only told', () => {
    const told = rule({ tools: ['get_issue'], methods: ['GET'], enforce: false });
    expect(decide({ readOnly: 'enforce', rules: [told] }, POST, [reader])).toBe('egress_read_only');
    expect(decide({ readOnly: 'report', rules: [told] }, POST, [reader])).toBe('told egress_tool_denied');
  });
});

describe('several tools', () => {
  const [reader, writer] = [tool('get_issue', true), tool('create_issue')];

  it('may send what one of them may', () => {
    expect(decide({ readOnly: 'enforce' }, POST, [reader, writer])).toBe('expected');
    expect(decide({ readOnly: 'enforce' }, POST, [reader, tool('list', true)])).toBe('egress_read_only');
    expect(
      decide({ readOnly: 'enforce', rules: [rule({ tools: ['create_issue'], enforce: false })] }, POST, [
        reader,
        writer,
      ]),
    ).toBe('told egress_tool_denied');
  });

  it('count for a moment after they ended', () => {
    expect(decide({ readOnly: 'enforce' }, POST, [reader], [writer])).toBe('expected');
    expect(decide({ readOnly: 'enforce' }, POST, [], [reader])).toBe('egress_read_only');
    expect(decide({ readOnly: 'enforce' }, POST, [reader], [reader])).toBe('egress_read_only');
  });

  it('that have ended are only asked about when it matters', () => {
    const asked = (): never => {
      throw new Error('asked');
    };
    const policy: ToolEgress = { rules: [rule()], readOnly: 'enforce' };
    expect(decideToolEgress(policy, request(), [tool('search_x')], asked).allow).toBe(true);
    expect(decideToolEgress({ rules: [], readOnly: 'enforce' }, request(), [], asked).allow).toBe(true);
  });
});

describe('a refusal', () => {
  it('says what runs and what would allow it', () => {
    const [denied, readOnly] = (['egress_tool_denied', 'egress_read_only'] as const).map((code) =>
      decideToolEgress(
        { rules: code === 'egress_tool_denied' ? [rule()] : [], readOnly: 'enforce' },
        request(POST),
        [tool('search_issues', true)],
        none,
      ),
    );
    expect(denied).toEqual({
      allow: false,
      code: 'egress_tool_denied',
      message: 'POST to api.example.com is for none of the tools that run now (search_issues).',
      hint: 'If the tool should, add the request to "tools.egress" of the server\'s manifest.',
    });
    expect(readOnly).toMatchObject({
      code: 'egress_read_only',
      message:
        'Only tools that should only read are running (search_issues), so POST to api.example.com is refused.',
    });
  });

  it('names a few tools of many', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => tool(`get_${index}`, true));
    const decision = decideToolEgress({ rules: [], readOnly: 'enforce' }, request(POST), many, none);
    expect(decision.allow ? '' : decision.message).not.toContain('get_8');
  });
});

describe('for any rules and tools', () => {
  const names = fc.constantFrom('a', 'ab', 'b', 'bc');
  const rules = fc.array(
    fc.record(
      {
        tools: fc.array(fc.oneof(names, fc.constantFrom('a*', 'b*', '*')), { minLength: 1, maxLength: 2 }),
        hosts: fc.subarray(['x.example.com', 'y.example.com'], { minLength: 1 }),
        methods: fc.subarray(['GET', 'POST', 'DELETE'], { minLength: 1 }),
        paths: fc.subarray(['/a', '/b'], { minLength: 1 }),
        enforce: fc.boolean(),
      },
      { requiredKeys: ['tools', 'enforce'] },
    ),
    { maxLength: 4 },
  );
  const uses = fc.array(fc.record({ tool: names, readOnly: fc.boolean() }), { maxLength: 4 });
  const wanted = fc.record({
    host: fc.constantFrom('x.example.com', 'y.example.com'),
    methods: fc.subarray(['GET', 'POST', 'DELETE'], { minLength: 1 }),
    path: fc.constantFrom('/a', '/b', '/a/b', '/c'),
  });
  const readOnly = fc.constantFrom('enforce' as const, 'report' as const, 'off' as const);

  it('several tools may send exactly what one of them alone may', () => {
    fc.assert(
      fc.property(rules, readOnly, wanted, uses, uses, (some, mode, one, running, ended) => {
        const policy = { rules: some, readOnly: mode };
        const allows = (tools: readonly ToolUse[]): boolean =>
          decideToolEgress(policy, one, tools, none).allow;
        const all = [...running, ...ended];
        const together = decideToolEgress(policy, one, running, () => ended).allow;
        expect(together).toBe(all.length === 0 || all.some((use) => allows([use])));
      }),
    );
  });

  it('one more enforced rule for a tool that has one only adds to it; none makes reading a write', () => {
    fc.assert(
      fc.property(rules, wanted, names, (some, one, name) => {
        const use = [{ tool: name, readOnly: true }];
        const safe = { ...one, methods: ['GET'] };
        const enforced = decideToolEgress({ rules: some, readOnly: 'enforce' }, safe, use, none);
        const off = decideToolEgress({ rules: some, readOnly: 'off' }, safe, use, none);
        expect(enforced).toEqual(off);
      }),
    );
  });
});
