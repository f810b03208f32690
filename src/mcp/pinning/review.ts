/** What a person should know of a definition before agreeing to it. Pure. */
import { type CharacterFlag, characterFlags, madeVisible } from './deceptive-characters.ts';
import { type DefinitionChange, definitionDiff } from './diff.ts';
import { type InstructionFinding, instructionFindings } from './hidden-instructions.ts';
import { stringsOf } from './strings.ts';

interface CharacterFinding {
  readonly flag: CharacterFlag;
  readonly place: string;
  /** The text around it, with such characters written out. */
  readonly shown: string;
}

export interface DefinitionReview {
  /** The description, or what there is of it, on one line and with characters made visible. */
  readonly summary: string;
  /** Says itself that it only reads; null where it says nothing. */
  readonly readOnly: boolean | null;
  readonly characters: readonly CharacterFinding[];
  readonly instructions: readonly InstructionFinding[];
  /** Against what is approved; empty where nothing is. */
  readonly changes: readonly DefinitionChange[];
}

const SUMMARY_CHARS = 160;
const SHOWN_CHARS = 120;

/** @param approved what is agreed to so far; null: nothing under this name */
export function reviewDefinition(text: string, approved: string | null): DefinitionReview {
  const strings = stringsOf(text);
  const description = strings.find(({ place, isKey }) => !isKey && (place === 'description' || place === ''));
  return {
    summary: madeVisible((description?.text ?? '').replaceAll(/\s+/g, ' ').trim()).slice(0, SUMMARY_CHARS),
    readOnly: hint(text),
    characters: strings.flatMap(({ place, text: value }) =>
      characterFlags(value).map((flag) => ({ flag, place, shown: madeVisible(value).slice(0, SHOWN_CHARS) })),
    ),
    instructions: instructionFindings(text),
    changes: approved === null ? [] : definitionDiff(approved, text),
  };
}

function hint(text: string): boolean | null {
  const parsed: unknown = JSON.parse(text);
  const annotations = memberOf(parsed, 'annotations');
  const value = memberOf(annotations, 'readOnlyHint');
  return typeof value === 'boolean' ? value : null;
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
