/**
 * The request target, judged before any rule about paths is asked. Upstreams disagree on how to read dot
 * segments, empty segments, encoded slashes, path parameters and double encodings, so a target that two of
 * them could take for different paths is refused rather than repaired: what was judged is what is sent.
 */
import { err, limits, ok, type Result } from '../kernel/index.ts';

export interface Target {
  /** The path with unreserved characters decoded and escapes in upper case: what rules are matched against. */
  readonly path: string;
  /** What follows the first `?`, untouched; `null` without one. */
  readonly query: string | null;
  /** The target as it arrived: what is sent on. */
  readonly raw: string;
}

export type TargetError =
  | 'target_empty'
  | 'target_too_long'
  | 'target_form' /** not origin-form: absolute, authority or asterisk */
  | 'target_character' /** a control, a space, or a byte outside ASCII */
  | 'target_fragment'
  | 'target_backslash' /** plain or encoded */
  | 'target_percent' /** `%` without two hex digits in the path */
  | 'target_control' /** an encoded control character */
  | 'target_utf8' /** escapes that are no UTF-8, overlong dots included */
  | 'target_double_encoding'
  | 'target_dot_segment' /** plain, encoded, before a path parameter, or around an encoded slash */
  | 'target_empty_segment'; /** `//`, or a segment that is only a path parameter */

const PRINTABLE = /^[\x21-\x7e]*$/;
const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const ANY_ESCAPE = /%[0-9A-Fa-f]{2}/;
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const ENCODED_CONTROL = /%(?:[01][0-9A-Fa-f]|7[Ff])/;
/** Nothing in it that anybody could read differently: most paths, and not worth taking apart. */
const ORDINARY = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+\/?$/;
const UNRESERVED = /[A-Za-z0-9._~-]/;

/** Checks an origin-form request target (RFC 9112 section 3.2.1) and gives the path that rules are matched on. */
export function normalizeTarget(raw: string): Result<Target, TargetError> {
  if (raw === '') return err('target_empty');
  if (raw.length > limits.targetCharsMax) return err('target_too_long');
  if (!PRINTABLE.test(raw)) return err('target_character');
  if (!raw.startsWith('/')) return err('target_form');
  if (raw.includes('#')) return err('target_fragment');
  const mark = raw.indexOf('?');
  const path = normalizePath(mark < 0 ? raw : raw.slice(0, mark));
  if (!path.ok) return path;
  return ok({ path: path.value, query: mark < 0 ? null : raw.slice(mark + 1), raw });
}

function normalizePath(raw: string): Result<string, TargetError> {
  if (ORDINARY.test(raw)) return ok(raw);
  if (BAD_ESCAPE.test(raw)) return err('target_percent');
  if (raw.includes('\\') || /%5c/i.test(raw)) return err('target_backslash');
  if (ENCODED_CONTROL.test(raw)) return err('target_control');
  const decoded = decodeUtf8(raw);
  if (decoded === null) return err('target_utf8');
  /* Any part of an escape may be escaped itself, not only its percent sign. */
  if (ANY_ESCAPE.test(decoded)) return err('target_double_encoding');

  // An encoded slash is kept (GitLab names projects `group%2Fproject`), but whichever way the upstream reads
  // it, the segments must be ordinary ones: then the path stays below every prefix that it is below here.
  const segments = decoded.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const name = segment.split(';', 1)[0] ?? '';
    if (name === '.' || name === '..') return err('target_dot_segment');
    if (name === '' && (segment !== '' || index < segments.length - 1)) return err('target_empty_segment');
  }
  return ok(
    raw.replace(ESCAPE, (escape, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return UNRESERVED.test(character) ? character : escape.toUpperCase();
    }),
  );
}

function decodeUtf8(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/**
 * Whether a normalised path is the prefix itself or below it. Prefixes end at a segment boundary: `/v1` and
 * `/v1/` cover `/v1` and `/v1/users`, not `/v10`. `/` covers every path, a prefix without a slash none.
 */
export function matchPath(prefix: string, path: string): boolean {
  if (!prefix.startsWith('/')) return false;
  const base = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  return path === base || path.startsWith(`${base}/`);
}
