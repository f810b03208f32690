/** Patterns of names: `*` stands for any characters, none included. In time proportional to pattern and name together. */
import { matchHost, matchPath } from '../../wire/index.ts';
import type { RuleRequest, Subject } from './request.ts';
import type { Match } from './types.ts';

export function matchName(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name;
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** Asked of every rule at every call: plain loops, which make nothing. */
function some(patterns: readonly string[] | undefined, names: readonly string[]): boolean {
  if (patterns === undefined) return true;
  for (const pattern of patterns) for (const name of names) if (matchName(pattern, name)) return true;
  return false;
}

const coversHost = (pattern: string, host: string): boolean => pattern === '*' || matchHost(pattern, host);

/** The lists that name what the request is about. */
const NAMED = { tool: 'tools', prompt: 'prompts', resource: 'resources' } as const satisfies {
  [S in Exclude<Subject, 'egress'>]: keyof Match;
};

/** Whether a rule is about this server and this thing, whoever asks: what can be remembered. */
export function coversThing(match: Match, subject: Subject, server: string, name: string): boolean {
  if (!some(match.servers, [server])) return false;
  if (subject !== 'egress') return some(match[NAMED[subject]], [name]);
  return match.hosts === undefined || match.hosts.some((pattern) => coversHost(pattern, name));
}

/** What stands for a variable: a character that no pattern has. */
const VARIABLE = '\0';

/** A template of URIs, its variables left open: a pattern covers it that covers every URI that it can become. */
export const openTemplate = (template: string): string => template.replaceAll(/\{[^{}]*\}/g, VARIABLE);

/** Whether a rule is about some URI that a template can become. @param template an `openTemplate` */
export function coversSomeOf(match: Match, server: string, template: string): boolean {
  const wild = template.replaceAll(VARIABLE, '*');
  return (
    some(match.servers, [server]) &&
    (match.resources === undefined || match.resources.some((pattern) => meet(pattern, wild)))
  );
}

/** Whether there is a name that both patterns match: what is between their ends can always be made so that it does. */
function meet(one: string, other: string): boolean {
  if (!one.includes('*')) return matchName(other, one);
  if (!other.includes('*')) return matchName(one, other);
  const [first, otherFirst] = [one.slice(0, one.indexOf('*')), other.slice(0, other.indexOf('*'))];
  const [last, otherLast] = [one.slice(one.lastIndexOf('*') + 1), other.slice(other.lastIndexOf('*') + 1)];
  return (
    (first.startsWith(otherFirst) || otherFirst.startsWith(first)) &&
    (last.endsWith(otherLast) || otherLast.endsWith(last))
  );
}

/**
 * Servers disagree about what `%2f` and `;` in a path are. A list of what is refused has to cover what any of them makes of
 * it, as a list of what is allowed has to cover what all of them do.
 */
function coversSomeReading(prefixes: readonly string[], path: string): boolean {
  const covers = (reading: string): boolean => prefixes.some((prefix) => matchPath(prefix, reading));
  if (covers(path)) return true;
  if (!/[;%\\]/.test(path)) return false;
  const slashes = path.replaceAll(/%2f|%5c|\\/gi, '/').replaceAll(/\/{2,}/g, '/');
  return [slashes, path, slashes.replaceAll(/%3b/gi, ';')].some(
    (reading) => covers(reading) || covers(reading.replaceAll(/;[^/]*/g, '')),
  );
}

/** Whether it may be about anything of this server. */
export const coversServer = (match: Match, server: string): boolean => some(match.servers, [server]);

/** Whether it is about whoever asks, and about how. */
export function coversCaller(
  match: Match,
  { users, agents, tokens, egress }: Pick<RuleRequest, 'users' | 'agents' | 'tokens' | 'egress'>,
): boolean {
  if (!some(match.users, users) || !some(match.agents, agents) || !some(match.tokens, tokens)) return false;
  if (egress === undefined) return true;
  return (
    some(match.tools, egress.tools) &&
    some(match.methods, egress.methods) &&
    (match.paths === undefined || coversSomeReading(match.paths, egress.path))
  );
}
