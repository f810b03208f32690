/**
 * A key in every encoding, in every content coding, cut at every byte: it does not come through, and what stands
 * around it does.
 */
import { describe, expect, it } from 'vitest';
import { createContentScrubber, createScrubSet, type ScrubHit } from '../../../src/egress/scrub/index.ts';
import { Secret } from '../../../src/kernel/index.ts';
import { bodyCase, type BodyCase, CODINGS, faultsOf } from './cases.ts';
import { renditions } from './renditions.ts';

const KEY = 'pk_5/9+Zq=~"é&x';
const MASK = 'pk_MASK-MASK-MASK';
const set = createScrubSet([{ name: 'KEY', mask: MASK, value: Secret.fromString(KEY) }]);

interface Through {
  readonly out: Buffer;
  readonly hits: readonly ScrubHit[];
}

/** One body through a scrubber of its own. */
function through({ coding, coded }: BodyCase, at: number): Promise<Through> {
  const out: Buffer[] = [];
  const hits: ScrubHit[] = [];
  const stream = createContentScrubber(set, coding.header, (hit) => hits.push(hit));
  const { promise, resolve, reject } = Promise.withResolvers<Through>();
  stream.on('data', (piece: Buffer) => out.push(piece));
  stream.on('end', () => resolve({ out: Buffer.concat(out), hits }));
  stream.on('error', reject);
  stream.write(coded.subarray(0, at));
  // The second piece comes when all that could be said of the first has been said.
  stream.write(coded.subarray(at), () => stream.end());
  return promise;
}

describe.each(CODINGS)('in $label', (coding) => {
  it.each(renditions(KEY))('$label is masked, cut at every byte', async (rendition) => {
    const body = bodyCase(rendition, coding);
    const cuts = Array.from({ length: body.coded.length + 1 }, (_, at) => at);
    const results = await Promise.all(cuts.map((at) => through(body, at)));
    const [first] = results;
    for (const [at, result] of results.entries()) {
      expect(faultsOf(body, result.out), `cut at ${at}`).toEqual([]);
      expect(result.hits, `cut at ${at}`).toEqual([{ name: 'KEY', encoding: rendition.encoding }]);
      expect(result.out.equals(first?.out ?? Buffer.alloc(0)), `cut at ${at}`).toBe(true);
    }
  });
});
