/** Whether what a server shows is what was agreed to. Pure. */
import type { DefinitionKind, PinVerdict } from '../ports/definitions.ts';

export const definitionKey = (kind: DefinitionKind, name: string): string => `${kind} ${name}`;

/** @param approved hashes by `definitionKey`; none: nobody has looked at the server */
export function pinVerdict(
  approved: ReadonlyMap<string, string>,
  seen: { readonly kind: DefinitionKind; readonly name: string; readonly hash: string },
): PinVerdict {
  if (approved.size === 0) return 'unseen';
  const hash = approved.get(definitionKey(seen.kind, seen.name));
  if (hash === undefined) return 'new';
  return hash === seen.hash ? 'approved' : 'changed';
}
