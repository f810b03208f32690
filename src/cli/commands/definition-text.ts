/** Definitions of servers as a person reads them. All of it is text of servers: nothing is printed as it came. */
import type { Definition, DefinitionReport } from '../../api/index.ts';
import { printable, spelledOut } from '../output.ts';

/** Whether a decision is needed. */
export const waits = ({ state }: Definition): boolean => state === 'new' || state === 'changed';

/** That a server gives no instructions is nothing to look at. */
export const isShown = ({ kind, state, summary }: Definition): boolean =>
  kind !== 'instructions' || summary !== '' || state === 'changed';

/** `tool create_issue`; `instructions`. */
export const idOf = ({ kind, name }: Definition): string => spelledOut(`${kind} ${name}`.trim());

/** What there is to know before a decision. */
export function definitionLines(one: Definition): string[] {
  const hint = one.kind !== 'tool' ? '' : one.readOnly === true ? ', says that it only reads' : '';
  return [
    `${idOf(one)} (${one.state}${hint})`,
    ...(one.state === 'changed' || one.summary === '' ? [] : [`    ${printable(one.summary)}`]),
    ...one.changes.flatMap(({ place, before, after }) => [
      `    ${printable(place === '' ? 'all of it' : place)}:`,
      ...(before === null ? [] : [`      - ${printable(before)}`]),
      ...(after === null ? [] : [`      + ${printable(after)}`]),
    ]),
    ...warningLines(one),
  ];
}

/** One line for each thing that is odd about a definition. */
const warningLines = ({ characters, instructions, alike }: Definition): string[] => [
  ...characters.map(
    ({ flag, place, shown }) =>
      `    ! ${FLAGS[flag] ?? printable(flag)} in ${printable(place)}: ${printable(shown)}`,
  ),
  ...instructions.map(
    ({ rule, place, shown }) =>
      `    ! ${RULES[rule] ?? printable(rule)}, in ${printable(place)}: ${printable(shown)}`,
  ),
  ...(alike.length === 0 ? [] : [`    ! its name looks like that of ${printable(alike.join(', '))}`]),
];

const FLAGS: Readonly<Record<string, string>> = {
  invisible: 'invisible characters',
  direction: 'characters that turn the direction of text',
  control: 'control characters',
  private: 'characters without a meaning',
  'look-alike': 'letters of two scripts that look alike',
};

const RULES: Readonly<Record<string, string>> = {
  secrecy: 'reads like an instruction to keep something from the user',
  override: 'reads like an instruction to set others aside',
  'other-tools': 'reads like an instruction about other tools',
  'pseudo-markup': 'looks like the frame of a message to a model',
  'reads-secrets': 'speaks of files or values that are secret',
  'sends-elsewhere': 'reads like an instruction to send something somewhere',
  conversation: 'asks for the conversation',
  'out-of-sight': 'has text out of sight',
  encoded: 'has encoded text',
  long: 'is very long',
};

/** At most so many names in one line. */
const NAMED_MAX = 12;

/**
 * What became of what a server offers when it was added, or got what it needs.
 *
 * @param lacking names of the credentials that it still needs
 */
export function adoptedLines(
  { server, problem, definitions, looked }: DefinitionReport,
  lacking: readonly string[] = [],
): string[] {
  const agreed = definitions.filter((one) => one.state === 'approved' && isShown(one));
  const waiting = definitions.filter((one) => waits(one) && isShown(one));
  const odd = [...agreed, ...waiting].filter((one) => warningLines(one).length > 0);
  const names = agreed.slice(0, NAMED_MAX).map(({ name, kind }) => spelledOut(name === '' ? kind : name));
  const more = agreed.length > NAMED_MAX ? `, and ${agreed.length - NAMED_MAX} more` : '';
  return [
    ...(problem === null ? [] : [`  What it offers is not known: ${printable(problem.message)}`]),
    ...(agreed.length === 0 ? [] : [`  Offers, agreed to as it is now: ${names.join(', ')}${more}`]),
    ...odd.flatMap((one) => [`  ${idOf(one)}`, ...warningLines(one)]),
    ...(waiting.length === 0 && looked
      ? []
      : !looked && problem !== null && lacking.length > 0
        ? [`  It is asked again once it has ${lacking.join(' and ')}, and what it says then is agreed to.`]
        : [
            `  ${waiting.length === 0 ? 'Nothing of it' : `${waiting.length} of it not`} can be used before somebody agrees: sallyport server consent ${server}`,
          ]),
  ];
}
