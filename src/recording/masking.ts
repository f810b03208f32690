/** What texts go through before they are kept: stored values by what they are, everything else by its form. Always. */
import { compileMasking, type Masked, type Masker } from '../masking/index.ts';

/** Takes stored values out of a text, in every spelling. */
export type Scrub = (text: string) => string;

export interface TextMask {
  json(text: string): Masked;
  text(text: string): Masked;
}

let compiled: Masker | null = null;

/** Made when something is recorded first: most processes never do. */
function formMasker(): Masker {
  if (compiled !== null) return compiled;
  const made = compileMasking(
    [{ id: 'recording', detectors: ['all'], strategy: { kind: 'redact' } }],
    // Nothing is hashed by this rule.
    { hash: () => '' },
  );
  if (!made.ok) throw new Error(made.error.message);
  compiled = made.value;
  return made.value;
}

export function textMask(scrub: Scrub): TextMask {
  const masker = formMasker();
  const after =
    (mask: (text: string) => Masked) =>
    (text: string): Masked => {
      const scrubbed = scrub(text);
      const masked = mask(scrubbed);
      if (scrubbed === text) return masked;
      const own = { rule: 'recording', detector: 'stored-value', where: '', count: 1 };
      return { text: masked.text, hits: [own, ...masked.hits] };
    };
  return { json: after(masker.maskJson), text: after(masker.maskText) };
}
