/**
 * The secrets of one cell, compiled for scanning. Holds what is needed to recognise each secret, which is as
 * good as the secret: it stays in the gateway's memory and has nothing that could be printed.
 */
import { inspect } from 'node:util';
import { limits, type Secret } from '../../kernel/index.ts';
import { type Pattern, patternsFor, UnitCache } from './pattern.ts';
import { buildSkipTable, type SkipTable } from './skip-table.ts';

export interface MaskedSecret {
  /** The credential's name: what hits are reported under. */
  readonly name: string;
  /** What stands in for the value, usually the placeholder. */
  readonly mask: string;
  readonly value: Secret;
}

/** Stands in when a mask would itself show the secret. */
const FALLBACK_MASK = '[masked]';

export class ScrubSet {
  /** Names of values that are too short to be looked for without destroying every answer. */
  readonly unprotected: readonly string[];
  readonly #table: SkipTable | null;
  readonly #masks: ReadonlyMap<Pattern, string>;

  constructor(table: SkipTable | null, masks: ReadonlyMap<Pattern, string>, unprotected: readonly string[]) {
    this.#table = table;
    this.#masks = masks;
    this.unprotected = unprotected;
  }

  /** The scanning table; `null` when there is nothing to look for. */
  get table(): SkipTable | null {
    return this.#table;
  }

  maskOf(pattern: Pattern): string {
    return this.#masks.get(pattern) ?? FALLBACK_MASK;
  }

  toJSON(): string {
    return '[scrub set]';
  }

  [inspect.custom](): string {
    return '[scrub set]';
  }
}

/**
 * Compiles the values that answers are scrubbed of. Space around a value is not looked for. Values shorter than
 * `limits.scrubValueBytesMin` are listed in `unprotected` and not looked for. The values are not kept, and may
 * be destroyed afterwards. Takes milliseconds per value: make one set per cell and change of credentials.
 */
export function createScrubSet(secrets: readonly MaskedSecret[]): ScrubSet {
  const cache = new UnitCache();
  const masks = new Map<Pattern, string>();
  const unprotected: string[] = [];
  for (const { name, mask, value } of secrets) {
    const needle = trim(value.bytes());
    if (needle.length < limits.scrubValueBytesMin) {
      unprotected.push(name);
      continue;
    }
    const safe = isSafeMask(mask, needle) ? mask : FALLBACK_MASK;
    for (const pattern of patternsFor(name, needle, cache)) masks.set(pattern, safe);
  }
  const patterns = [...masks.keys()];
  return new ScrubSet(patterns.length === 0 ? null : buildSkipTable(patterns), masks, unprotected);
}

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

function trim(bytes: Buffer): Buffer {
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes[start])) start += 1;
  while (end > start && isSpace(bytes[end - 1])) end -= 1;
  return bytes.subarray(start, end);
}

/** A mask must not be empty, hold the secret, or be a part of it that could complete another part. */
function isSafeMask(mask: string, needle: Buffer): boolean {
  const bytes = Buffer.from(mask, 'utf8');
  return bytes.length > 0 && !bytes.includes(needle) && !needle.includes(bytes);
}
