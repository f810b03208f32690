/**
 * What is looked for: one secret in one family of encodings, as a sequence of units. A unit is a character
 * (of the secret, of its base64, of its hex) with all its spellings. Families: the text with any mixture of
 * escapes; base64 at three alignments in both alphabets; hex in any case; UTF-16 in both byte orders.
 */
import { limits } from '../../kernel/index.ts';
import { type Edges, edgesOf } from './edges.ts';
import { RAW, type Spelling, spellBase64, spellByte, spellCharacter, spellHexDigit } from './spelling.ts';
import { buildTrie, type TrieNode } from './trie.ts';

type Family = 'text' | 'base64' | 'hex' | 'utf16le' | 'utf16be';

export interface Unit {
  readonly trie: TrieNode;
  /** The byte that is this unit's only spelling that starts with it and is that byte alone; -1 for none. */
  readonly plain: number;
  readonly edges: Edges;
  /** Length of the shortest and the longest spelling, in bytes. */
  readonly bytesMin: number;
  readonly bytesMax: number;
}

export interface Pattern {
  /** The credential's name. */
  readonly name: string;
  readonly family: Family;
  /** Base64: how many bytes stand before the secret in its group of three. */
  readonly alignment: 0 | 1 | 2;
  readonly units: readonly Unit[];
  readonly bytesMin: number;
  readonly bytesMax: number;
}

/** Makes units; the same character's unit is made once. */
export class UnitCache {
  readonly #units = new Map<string, Unit>();

  get(key: string, spell: () => readonly Spelling[]): Unit {
    const known = this.#units.get(key);
    if (known !== undefined) return known;
    const unit = makeUnit(spell());
    this.#units.set(key, unit);
    return unit;
  }
}

function makeUnit(spellings: readonly Spelling[]): Unit {
  const trie = buildTrie(spellings);
  const lengths = spellings.map((spelling) => spelling.bytes.length);
  const plain = trie.bytes.filter((_, index) => {
    const child = trie.next[index];
    return child !== undefined && child.accept === RAW && child.bytes.length === 0;
  });
  return {
    trie,
    plain: plain[0] ?? -1,
    edges: edgesOf(spellings),
    bytesMin: Math.min(...lengths),
    bytesMax: Math.max(...lengths),
  };
}

/** All patterns for one value. A base64 alignment that leaves too few certain characters has none. */
export function patternsFor(name: string, value: Buffer, cache: UnitCache): readonly Pattern[] {
  const text = asText(value);
  const make = (family: Family, units: readonly Unit[], alignment: 0 | 1 | 2 = 0): Pattern => ({
    name,
    family,
    alignment,
    units,
    bytesMin: sum(units.map((unit) => unit.bytesMin)),
    bytesMax: sum(units.map((unit) => unit.bytesMax)),
  });
  const patterns = [
    make('text', textUnits(value, text, cache)),
    make(
      'hex',
      Array.from(value.toString('hex'), (digit) => cache.get(`hex:${digit}`, () => spellHexDigit(digit))),
    ),
  ];
  for (const alignment of [0, 1, 2] as const) {
    const characters = certainBase64(value, alignment);
    if (characters.length < limits.scrubBase64CharsMin) continue;
    patterns.push(make('base64', base64Units(characters, cache), alignment));
  }
  if (text !== null) {
    const wide = Buffer.from(text, 'utf16le');
    patterns.push(make('utf16le', rawUnits(wide, cache)));
    patterns.push(make('utf16be', rawUnits(Buffer.from(wide).swap16(), cache)));
  }
  return patterns;
}

/** The value as text, `null` when it is no UTF-8. */
function asText(value: Buffer): string | null {
  const text = value.toString('utf8');
  return Buffer.from(text, 'utf8').equals(value) ? text : null;
}

function textUnits(value: Buffer, text: string | null, cache: UnitCache): readonly Unit[] {
  if (text === null) return [...value].map((byte) => cache.get(`byte:${byte}`, () => spellByte(byte)));
  return Array.from(text, (character) => cache.get(`text:${character}`, () => spellCharacter(character)));
}

function base64Units(characters: string, cache: UnitCache): readonly Unit[] {
  return Array.from(characters, (character, index) =>
    cache.get(`base64:${index === 0}:${character}`, () => spellBase64(character, index === 0)),
  );
}

function rawUnits(bytes: Buffer, cache: UnitCache): readonly Unit[] {
  return [...bytes].map((byte) =>
    cache.get(`raw:${byte}`, () => [{ bytes: String.fromCharCode(byte), kind: RAW }]),
  );
}

/**
 * The base64 characters that the value alone decides when `alignment` unknown bytes stand before it. The
 * characters at either edge that share bits with a neighbour are left out: they hold at most four bits of it.
 */
export function certainBase64(value: Buffer, alignment: 0 | 1 | 2): string {
  const encoded = Buffer.concat([Buffer.alloc(alignment), value]).toString('base64');
  const start = Math.ceil((alignment * 8) / 6);
  const end = Math.floor(((alignment + value.length) * 8) / 6);
  return encoded.slice(start, end);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
