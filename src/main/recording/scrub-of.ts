/** Stored values as something that takes them out of texts. The values themselves are not kept. */
import { createScrubSet, scrubText } from '../../egress/index.ts';
import type { Secret } from '../../kernel/index.ts';
import type { Scrub } from '../../recording/index.ts';

const MASK = '[masked:stored-value]';

export function scrubOf(values: readonly Secret[]): Scrub {
  const set = createScrubSet(values.map((value) => ({ name: MASK, mask: MASK, value })));
  return (text) => scrubText(set, text);
}
