/**
 * Finds a cell's own placeholders in bodies in the spellings in which they would be read by somebody: base64, hex,
 * percent-encoding, escapes. An upstream that decodes one gets the placeholder and no key; it is refused all the same, because
 * a server that sends its placeholder off in base64 (as the text of an email, for example) is up to something.
 */
import { Secret } from '../../kernel/index.ts';
import type { CellEgressSpec } from '../ports.ts';
import { createScrubSet, type ScrubSet } from '../scrub/index.ts';

const sets = new WeakMap<CellEgressSpec, ScrubSet>();

/** What `createScrubber` searches for. Hits are named after the credentials. */
export function disguises(spec: CellEgressSpec): ScrubSet {
  const known = sets.get(spec);
  if (known !== undefined) return known;
  const set = createScrubSet(
    spec.credentials.map(({ name, placeholder }) => ({
      name,
      value: Secret.fromString(placeholder),
      mask: placeholder,
    })),
  );
  sets.set(spec, set);
  return set;
}
