/**
 * What is looked for: one secret in one family of encodings, as a sequence of units. A unit is a character
 * (of the secret, of its base64, of its hex) with all its spellings. Families: the text with any mixture of
 * escapes; base64 at three alignments in both alphabets, and base64 of that and of UTF-16; hex in any case;
 * UTF-16 in both byte orders.
 */
import { limits } from '../../kernel/index.ts';
import { type Edges, edgesOf } from './edges.ts';
import {
  RAW,
  type Spelling,
  spellBase64,
  spellBreakableBase64,
  spellByte,
  spellCharacter,
  spellHexDigit,
  spellRaw,
  spellSeparableHexDigit,
} from './spelling.ts';
import { buildTrie, type TrieNode } from './trie.ts';

type Family = 'text' | 'base64' | 'base64-base64' | 'base64-utf16le' | 'hex' | 'utf16le' | 'utf16be';

/** Base64: how many bytes stand before the secret in its group of three. */
type Alignment = 0 | 1 | 2;
const ALIGNMENTS: readonly Alignment[] = [0, 1, 2];

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
  readonly alignment: Alignment;
  readonly units: readonly Unit[];
  readonly bytesMin: number;
  readonly bytesMax: number;
}

type Spell = (character: string) => readonly Spelling[];

/**
 * Makes units; the same character's unit is made once. Units of what every credential is made of are made once in
 * a process: they say nothing about any secret, and are most of what a set would hold.
 */
export class UnitCache {
  readonly #own = new Map<Spell, Map<string, Unit>>();

  /** A unit for each character. */
  unitsOf(characters: string, spell: Spell): readonly Unit[] {
    const common = unitsBy(COMMON, spell);
    const own = unitsBy(this.#own, spell);
    return Array.from(characters, (character) => {
      const units = character <= '\xff' ? common : own;
      const known = units.get(character);
      if (known !== undefined) return known;
      const unit = makeUnit(spell(character));
      units.set(character, unit);
      return unit;
    });
  }
}

const COMMON = new Map<Spell, Map<string, Unit>>();

function unitsBy(all: Map<Spell, Map<string, Unit>>, spell: Spell): Map<string, Unit> {
  const known = all.get(spell);
  if (known !== undefined) return known;
  const units = new Map<string, Unit>();
  all.set(spell, units);
  return units;
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
  const make = (family: Family, units: readonly Unit[], alignment: Alignment = 0): Pattern => ({
    name,
    family,
    alignment,
    units,
    bytesMin: sum(units.map((unit) => unit.bytesMin)),
    bytesMax: sum(units.map((unit) => unit.bytesMax)),
  });
  const patterns = [make('text', textUnits(value, text, cache)), make('hex', hexUnits(value, cache))];
  for (const { family, characters, alignment } of base64Texts(value, text))
    patterns.push(make(family, base64Units(characters, cache), alignment));
  if (text !== null) {
    const wide = Buffer.from(text, 'utf16le');
    patterns.push(make('utf16le', rawUnits(wide, cache)));
    patterns.push(make('utf16be', rawUnits(Buffer.from(wide).swap16(), cache)));
  }
  return patterns;
}

interface Base64Text {
  readonly family: Family;
  readonly characters: string;
  readonly alignment: Alignment;
}

/**
 * Base64 of the value, of its URL and JSON forms (a client's secret in Basic, a field in a JWT), of its UTF-16, and
 * of its base64 (a registry's login in a Kubernetes secret), each at three alignments.
 */
function base64Texts(value: Buffer, text: string | null): readonly Base64Text[] {
  const texts = ALIGNMENTS.flatMap((alignment) =>
    writtenForms(value, text).map((form) => ({
      family: 'base64' as const,
      characters: certainBase64(form, alignment),
      alignment,
    })),
  ).filter(isCertainEnough);
  const nested = ALIGNMENTS.map((alignment) => certainBase64(value, alignment))
    .filter((characters) => characters.length >= limits.scrubBase64CharsMin)
    .flatMap((inner) => [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]);
  const wrapped = [
    ...[...new Set(nested)].map((inner) => ({ family: 'base64-base64' as const, bytes: Buffer.from(inner) })),
    ...(text === null ? [] : [{ family: 'base64-utf16le' as const, bytes: Buffer.from(text, 'utf16le') }]),
  ];
  return [
    ...texts,
    ...wrapped
      .flatMap(({ family, bytes }) =>
        ALIGNMENTS.map((alignment) => ({ family, characters: certainBase64(bytes, alignment), alignment })),
      )
      .filter(isCertainEnough),
  ];
}

const isCertainEnough = ({ characters }: Base64Text): boolean =>
  characters.length >= limits.scrubBase64CharsMin;

/** The value, and as a URL's component, a form's field and a JSON string where that is not the same. */
function writtenForms(value: Buffer, text: string | null): readonly Buffer[] {
  if (text === null) return [value];
  const json = JSON.stringify(text).slice(1, -1);
  const forms = [
    text,
    encodeURIComponent(text),
    new URLSearchParams({ '': text }).toString().slice(1),
    json,
    json.replaceAll('/', '\\/'),
  ];
  return [...new Set(forms)].map((form) => Buffer.from(form, 'utf8'));
}

/** The value as text, `null` when it is no UTF-8. */
function asText(value: Buffer): string | null {
  const text = value.toString('utf8');
  return Buffer.from(text, 'utf8').equals(value) ? text : null;
}

const textUnits = (value: Buffer, text: string | null, cache: UnitCache): readonly Unit[] =>
  text === null ? cache.unitsOf(value.toString('latin1'), spellByte) : cache.unitsOf(text, spellCharacter);

/** A separator may stand before the first digit of each byte but the first. */
function hexUnits(value: Buffer, cache: UnitCache): readonly Unit[] {
  const digits = value.toString('hex');
  const plain = cache.unitsOf(digits, spellHexDigit);
  const separable = cache.unitsOf(digits, spellSeparableHexDigit);
  return plain.map((unit, index) => (index > 0 && index % 2 === 0 ? (separable[index] ?? unit) : unit));
}

/** A line may break before each character but the first. */
const base64Units = (characters: string, cache: UnitCache): readonly Unit[] => [
  ...cache.unitsOf(characters.slice(0, 1), spellBase64),
  ...cache.unitsOf(characters.slice(1), spellBreakableBase64),
];

const rawUnits = (bytes: Buffer, cache: UnitCache): readonly Unit[] =>
  cache.unitsOf(bytes.toString('latin1'), spellRaw);

/**
 * The base64 characters that the value alone decides when `alignment` unknown bytes stand before it. The
 * characters at either edge that share bits with a neighbour are left out: they hold at most four bits of it.
 */
export function certainBase64(value: Buffer, alignment: Alignment): string {
  const encoded = Buffer.concat([Buffer.alloc(alignment), value]).toString('base64');
  const start = Math.ceil((alignment * 8) / 6);
  const end = Math.floor(((alignment + value.length) * 8) / 6);
  return encoded.slice(start, end);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
