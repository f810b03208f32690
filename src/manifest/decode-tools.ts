/** `tools`: which are shown, and what requests may be sent while they run. */
import type { CredentialSpec, EgressRule, HttpMethod, ToolEgressRule, ToolSelection } from './types.ts';
import {
  type Cursor,
  type Fields,
  itemsOf,
  readChoice,
  readEach,
  readFields,
  readFlag,
  readList,
  refuse,
} from './fields.ts';
import { covers } from './host-pattern.ts';
import { pattern, readRuled } from './plain-text.ts';
import type { Report } from './report.ts';
import { readDistinct, readHost, readMethods, readPaths } from './request-scope.ts';

/** MCP names tools freely; what could repaint a terminal or break a list is left out. */
const toolNameRule = pattern(
  'manifest_tool_name',
  'the name of a tool, 1 to 128 characters without spaces',
  /^[^\s\p{Cc}\p{Cf}]{1,128}$/u,
);
const toolPatternRule = pattern(
  'manifest_tool_pattern',
  'the name of a tool, or its beginning with a "*" after it, e.g. "search_*"',
  /^(?:[^\s*\p{Cc}\p{Cf}]{1,128}\*?|\*)$/u,
);

/**
 * `{}` says the same as nothing: the tools that declare `readOnlyHint` are shown, and watched.
 *
 * @param egress undefined where it could not be read
 */
export function readTools(
  cursor: Cursor | undefined,
  egress: readonly EgressRule[] | undefined,
  report: Report,
): ToolSelection | undefined {
  if (cursor === undefined) return {};
  const fields = readFields(cursor, ['default', 'egress', 'readOnly'], report);
  if (fields === undefined) return undefined;
  const shown = readDistinct(fields.get('default'), 'a list of tool names', report, (item) =>
    readRuled(item, toolNameRule, report),
  );
  const rules = readRules(fields.get('egress'), egress, report);
  const readOnly = readChoice(fields.get('readOnly'), ['enforce', 'report', 'off'], report);
  const values = { default: shown, egress: rules, readOnly };
  const unread = (['default', 'egress', 'readOnly'] as const).some(
    (key) => fields.get(key) !== undefined && values[key] === undefined,
  );
  if (unread) return undefined;
  return {
    ...(shown === undefined ? {} : { default: shown }),
    ...(rules === undefined ? {} : { egress: rules }),
    ...(readOnly === undefined || readOnly === 'report' ? {} : { readOnly }),
  };
}

const RULES_EXPECTED = 'a list of rules, e.g. [{ tools: ["search_*"], methods: [GET] }]';

function readRules(
  cursor: Cursor | undefined,
  egress: readonly EgressRule[] | undefined,
  report: Report,
): readonly ToolEgressRule[] | undefined {
  const items = readList(cursor, RULES_EXPECTED, report);
  if (cursor === undefined || items === undefined) return undefined;
  if (items.length === 0) {
    refuse(
      cursor,
      {
        code: 'manifest_list_empty',
        message: 'the list is empty',
        expected: `${RULES_EXPECTED}; or leave the key out`,
      },
      report,
    );
  }
  return readEach(items, (item) => readRule(item, egress, report));
}

function readRule(
  cursor: Cursor,
  egress: readonly EgressRule[] | undefined,
  report: Report,
): ToolEgressRule | undefined {
  const fields = readFields(cursor, ['tools', 'hosts', 'methods', 'paths', 'enforce'], report);
  if (fields === undefined) return undefined;
  const enforceAt = fields.get('enforce');
  const tools = readDistinct(
    fields.need('tools', 'the tools that it is about'),
    'a list of tools',
    report,
    (item) => readRuled(item, toolPatternRule, report),
  );
  const values = {
    hosts: readDistinct(fields.get('hosts'), 'a list of hosts', report, (item) => readHost(item, report)),
    methods: readMethods(fields.get('methods'), report),
    paths: readPaths(fields.get('paths'), report),
    enforce: enforceAt === undefined ? true : readFlag(enforceAt, report),
  };
  const { enforce, hosts, methods, paths } = values;
  const unread = (['hosts', 'methods', 'paths', 'enforce'] as const).some(
    (key) => fields.get(key) !== undefined && values[key] === undefined,
  );
  if (unread || tools === undefined || enforce === undefined) return undefined;
  if (egress !== undefined) checkReach(fields, { hosts, methods }, egress, report);
  return {
    tools,
    ...(hosts === undefined ? {} : { hosts }),
    ...(methods === undefined ? {} : { methods }),
    ...(paths === undefined ? {} : { paths }),
    enforce,
  };
}

/** A rule only narrows what `egress` allows: what it names beyond that is a mistake in one of the two. */
function checkReach(
  fields: Fields,
  { hosts, methods }: { hosts: readonly string[] | undefined; methods: readonly HttpMethod[] | undefined },
  egress: readonly EgressRule[],
  report: Report,
): void {
  const complain = (key: string, index: number, message: string, expected: string): void => {
    const list = fields.get(key);
    const item = list?.node.kind === 'list' ? itemsOf(list.node, list.path)[index] : undefined;
    if (item !== undefined)
      refuse(item, { code: 'manifest_tool_rule_unreachable', message, expected }, report);
  };
  const meets = (rule: EgressRule): boolean =>
    hosts === undefined || hosts.some((host) => covers(rule.host, host) || covers(host, rule.host));
  const reached = egress.filter(meets);
  for (const [index, host] of (hosts ?? []).entries()) {
    if (egress.some((rule) => covers(rule.host, host) || covers(host, rule.host))) continue;
    const known = egress.map((rule) => rule.host).join(', ');
    complain(
      'hosts',
      index,
      `egress does not allow ${host}`,
      known === '' ? 'a host of egress' : `one of ${known}`,
    );
  }
  for (const [index, method] of (methods ?? []).entries()) {
    if (reached.length === 0 || reached.some((rule) => rule.methods?.includes(method) !== false)) continue;
    complain('methods', index, `egress allows no ${method} there`, 'a method that egress allows');
  }
}

/** Rules about tools hold while tools run. A key that may be used when none does is a way around them. */
export function checkIdleUse(
  at: Cursor | undefined,
  { egress, readOnly }: ToolSelection,
  credentials: readonly CredentialSpec[],
  report: Report,
): void {
  const enforces = readOnly === 'enforce' || egress?.some((rule) => rule.enforce) === true;
  const loose = credentials.filter(({ tier, use }) => tier === 'sealed' && use === undefined);
  if (at === undefined || !enforces || loose.length === 0) return;
  const names = loose.map(({ name }) => name).join(', ');
  report.warn(at.node.at, at.path, {
    code: 'manifest_tools_around',
    message: `these rules hold while a tool runs, and ${names} may be used when none does`,
    expected: `use: during-calls for ${names}`,
  });
}
