/**
 * The one program that bubblewrap executes in every cell: a shell script that ends in the cell's own program. Bubblewrap's
 * command cannot come through a descriptor as its options do, so a bubblewrap that waits for a cell to be wanted has to be told
 * before anybody knows the program; the name of this file is all that it is told. Pure.
 *
 * It runs inside the finished cell, under the cell's filter. Nothing of it is secret to the cell.
 */
import type { CheckedGrant } from './file-grants.ts';
import { GRANT_CHANGED } from './launch-scripts.ts';

export interface StartInput {
  /** Absolute path of the program. */
  readonly stat: string;
  /** Looked at before the program starts: what is mounted there has to be what was checked. */
  readonly grants: readonly CheckedGrant[];
  /** What is executed then: absolute path of a program, and its arguments, none with a NUL in it. */
  readonly command: readonly string[];
}

/** One word of a shell's command line that means exactly this text, whatever is in it but NUL. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export function startScript({ stat, grants, command }: StartInput): string {
  const identity = `$(${shellWord(stat)} -c %d:%i -- "$1")`;
  const refuse = `{ echo ${shellWord(GRANT_CHANGED.line)} >&2; exit ${GRANT_CHANGED.code}; }`;
  const lines = [
    ...(grants.length === 0 ? [] : [`same() { [ "${identity}" = "$2" ] || ${refuse}; }`]),
    ...grants.map(({ cell, identity: checked }) => `same ${shellWord(cell)} ${shellWord(checked)}`),
    `exec ${command.map(shellWord).join(' ')}`,
  ];
  return `${lines.join('\n')}\n`;
}
