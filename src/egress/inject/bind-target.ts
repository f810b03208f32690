/** Binds the placeholders in a request's target: path segments and query parameters. */
import { matchPathTemplate } from '../../wire/index.ts';
import { type Binder, claim, misplaced, undeclared } from './claim.ts';
import { decodePercent } from './percent.ts';
import type { PlaceholderHit, PlaceholderIndex } from './placeholder-index.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';

/** Searches text as it is, and as upstreams might decode it: once, or by mistake twice. */
function findDecoded(text: string, placeholders: PlaceholderIndex): PlaceholderHit | null {
  const plain = placeholders.find(text);
  if (plain !== null || !text.includes('%')) return plain;
  const once = decodePercent(text);
  return placeholders.find(once) ?? placeholders.find(decodePercent(once));
}

export function bindTarget(request: EgressRequest, binder: Binder): Refusal | null {
  const { raw, query } = request.target;
  if (findDecoded(raw, binder.placeholders) === null) return null;
  const segments = (query === null ? raw : raw.slice(0, raw.length - query.length - 1)).split('/');
  const parameters = query?.split('&') ?? [];
  const refused = bindSegments(segments, request, binder) ?? bindParameters(parameters, request, binder);
  if (refused !== null) return refused;
  /* What was bound is taken out: a placeholder that shows across a separator is in no declared place. */
  const rest = findDecoded(`${segments.join('/')}?${parameters.join('&')}`, binder.placeholders);
  return rest === null ? null : undeclared(rest, 'the target', request, binder);
}

/** @param segments of the path; those that were bound are emptied */
function bindSegments(segments: string[], request: EgressRequest, binder: Binder): Refusal | null {
  for (const [index, segment] of segments.entries()) {
    const hit = findDecoded(segment, binder.placeholders);
    if (hit === null) continue;
    const bound = claim(hit, 'the path', request, binder);
    if (bound instanceof Refusal) return bound;
    const { binding } = bound;
    const template = bound.paths.find(
      (candidate) =>
        candidate.at === index - 1 && matchPathTemplate(candidate, request.target.path, binding.placeholder),
    );
    if (template === undefined) return misplaced(bound, 'the path', request);
    request.injections.push({ binding, place: { kind: 'path', template } });
    segments[index] = '';
  }
  return null;
}

/** @param parameters of the query; those that were bound are emptied */
function bindParameters(parameters: string[], request: EgressRequest, binder: Binder): Refusal | null {
  const names = parameters.map(parameterName);
  for (const [index, parameter] of parameters.entries()) {
    const hit = findDecoded(parameter, binder.placeholders);
    if (hit === null) continue;
    const bound = claim(hit, 'the query', request, binder);
    if (bound instanceof Refusal) return bound;
    const name = names[index] ?? '';
    const equals = parameter.indexOf('=');
    const isDeclared =
      equals >= 0 &&
      bound.queries.has(name) &&
      decodePercent(parameter.slice(equals + 1)) === bound.binding.placeholder;
    if (!isDeclared || names.filter((other) => other === name).length > 1)
      return misplaced(bound, 'the query', request);
    request.injections.push({ binding: bound.binding, place: { kind: 'query', index } });
    parameters[index] = '';
  }
  return null;
}

function parameterName(parameter: string): string {
  const equals = parameter.indexOf('=');
  return decodePercent(equals < 0 ? parameter : parameter.slice(0, equals));
}
