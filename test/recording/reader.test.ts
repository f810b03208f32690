/** ATTACKS 24: recordings that somebody changed where they lie. Each change is named, and the control, untouched, has no fault. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { StoredChunk } from '../../src/recording/index.ts';
import { recorderWorld, speaker, type World } from './world.ts';

async function recorded(): Promise<World> {
  const made = recorderWorld('full');
  const tape = made.recorder.begin(speaker);
  for (let at = 0; at < 6; at += 1) {
    tape.received({ text: JSON.stringify({ jsonrpc: '2.0', method: `m${at}` }) });
    await made.recorder.flush();
  }
  await made.recorder.close();
  return made;
}

let made: World;
let other: World;
let chunks: readonly StoredChunk[];
beforeAll(async () => {
  [made, other] = await Promise.all([recorded(), recorded()]);
  chunks = made.chunks();
});

const changed = (at: number, change: (chunk: StoredChunk) => StoredChunk): StoredChunk[] =>
  chunks.map((chunk, index) => (index === at ? change(chunk) : chunk));

describe('a recording', () => {
  it('that nobody touched is whole', () => {
    expect(chunks).toHaveLength(7);
    expect(made.read()).toMatchObject({ faults: [], isWhole: true });
  });

  it('of which a byte was changed', () => {
    const flipped = changed(2, ({ sequence, sealed }) => {
      const copy = Buffer.from(sealed);
      copy[copy.length - 20] = (copy.at(-20) ?? 0) ^ 1;
      return { sequence, sealed: copy };
    });
    const { entries, faults } = made.read(flipped);
    expect(faults).toEqual(['chunk_altered', 'end_wrong']);
    // What is sound is shown.
    expect(JSON.stringify(entries)).toContain('m1');
    expect(JSON.stringify(entries)).not.toContain('m2');
    expect(JSON.stringify(entries)).toContain('m3');
  });

  it('of which a part was taken out', () => {
    expect(made.read(chunks.filter(({ sequence }) => sequence !== 3)).faults).toEqual([
      'chunk_missing',
      'end_wrong',
    ]);
  });

  it('whose parts were exchanged', () => {
    const [a, b] = [chunks[1], chunks[2]];
    if (a === undefined || b === undefined) throw new Error('too few chunks');
    const swapped = changed(1, () => ({ sequence: 1, sealed: b.sealed })).map((chunk) =>
      chunk.sequence === 2 ? { sequence: 2, sealed: a.sealed } : chunk,
    );
    expect(made.read(swapped).faults).toEqual(['chunk_altered', 'chunk_altered', 'end_wrong']);
  });

  it('with a part of another one', () => {
    const foreign = other.chunks()[2];
    if (foreign === undefined) throw new Error('too few chunks');
    expect(made.read(changed(2, () => foreign)).faults).toEqual(['chunk_altered', 'end_wrong']);
  });

  it('with a part twice', () => {
    const second = chunks[2];
    if (second === undefined) throw new Error('too few chunks');
    expect(made.read([...chunks.slice(0, 3), { ...second, sequence: 3 }, ...chunks.slice(4)]).faults).toEqual(
      ['chunk_altered', 'end_wrong'],
    );
  });

  it('that was cut short', () => {
    expect(made.read(chunks.slice(0, 4)).faults).toEqual(['end_missing']);
    // Where it is not said to be over, nobody can tell it from one whose gateway died.
    expect(made.read(chunks.slice(0, 4), false)).toMatchObject({ faults: [], isWhole: false });
  });

  it('whose row says something else of it', () => {
    const [first] = made.growths;
    if (first?.begun === null || first === undefined) throw new Error('nothing was begun');
    const { facts, dataKey } = first.begun;
    made.growths[0] = { ...first, begun: { facts: { ...facts, agent: 'somebody else' }, dataKey } };
    expect(made.read().faults).toEqual(['begin_altered']);
    made.growths[0] = first;
  });
});
