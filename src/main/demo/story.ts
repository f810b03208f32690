/** The demo's voice: a line for what is done, a tick or a cross for each claim that was checked. */
import { styleText } from 'node:util';
import type { Writable } from 'node:stream';

export interface Story {
  /** What happens next. */
  chapter(text: string): void;
  /** Something to look at. */
  show(label: string, value: string): void;
  /** A claim and whether it held. */
  claim(text: string, holds: boolean, found?: string): void;
  readonly held: number;
  readonly failed: number;
}

export function createStory(out: Writable & { isTTY?: boolean }): Story {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    out.isTTY === true ? styleText(style, text, { validateStream: false }) : text;
  const print = (text: string): void => void out.write(`${text}\n`);
  let held = 0;
  let failed = 0;
  return {
    chapter: (text) => print(`\n${paint('bold', text)}`),
    show: (label, value) => print(`    ${paint('dim', label)} ${value}`),
    claim(text, holds, found) {
      if (holds) held += 1;
      else failed += 1;
      print(
        `  ${holds ? paint('green', '✔') : paint('red', '✘')} ${text}${found === undefined ? '' : paint('dim', `  (${found})`)}`,
      );
    },
    get held() {
      return held;
    },
    get failed() {
      return failed;
    },
  };
}
