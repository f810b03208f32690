/**
 * When a credential may be used. A program that uses a key while nobody asked it for anything does so for somebody
 * else; `during-calls` ties the use to the calls of clients.
 */
import { limits } from '../kernel/index.ts';
import { type Permission, type Refusal, refuse } from './decision.ts';

export type CredentialUse = 'always' | 'during-calls';

/** What is known of a cell's calls at one moment. */
export interface CallTimes {
  readonly inFlight: number;
  /** Whether any call has begun since the cell started. */
  readonly begun: boolean;
  /** Milliseconds since the cell started. */
  readonly sinceStartMs: number;
  /** Milliseconds since a call ended last; null: none has. */
  readonly sinceEndMs: number | null;
}

const ALLOWED: Permission = { allow: true };

/**
 * Besides calls in flight, two things count: the start (`cellStartUpMs`, and only until the first call begins), because
 * servers log in then; and the moment after a call (`callGraceMs`), because they finish late.
 */
export function decideUse(
  { name, use }: { readonly name: string; readonly use?: CredentialUse },
  { inFlight, begun, sinceStartMs, sinceEndMs }: CallTimes,
): Permission | Refusal<'egress_credential_outside_call'> {
  if (use !== 'during-calls' || inFlight > 0) return ALLOWED;
  if (!begun && sinceStartMs <= limits.cellStartUpMs) return ALLOWED;
  if (sinceEndMs !== null && sinceEndMs <= limits.callGraceMs) return ALLOWED;
  return refuse(
    'egress_credential_outside_call',
    `${name} is only for requests that belong to a tool call, and none is in flight.`,
    `If the server has to work between calls, set "use: always" for ${name} in its manifest.`,
  );
}
