/**
 * Whose a found placeholder is, and whether the request that it was found in may use it at all. One of another cell is
 * an incident; one in a request that its binding does not cover, or in a place that it is not declared for, refuses
 * the request (ATTACKS 9, G3).
 */
import { limits } from '../../kernel/index.ts';
import { matchBinding } from '../../policy/index.ts';
import { type BoundCredential, boundCredentials, describePlace } from './bound-credentials.ts';
import type { PlaceholderHit, PlaceholderIndex } from './placeholder-index.ts';
import type { CellEgressSpec, CredentialBinding } from '../ports.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';

export interface Binder {
  readonly spec: CellEgressSpec;
  readonly placeholders: PlaceholderIndex;
}

/** Whether a binding covers the request, whichever of its methods the upstream takes it for. */
export function covers(binding: CredentialBinding, request: EgressRequest): ReturnType<typeof matchBinding> {
  const { host, port, target } = request;
  for (const method of request.methods) {
    const decision = matchBinding(binding, { host, port, method, path: target.path });
    if (!decision.allow) return decision;
  }
  return { allow: true };
}

/** The credential that a found placeholder stands for. @param place where it stands, in words */
export function claim(
  hit: PlaceholderHit,
  place: string,
  request: EgressRequest,
  binder: Binder,
): BoundCredential | Refusal {
  const { cell, credential } = hit.entry;
  const bound =
    cell === binder.spec.identity.cell ? boundCredentials(binder.spec).byName.get(credential) : undefined;
  const shown = shorten(place);
  if (bound === undefined)
    return Refusal.of('egress_placeholder_foreign', { place: shown }, { ownerCell: cell, place: shown });
  const decision = covers(bound.binding, request);
  return decision.allow ? bound : Refusal.unbound(decision, { credential, place: shown });
}

/** Refuses a placeholder of the cell's own in a place that it is not declared for. */
export function misplaced({ binding }: BoundCredential, place: string, request: EgressRequest): Refusal {
  const shown = shorten(place);
  const facts = {
    credential: binding.name,
    place: shown,
    host: request.host,
    port: request.port,
    allowed: binding.inject.map(describePlace).join(', ') || 'nowhere',
  };
  return Refusal.of('egress_placeholder_misplaced', facts, { credential: binding.name, place: shown });
}

/** Refuses whatever was found where nothing is ever declared. */
export function undeclared(
  hit: PlaceholderHit,
  place: string,
  request: EgressRequest,
  binder: Binder,
): Refusal {
  const bound = claim(hit, place, request, binder);
  return bound instanceof Refusal ? bound : misplaced(bound, place, request);
}

/** Places are named after what the program sent. The event about one must not become too long to be recorded. */
const shorten = (place: string): string =>
  place.length <= limits.placeCharsMax ? place : `${place.slice(0, limits.placeCharsMax).toWellFormed()}…`;
