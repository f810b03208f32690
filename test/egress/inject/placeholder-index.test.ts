import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlaceholderIndex } from '../../../src/egress/inject/placeholder-index.ts';
import { type CellId, newId, systemRandom } from '../../../src/kernel/index.ts';

const CELLS: readonly CellId[] = [0, 1, 2].map(() => newId<'cell'>('cel', systemRandom));
/** Few letters and lengths from the shortest on, so that ends are shared and overlap. */
const placeholder = fc.oneof(
  fc.stringMatching(/^[ab]{4,20}$/),
  fc.stringMatching(/^[A-Za-z0-9_-]{12,40}$/),
  fc.stringMatching(/^[ab]{0,6}[x-z]{16}$/),
);
const noise = fc.oneof(fc.stringMatching(/^[abxyz]{0,30}$/), fc.string({ unit: 'binary', maxLength: 30 }));

describe('the index of placeholders, as cells come and go', () => {
  it('finds the placeholders of the cells that are there, wherever they stand, and no other text', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(placeholder, { minLength: 1, maxLength: 9 }),
        fc.array(noise, { minLength: 1, maxLength: 4 }),
        fc.nat(8),
        fc.nat(3),
        (all, around, pick, gone) => {
          const index = new PlaceholderIndex();
          const entries = all.map((text, at) => ({
            cell: CELLS[at % 3] ?? newId<'cell'>('cel', systemRandom),
            credential: String(at),
            placeholder: text,
          }));
          for (const entry of entries) index.add(entry);
          const left = entries.filter(({ cell }) => cell !== CELLS[gone]);
          if (gone < 3) for (const cell of CELLS.slice(gone, gone + 1)) index.removeCell(cell);
          const text = around.join(all[pick % all.length] ?? '');
          const found = left.some((entry) => text.includes(entry.placeholder));
          const hit = index.find(text);
          expect(hit !== null).toBe(found);
          if (hit !== null) {
            expect(left).toContain(hit.entry);
            expect(text.startsWith(hit.entry.placeholder, hit.start)).toBe(true);
          }
          const bytes = Buffer.from(text, 'utf8');
          const inBytes = index.findInBytes(bytes);
          expect(inBytes !== null).toBe(left.some((entry) => bytes.includes(entry.placeholder)));
          if (inBytes !== null)
            expect(bytes.indexOf(inBytes.entry.placeholder)).toBeLessThanOrEqual(inBytes.start);
        },
      ),
      { numRuns: 3_000, seed: 11 },
    );
  });

  it('finds one that became known after longer ones, and says how short and long they are', () => {
    const index = new PlaceholderIndex();
    const [cell = newId<'cell'>('cel', systemRandom)] = CELLS;
    index.add({ cell, credential: 'long', placeholder: 'x'.repeat(100) + 'y'.repeat(40) });
    index.add({ cell, credential: 'short', placeholder: 'abcd' });
    expect([index.shortest, index.longest]).toEqual([4, 140]);
    expect(index.find('..abcd..')?.entry.credential).toBe('short');
    expect(index.find('abc')).toBe(null);
    expect(index.find('')).toBe(null);
  });
});
