/**
 * Masking of texts and JSON by compiled rules. Pure: the same text gives the same result, nothing is kept of it but JSON keys.
 * Reports what was found and where, never what it was.
 */
import { limits, ok, type Result } from '../kernel/index.ts';
import { DETECTORS, JOINED } from './detectors/index.ts';
import { apply, type Edit, resolve } from './edit.ts';
import { joinedEdits } from './join.ts';
import { JsonKeys } from './json-key.ts';
import { JsonMasking } from './json-masking.ts';
import { compileRules, type MaskingError, type MaskingRule } from './rule.ts';
import { type Armed, Scanner } from './scanner.ts';
import type { HashKey } from './strategy.ts';
import { type Tools, wholeEdits } from './text-masking.ts';

/** Something that was masked. Holds nothing of the value. */
export interface MaskingHit {
  /** Id of the rule. */
  readonly rule: string;
  /** Name of the detector; `key` or `pattern` for what those selected. */
  readonly detector: string;
  /**
   * JSON pointer to the value; `#` and another pointer follow where it lies in JSON within that string. Empty in a text, and
   * for the whole document. Keys that were masked are shown masked.
   */
  readonly where: string;
  /** How many there were. */
  readonly count: number;
}

export interface Masked {
  readonly text: string;
  /** Empty: the text is as it was, byte for byte. */
  readonly hits: readonly MaskingHit[];
}

export interface MaskingPorts {
  readonly hash: HashKey;
}

export interface Masker {
  /** Masks a text. */
  readonly maskText: (text: string) => Masked;
  /** Masks texts that belong together, such as the blocks of one result: also what begins in one and ends in another. */
  readonly maskTexts: (texts: readonly string[]) => readonly Masked[];
  /** Masks the values of a JSON text, and keys; what is not JSON, or nested too deep, is masked as a text. */
  readonly maskJson: (json: string) => Masked;
}

export function compileMasking(
  rules: readonly MaskingRule[],
  { hash }: MaskingPorts,
): Result<Masker, MaskingError> {
  const compiled = compileRules(rules);
  if (!compiled.ok) return compiled;
  const armed: Armed[] = DETECTORS.flatMap((detector) => {
    const rule = compiled.value.detectors.get(detector.name);
    return rule === undefined ? [] : [{ detector, rule }];
  });
  const tools: Tools = {
    rules: compiled.value,
    scanner: new Scanner(armed),
    joinScanner: new Scanner(armed.filter(({ detector }) => JOINED.has(detector.name))),
    hash,
  };
  return ok(new RuleMasker(tools));
}

class RuleMasker implements Masker {
  readonly #tools: Tools;
  readonly #keys: JsonKeys;

  constructor(tools: Tools) {
    this.#tools = tools;
    this.#keys = new JsonKeys(tools);
  }

  maskText = (text: string): Masked => this.#masked(text, this.#textEdits(text));

  maskTexts = (texts: readonly string[]): readonly Masked[] => {
    const joined = joinedEdits(
      this.#tools,
      texts.map((text) => ({ text })),
    );
    return texts.map((text, index) => {
      const across = joined.find((other) => other.index === index)?.edits ?? [];
      return this.#masked(text, resolve([...this.#textEdits(text), ...across]));
    });
  };

  maskJson = (json: string): Masked => {
    const edits = new JsonMasking(this.#tools, this.#keys, json, limits.maskingLayersMax).run();
    return this.#masked(json, edits ?? wholeEdits(this.#tools, json, '', limits.maskingLayersMax));
  };

  /** A text that is JSON is masked as such. */
  #textEdits(text: string): readonly Edit[] {
    const first = /^\s*[[{"]/.test(text);
    const edits = first
      ? new JsonMasking(this.#tools, this.#keys, text, limits.maskingLayersMax).runWithin()
      : null;
    return edits ?? wholeEdits(this.#tools, text, '', limits.maskingLayersMax);
  }

  #masked(text: string, edits: readonly Edit[]): Masked {
    if (edits.length === 0) return { text, hits: [] };
    const hits = new Map<string, { rule: string; detector: string; where: string; count: number }>();
    for (const { rule, detector, within } of edits) {
      const id = this.#tools.rules.ids[rule] ?? '';
      const key = JSON.stringify([id, detector, within]);
      const known = hits.get(key);
      if (known === undefined) hits.set(key, { rule: id, detector, where: within, count: 1 });
      else known.count += 1;
    }
    return { text: apply(text, edits), hits: [...hits.values()] };
  }
}
