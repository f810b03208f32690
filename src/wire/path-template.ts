/**
 * A path with a place for one value, such as `/bot{token}`; a segment `*` may be anything that is one segment to everybody.
 * It is a prefix that ends at a segment boundary: what follows its last segment is free. A value never reaches
 * beyond its own segment, because segments are told apart before anything is decoded.
 */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { normalizeTarget } from './target.ts';

type Segment =
  | { readonly kind: 'any' }
  | { readonly kind: 'literal'; readonly text: string }
  /** The value with what stands around it in the same segment. */
  | { readonly kind: 'token'; readonly before: string; readonly after: string };

export interface PathTemplate {
  readonly segments: readonly Segment[];
  /** Position of the segment with the value, counted from 0 after the first slash. */
  readonly at: number;
}

export type PathTemplateError =
  | 'path_form' /** does not begin with a slash, or is too long */
  | 'path_token' /** `{token}` not exactly once */
  | 'path_wildcard' /** `*` as a part of a segment */
  | 'path_character' /** braces, a query or a fragment */
  | 'path_not_normal'; /** what no normalised path looks like */

const SLOT = '{token}';

export function parsePathTemplate(text: string): Result<PathTemplate, PathTemplateError> {
  if (!text.startsWith('/') || text.length > limits.manifestPathCharsMax) return err('path_form');
  if (text.split(SLOT).length !== 2) return err('path_token');
  if (/[{}?#]/.test(text.replace(SLOT, ''))) return err('path_character');
  const parts = text.slice(1).split('/');
  if (parts.some((part) => part.includes('*') && part !== '*')) return err('path_wildcard');
  const sample = text.replace(SLOT, 'x').replaceAll('*', 'x');
  const target = normalizeTarget(sample);
  if (!target.ok || target.value.path !== sample || sample.endsWith('/')) return err('path_not_normal');
  const segments = parts.map((part): Segment => {
    if (part === '*') return { kind: 'any' };
    const [before = '', after] = part.split(SLOT);
    return after === undefined ? { kind: 'literal', text: part } : { kind: 'token', before, after };
  });
  return ok({ segments, at: segments.findIndex(({ kind }) => kind === 'token') });
}

/** To an upstream that decodes it first, a segment with one is two, and the value would stand one further down. */
const ENCODED_SLASH = '%2F';

/**
 * Whether a path has `token`, as it is or percent-encoded, in the template's place.
 *
 * @param path normalised
 */
export function matchPathTemplate(template: PathTemplate, path: string, token: string): boolean {
  const parts = path.split('/').slice(1);
  return (
    parts.length >= template.segments.length &&
    template.segments.every((segment, index) => {
      const part = parts[index] ?? '';
      if (segment.kind === 'any') return part !== '' && !part.includes(ENCODED_SLASH);
      if (segment.kind === 'literal') return part === segment.text;
      return decode(part) === decode(segment.before) + token + decode(segment.after);
    })
  );
}

/**
 * The target with a value in the template's place; null when the value cannot stand in a segment: it has a slash or a
 * backslash, would be a dot segment, or could be read in two ways.
 *
 * @param raw a target that the template matches
 * @param value UTF-8 text
 */
export function fillPathTemplate(template: PathTemplate, raw: string, value: string): string | null {
  const segment = template.segments[template.at];
  if (segment?.kind !== 'token' || value === '' || /[/\\]/.test(value) || !value.isWellFormed()) return null;
  const mark = raw.indexOf('?');
  const parts = (mark < 0 ? raw : raw.slice(0, mark)).split('/');
  parts[template.at + 1] = `${segment.before}${encodeSegment(value)}${segment.after}`;
  const path = parts.join('/');
  const filled = normalizeTarget(path);
  if (!filled.ok || filled.value.path.split('/').length !== parts.length) return null;
  return mark < 0 ? path : path + raw.slice(mark);
}

const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const decode = (text: string): string =>
  text.includes('%')
    ? text.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;

/** Characters that a segment carries as they are (RFC 3986 section 3.3), but for the semicolon, which begins a parameter. */
const encodeSegment = (value: string): string =>
  encodeURIComponent(value).replace(/%(?:3A|40|24|26|2B|2C|3D)/g, (escape) => decodeURIComponent(escape));
