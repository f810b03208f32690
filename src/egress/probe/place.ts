/** The places that a rule may put its value in, as a probe sees them. Pure. */
import type { Target } from '../../wire/index.ts';
import { fillFormat } from '../inject/injection.ts';
import type { InjectRule } from '../ports.ts';

/** Where a rule puts its value, in two words. */
export function placeText(rule: InjectRule): string {
  if ('header' in rule) return `header ${rule.header}`;
  if ('basic' in rule) return `basic ${rule.basic}`;
  if ('query' in rule) return `query ${rule.query}`;
  if ('cookie' in rule) return `cookie ${rule.cookie}`;
  if ('path' in rule) return `path ${rule.path}`;
  if ('json' in rule) return `json ${rule.json}`;
  if ('form' in rule) return `form ${rule.form}`;
  if ('multipart' in rule) return `multipart ${rule.multipart}`;
  return 'hmac' in rule ? `hmac ${rule.hmac.header}` : `websocket ${rule.websocket}`;
}

/**
 * In which part of a request a rule's value travels: `message` is later than any answer that could be searched, and
 * `nowhere` is a key that only signs.
 */
export function carrierOf(rule: InjectRule): 'head' | 'body' | 'message' | 'nowhere' {
  if ('hmac' in rule) return 'nowhere';
  if ('websocket' in rule) return 'message';
  return 'json' in rule || 'form' in rule || 'multipart' in rule ? 'body' : 'head';
}

/** Stands where a rule leaves something to the program: the other half of Basic, a segment of a path. */
export const ANYTHING = 'probe';

/**
 * The path of a rule that puts its value there, as a request would have it.
 * @param token in place of the value
 */
export function pathTarget(template: string, token: string): Target {
  const path = template
    .split('/')
    .map((segment) => (segment === '*' ? ANYTHING : fillFormat(segment, token)))
    .join('/');
  return { path, query: null, raw: path };
}
