/** What a rule is about: the names it lists, and which kinds of requests all of its parts can be asked of. */
import {
  type Cursor,
  type Fields,
  readChoice,
  readEach,
  readFields,
  readList,
  readText,
  refuse,
  type Report,
} from '../../manifest/index.ts';
import { limits } from '../../kernel/index.ts';
import { parseHostname } from '../../wire/index.ts';
import type { Condition } from './condition.ts';
import { type Subject, subjects } from './request.ts';
import type { Match } from './types.ts';

const LISTS = [
  'servers',
  'tools',
  'prompts',
  'resources',
  'hosts',
  'methods',
  'paths',
  'users',
  'agents',
  'tokens',
] as const;

export function readMatch(cursor: Cursor | undefined, report: Report): Match | undefined {
  if (cursor === undefined) return {};
  const fields = readFields(cursor, LISTS, report);
  if (fields === undefined) return undefined;
  const found: { -readonly [Key in keyof Match]: Match[Key] } = {};
  for (const key of LISTS) {
    const at = fields.get(key);
    if (at === undefined) continue;
    const names = readNames(at, report);
    if (names === undefined) return undefined;
    found[key] = key === 'methods' ? names.map((name) => name.toUpperCase()) : names;
    if (key === 'hosts') checkHosts(at, names, report);
  }
  return found;
}

/** One name, or a list of them. */
function readNames(cursor: Cursor, report: Report): readonly string[] | undefined {
  const expected = 'a list of names, in which `*` stands for any characters';
  const { node } = cursor;
  const cursors = node.kind === 'scalar' ? [cursor] : readList(cursor, expected, report);
  const names = readEach(cursors, (one) => {
    const name = readText(one, 'a name', report);
    return name === ''
      ? refuse(
          one,
          {
            code: 'policy_never_matches',
            message: 'nothing has an empty name',
            expected: 'a name, or no such entry',
          },
          report,
        )
      : name;
  });
  if (names !== undefined && names.length === 0)
    return refuse(
      cursor,
      {
        code: 'policy_never_matches',
        message: 'an empty list matches nothing',
        expected: 'at least one name; without the key it is not asked about',
      },
      report,
    );
  if (names !== undefined && names.length > limits.policyListMax)
    return refuse(
      cursor,
      {
        code: 'policy_list_too_long',
        message: `there are ${names.length} names`,
        expected: `at most ${limits.policyListMax}`,
      },
      report,
    );
  return names;
}

function checkHosts(cursor: Cursor, hosts: readonly string[], report: Report): void {
  for (const host of hosts) {
    const name = host.startsWith('*.') ? host.slice(2) : host;
    const parsed = parseHostname(name);
    if (host === '*' || (parsed.ok && parsed.value === name && (name === host || name.includes('.'))))
      continue;
    refuse(
      cursor,
      {
        code: 'policy_never_matches',
        message: `no host is ever called ${JSON.stringify(host)}`,
        expected: 'a host name in small letters, `*.` before it for what is below, or `*`',
      },
      report,
    );
  }
}

const ABOUT: Readonly<Partial<{ [Key in keyof Match]: readonly Subject[] }>> = {
  tools: ['tool', 'egress'],
  prompts: ['prompt'],
  resources: ['resource'],
  hosts: ['egress'],
  methods: ['egress'],
  paths: ['egress'],
};
const EGRESS_ONLY: readonly (keyof Match)[] = ['hosts', 'methods', 'paths'];

/** What a rule is about: what all of its parts can be asked about. Requests of servers only where something says so. */
export function subjectsOf(
  fields: Fields,
  match: Match,
  when: Condition | null,
  report: Report,
): ReadonlySet<Subject> | undefined {
  const possible = subjects.filter(
    (one) =>
      (when?.subjects.has(one) ?? true) &&
      LISTS.every((key) => match[key] === undefined || (ABOUT[key]?.includes(one) ?? true)),
  );
  const on = fields.get('on');
  if (on !== undefined) {
    const cursors =
      on.node.kind === 'scalar' ? [on] : readList(on, `a list of ${subjects.join(', ')}`, report);
    const chosen = readEach(cursors, (one) => readChoice(one, subjects, report));
    if (chosen === undefined) return undefined;
    const lost = chosen.filter((one) => !possible.includes(one));
    if (lost.length === 0 && chosen.length > 0) return new Set(chosen);
    const message =
      chosen.length === 0
        ? 'an empty list matches nothing'
        : `what the rule asks for is not known of ${lost.join(' and ')}`;
    return refuse(
      on,
      {
        code: 'policy_never_matches',
        message,
        expected: possible.length === 0 ? 'parts that are about the same' : possible.join(', '),
      },
      report,
    );
  }
  const saysEgress = EGRESS_ONLY.some((key) => match[key] !== undefined) || when?.uses.has('egress') === true;
  const found = possible.filter((one) => one !== 'egress' || saysEgress);
  if (found.length > 0) return new Set(found);
  const cursor = fields.get('when') ?? fields.get('match') ?? fields.get('id');
  if (cursor !== undefined)
    refuse(
      cursor,
      {
        code: 'policy_never_matches',
        message: 'nothing has all that this rule asks for',
        expected: 'a rule about a tool, a prompt, a resource, or a request of a server',
      },
      report,
    );
  return undefined;
}
