/** What is known of a JSON key by itself. The same keys come again and again, so it is found out once. */
import { limits } from '../kernel/index.ts';
import { apply, type Edit } from './edit.ts';
import { isSecretName } from './entropy.ts';
import { type CompiledRules, normalizeKey, type Steps } from './rule.ts';
import { NO_EDITS, type Tools, wholeEdits } from './text-masking.ts';

/** What holds for a value by where it stands. */
export interface Context {
  /** Key that it is the value of, or the list that it is in. */
  readonly key: JsonKey;
  /** Index of the rule that masks it whole; negative for none. */
  readonly rule: number;
  /** Where pointers of rules go on from here. */
  readonly steps: readonly Steps[];
}

export const NO_STEPS: readonly Steps[] = [];

const NAMES: ReadonlySet<string> = new Set(['name', 'key', 'header', 'variable', 'field', 'env']);

export class JsonKeys {
  readonly #tools: Tools;
  readonly #known = new Map<string, JsonKey>();
  /** Of a document, which has no key. */
  readonly none: JsonKey = new JsonKey('', '', NO_EDITS, null);

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  /** @param raw what stands between the quotes */
  of(raw: string): JsonKey {
    const known = this.#known.get(raw);
    if (known !== undefined) return known;
    if (this.#known.size >= limits.maskingKeysKept) this.#known.clear();
    const made = this.#make(raw);
    this.#known.set(raw, made);
    return made;
  }

  #make(raw: string): JsonKey {
    const decoded: unknown = raw.includes('\\') ? JSON.parse(`"${raw}"`) : raw;
    const text = String(decoded);
    const edits = wholeEdits(this.#tools, text, '', limits.maskingLayersMax);
    return new JsonKey(raw, text, edits, this.#tools.rules);
  }
}

export class JsonKey {
  /** As it is written between its quotes. */
  readonly raw: string;
  /** The key that came behind it last time, and the one that its object began with. */
  following: JsonKey | null = null;
  first: JsonKey | null = null;
  /** What it says. */
  readonly text: string;
  /** Index of the rule that masks what it is the key of; negative for none. */
  readonly rule: number;
  /** Its value is a secret if it looks like one. */
  readonly isSecret: boolean;
  /** It says what its value is called, as in a list of variables. */
  readonly isName: boolean;
  /** What is masked of the key itself. */
  readonly edits: readonly Edit[];
  /** What may be said of it: itself, masked. */
  readonly shown: string;
  /** What holds for its value where nothing above it says more. */
  readonly context: Context;

  constructor(raw: string, text: string, edits: readonly Edit[], rules: CompiledRules | null) {
    this.raw = raw;
    this.text = text;
    this.rule = rules?.keys.get(normalizeKey(text)) ?? -1;
    this.isSecret = rules?.detectors.has('named-secret') === true && isSecretName(text);
    this.isName = NAMES.has(text.toLowerCase());
    this.edits = edits;
    this.shown = apply(text, edits);
    this.context = { key: this, rule: this.rule, steps: NO_STEPS };
  }
}
