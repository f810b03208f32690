/**
 * JSON from outside as conditions see it: objects as maps, so that no key is anything but a key, and measured, so that
 * it is known before a condition begins how long it can take. The text has one reading only: duplicate keys are
 * refused where it came in.
 */
import { type Json, limits } from '../../kernel/index.ts';
import { Unjudged } from './meter.ts';

export type Value = null | boolean | number | string | readonly Value[] | ReadonlyMap<string, Value>;

export interface Measured {
  readonly value: Value;
  /** Values and keys. */
  readonly values: number;
  /** Length of the longest text, in characters. */
  readonly longest: number;
  /** Every key at any depth, by its `foldedKey`. */
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>;
}

/** The same for all that servers may take for one name. Upper case comes first, so that `ſ` is `s`. */
export const foldedKey = (key: string): string => key.toUpperCase().toLowerCase();

interface Size {
  values: number;
  longest: number;
  readonly keys: Map<string, Set<string>>;
}

/** @throws Unjudged where there is too much of it, or it is no JSON */
export function readValue(text: string): Measured {
  if (text.length > limits.policyArgumentsCharsMax)
    throw new Unjudged(`they are longer than ${limits.policyArgumentsCharsMax} characters`);
  const size: Size = { values: 0, longest: 0, keys: new Map() };
  const value = converted(parsed(text), size, 0);
  return { value, ...size };
}

function parsed(text: string): Json {
  try {
    const json: Json = JSON.parse(text);
    return json;
  } catch {
    throw new Unjudged('they are no JSON');
  }
}

function converted(json: Json, size: Size, depth: number): Value {
  size.values += 1;
  if (size.values > limits.policyArgumentValuesMax)
    throw new Unjudged(`they hold more than ${limits.policyArgumentValuesMax} values`);
  if (depth > limits.jsonDepthMax) throw new Unjudged(`they nest deeper than ${limits.jsonDepthMax} levels`);
  if (typeof json === 'string') {
    size.longest = Math.max(size.longest, json.length);
    return json;
  }
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map((item: Json) => converted(item, size, depth + 1));
  const map = new Map<string, Value>();
  for (const [key, value] of Object.entries(json)) {
    size.longest = Math.max(size.longest, key.length);
    size.values += 1;
    const small = foldedKey(key);
    const written = size.keys.get(small);
    if (written === undefined) size.keys.set(small, new Set([key]));
    else written.add(key);
    map.set(key, converted(value, size, depth + 1));
  }
  return map;
}
