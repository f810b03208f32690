/**
 * What a cell may send while its tools run. Egress says what the server may do at all; this narrows it to what the tools
 * that run are for. Nobody can see which of several running tools sent a request, so it is enough that one of them may:
 * what is promised is what happens while no other tool runs.
 */
import { limits } from '../kernel/index.ts';
import { coversMethod, coversPath } from './coverage.ts';
import { listed, type Permission, type Refusal, refuse } from './decision.ts';
import { matchHost } from '../wire/index.ts';

/** What calls of some tools may send. */
export interface ToolEgressRule {
  /** Names, or beginnings of names with a `*` after them. */
  readonly tools: readonly string[];
  /** Absent: every host that egress allows. */
  readonly hosts?: readonly string[];
  /** Absent: every method that egress allows. */
  readonly methods?: readonly string[];
  /** Absent: every path that egress allows. */
  readonly paths?: readonly string[];
  /** Refuse what is not covered; otherwise only tell. */
  readonly enforce: boolean;
}

/** What becomes of requests that may change something while only tools run that say that they only read. */
export type ReadOnlyMode = 'enforce' | 'report' | 'off';

export interface ToolEgress {
  readonly rules: readonly ToolEgressRule[];
  readonly readOnly: ReadOnlyMode;
}

/** A tool of which a call is in flight, or was a moment ago. */
export interface ToolUse {
  readonly tool: string;
  /** What the server says of it. Its word narrows what it may do, and never widens it. */
  readonly readOnly: boolean;
}

/** A request that egress has allowed. */
export interface ToolRequest {
  readonly host: string;
  /** Every method that an upstream may take it for, in upper case. */
  readonly methods: readonly string[];
  /** Normalised path without the query. */
  readonly path: string;
  /** Whether it may change something whatever its method says: nothing is known of what goes over a WebSocket. */
  readonly isOpaque?: boolean;
  /** Whether it is a connection that nobody reads: it has no method that a rule could name, only a host. */
  readonly isUnread?: boolean;
}

export type ToolRefusalCode = 'egress_tool_denied' | 'egress_read_only';

/** `unexpected`: it is allowed, but not what any of the tools that run is for. */
export type ToolDecision =
  | (Permission & { readonly unexpected: ToolRefusalCode | null })
  | Refusal<ToolRefusalCode>;

/** What the rules of one tool say, the milder the smaller. */
type Verdict = { readonly weight: 0 } | { readonly weight: 1 | 2; readonly code: ToolRefusalCode };

const FITS: Verdict = { weight: 0 };
const EXPECTED: ToolDecision = { allow: true, unexpected: null };
/** RFC 9110 9.2.1, without TRACE, which is never forwarded. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const isSafe = ({ isOpaque, methods }: ToolRequest): boolean =>
  isOpaque !== true && methods.every((method) => SAFE.has(method));

/**
 * Whether some tool that runs may send this request. Where none does there is nothing to hold it to: what may be sent
 * outside of calls is for egress and for the `use` of credentials to say.
 *
 * @param running tools of which a call is in flight
 * @param ended gives those whose last call ended a moment ago; asked for only when none that runs may send it
 */
export function decideToolEgress(
  policy: ToolEgress,
  request: ToolRequest,
  running: readonly ToolUse[],
  ended: () => readonly ToolUse[],
): ToolDecision {
  if (policy.rules.length === 0 && (policy.readOnly === 'off' || isSafe(request))) return EXPECTED;
  const now = mildest(policy, request, running);
  if (now?.weight === 0) return EXPECTED;
  const late = ended();
  const tools = late.length === 0 ? running : [...running, ...late];
  const verdict = late.length === 0 ? now : mildest(policy, request, tools);
  if (verdict === null || verdict.weight === 0) return EXPECTED;
  if (verdict.weight === 1) return { allow: true, unexpected: verdict.code };
  return refuse(verdict.code, messageOf(verdict.code, request, tools), HINTS[verdict.code]);
}

/** Null where there is no tool. */
function mildest(policy: ToolEgress, request: ToolRequest, tools: readonly ToolUse[]): Verdict | null {
  let found: Verdict | null = null;
  for (const tool of tools) {
    const verdict = verdictOn(policy, request, tool);
    if (verdict.weight === 0) return verdict;
    if (found === null || verdict.weight < found.weight) found = verdict;
  }
  return found;
}

function verdictOn({ rules, readOnly }: ToolEgress, request: ToolRequest, use: ToolUse): Verdict {
  const named = rules.filter((rule) => rule.tools.some((pattern) => matchTool(pattern, use.tool)));
  const covering = named.filter((rule) => coversRequest(rule, request));
  /* Each kind for itself: a wide rule that only tells must not open what a narrow one closes. */
  const misses = (enforce: boolean): boolean =>
    named.some((rule) => rule.enforce === enforce) && !covering.some((rule) => rule.enforce === enforce);
  if (misses(true)) return { weight: 2, code: 'egress_tool_denied' };
  /* Whoever writes down a tool's methods, or where it may send what nobody reads, knows more of it than its hint says. */
  const isMeant = covering.some(
    (rule) => (request.isUnread === true ? rule.hosts : rule.methods) !== undefined,
  );
  const writes = use.readOnly && !isSafe(request) && !isMeant;
  if (writes && readOnly === 'enforce') return { weight: 2, code: 'egress_read_only' };
  if (misses(false)) return { weight: 1, code: 'egress_tool_denied' };
  return writes && readOnly === 'report' ? { weight: 1, code: 'egress_read_only' } : FITS;
}

const matchTool = (pattern: string, tool: string): boolean =>
  pattern.endsWith('*') ? tool.startsWith(pattern.slice(0, -1)) : tool === pattern;

const coversRequest = ({ hosts, methods, paths }: ToolEgressRule, request: ToolRequest): boolean =>
  (hosts === undefined || hosts.some((pattern) => matchHost(pattern, request.host))) &&
  request.methods.every((method) => coversMethod(methods, method)) &&
  coversPath(paths, request.path);

function messageOf(code: ToolRefusalCode, { host, methods }: ToolRequest, tools: readonly ToolUse[]): string {
  const names = [...new Set(tools.map(({ tool }) => tool))].slice(0, limits.refusalNamesMax);
  const what = `${listed(methods)} to ${host}`;
  return code === 'egress_read_only'
    ? `Only tools that should only read are running (${names.join(', ')}), so ${what} is refused.`
    : `${what} is for none of the tools that run now (${names.join(', ')}).`;
}

const HINTS: Readonly<Record<ToolRefusalCode, string>> = {
  egress_tool_denied: 'If the tool should, add the request to "tools.egress" of the server\'s manifest.',
  egress_read_only:
    'If the tool should, name its methods in "tools.egress" of the server\'s manifest, or only report it: "tools.readOnly: report".',
};
