/**
 * Who may do what with credentials, apart from the kill switch. Pure. What is not listed is refused: an agent's
 * token and a cell may cause a credential to be used, and nothing else.
 */
import type { Actor } from '../audit/index.ts';
import { err, ok, type Result } from '../kernel/index.ts';

export type Deed = 'use' | 'change' | 'list' | 'keys';

const MAY: Readonly<Record<Deed, ReadonlySet<Actor['kind']>>> = {
  use: new Set<Actor['kind']>(['system', 'local', 'token', 'user', 'cell']),
  change: new Set<Actor['kind']>(['system', 'local', 'user']),
  list: new Set<Actor['kind']>(['system', 'local', 'user']),
  keys: new Set<Actor['kind']>(['system', 'local']),
};

/**
 * @param owner whose value it is about; null for the shared one
 * @returns the reason for a refusal, in words that may be shown
 */
export function mayDo(actor: Actor, deed: Deed, owner: string | null): Result<null, string> {
  if (!MAY[deed].has(actor.kind)) return err(`A ${actor.kind} may not do this with credentials.`);
  if (actor.kind !== 'user') return ok(null);
  if (owner !== null && owner !== actor.id) return err("This is another user's credential.");
  if (owner === null && deed === 'change') return err('A user may change only their own credentials.');
  return ok(null);
}
