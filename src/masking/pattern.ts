/**
 * Regular expressions of operators, in RE2's syntax and in linear time: none can hang, whatever is said and whatever is
 * searched. A text is only searched when the engine's own filter lets it through.
 */
import { RE2JS, RE2JSException } from 're2js';
import { err, limits, ok, type Result } from '../kernel/index.ts';
import type { Match } from './detector.ts';

export interface Pattern {
  /** Every place that it matches in a text, in order, none empty. */
  readonly find: (text: string) => readonly Match[];
}

const NONE: readonly Match[] = [];

/** @returns the error as a sentence */
export function compilePattern(source: string): Result<Pattern, string> {
  if (source.length > limits.maskingPatternCharsMax)
    return err(`The pattern is longer than ${limits.maskingPatternCharsMax} characters.`);
  const compiled = compiledOf(source);
  if (!compiled.ok) return compiled;
  const engine = compiled.value;
  if (engine.programSize() > limits.maskingPatternStepsMax)
    return err(`The pattern ${JSON.stringify(source)} is too large: its repetitions multiply.`);
  if (engine.matcher('').find())
    return err(`The pattern ${JSON.stringify(source)} matches nothing at all, so it would match everywhere.`);
  const group = engine.groupCount() > 0 ? 1 : 0;
  return ok({
    find: (text) => {
      if (!engine.test(text)) return NONE;
      const matcher = engine.matcher(text);
      const found: Match[] = [];
      while (matcher.find()) {
        const taken = matcher.start(group) < 0 ? 0 : group;
        const match = { start: matcher.start(taken), end: matcher.end(taken) };
        if (match.end > match.start) found.push(match);
      }
      return found;
    },
  });
}

function compiledOf(source: string): Result<RE2JS, string> {
  try {
    return ok(RE2JS.compile(source));
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return err(`The pattern ${JSON.stringify(source)} does not compile: ${error.message}.`);
  }
}
