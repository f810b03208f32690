/** The demo's voice: a line for what is done, a tick or a cross for each claim that was checked. */
import { styleText } from 'node:util';
import type { Writable } from 'node:stream';
import type { Claim } from '../../cli/index.ts';

export interface Story {
  /** What happens next. */
  chapter(text: string): void;
  /** Something to look at. */
  show(label: string, value: string): void;
  /** A claim and whether it held. */
  claim(text: string, holds: boolean, found?: string): void;
  readonly claims: readonly Claim[];
}

export function createStory(out: Writable & { isTTY?: boolean }): Story {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    out.isTTY === true ? styleText(style, text, { validateStream: false }) : text;
  const print = (text: string): void => void out.write(`${text}\n`);
  const claims: Claim[] = [];
  return {
    chapter: (text) => print(`\n${paint('bold', text)}`),
    show: (label, value) => print(`    ${paint('dim', label)} ${value}`),
    claim(text, holds, found) {
      claims.push({ text, held: holds, ...(found === undefined ? {} : { found }) });
      print(
        `  ${holds ? paint('green', '✔') : paint('red', '✘')} ${text}${found === undefined ? '' : paint('dim', `  (${found})`)}`,
      );
    },
    claims,
  };
}
