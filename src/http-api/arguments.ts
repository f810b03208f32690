/**
 * The arguments of a call, read once: a JSON object with one reading only. Each keeps the text that it was written as, so
 * that numbers of any size and the order of members arrive as they were given.
 */
import { err, type Json, limits, ok, type Result } from '../kernel/index.ts';
import { checkJson, jsonMembers } from '../wire/index.ts';
import type { ApiFault } from './faults.ts';
import type { Argument } from './serialise/values.ts';

export type Arguments = ReadonlyMap<string, Argument>;

/** Codes: `api_argument_malformed`. */
export function readArguments(text: string): Result<Arguments, ApiFault> {
  const checked = checkJson(text, { charsMax: limits.mcpMessageBytesMax });
  if (!checked.ok || !checked.value.trimStart().startsWith('{')) {
    return err({
      code: 'api_argument_malformed',
      message: 'The arguments are not one JSON object with each name once.',
    });
  }
  const members = jsonMembers(checked.value, {
    start: checked.value.search(/\S/),
    end: checked.value.trimEnd().length,
  });
  return ok(
    new Map(
      members.map(({ key, start, end }) => {
        const written = checked.value.slice(start, end);
        const value: Json = JSON.parse(written);
        return [key, { value, text: written }];
      }),
    ),
  );
}

/** Whether all that are named are known, and all that are needed are there. Codes: `api_argument_unknown`, `api_argument_missing`. */
export function checkNames(
  given: Arguments,
  known: readonly { readonly argument: string; readonly required: boolean }[],
): ApiFault | null {
  const names = new Set(known.map(({ argument }) => argument));
  const unknown = [...given.keys()].find((name) => !names.has(name));
  if (unknown !== undefined) {
    return {
      code: 'api_argument_unknown',
      message: `This tool has no argument \`${unknown.slice(0, 100)}\`.`,
      hint: names.size === 0 ? 'It takes none.' : `It takes ${[...names].slice(0, 50).join(', ')}.`,
    };
  }
  const missing = known.filter(({ argument, required }) => required && !given.has(argument));
  if (missing.length === 0) return null;
  return {
    code: 'api_argument_missing',
    message: `This tool needs ${missing.map(({ argument }) => `\`${argument}\``).join(', ')}.`,
  };
}
