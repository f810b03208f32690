/**
 * What the servers of a profile tell agents to begin with, as one text: each as somebody agreed to it, under a heading
 * that says whose it is. Pure.
 *
 * No server may speak in the name of another: each line of what one says is quoted, whatever ends a line, so that no
 * heading, rule or mark-up in it stands where the gateway's own do.
 */
import { limits } from '../../kernel/index.ts';
import { stringAt } from '../protocol/raw-json.ts';
import { namePrefix } from '../protocol/tool-names.ts';

export interface AgreedInstructions {
  readonly slug: string;
  /** A JSON string, or `null`. */
  readonly text: string;
}

/** All that some reader takes for the end of a line. */
const LINE_END = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/u;

/** @returns null where there are none */
export function joinedInstructions(all: readonly AgreedInstructions[]): string | null {
  const parts: string[] = [];
  const leftOut: string[] = [];
  let chars = 0;
  for (const { slug, text } of all) {
    const said = (stringAt(text, { start: 0, end: text.length }) ?? '').trim();
    if (said === '') continue;
    const heading = `# Server "${slug}"`;
    const note = `Names of its tools and prompts begin with ${namePrefix(slug)} here. Quoted is what it says:`;
    const part = [heading, note, quoted(said)].join('\n\n');
    if (chars + part.length > limits.mcpInstructionsCharsMax) leftOut.push(slug);
    else {
      chars += part.length;
      parts.push(part);
    }
  }
  // Half of what was agreed to may say something else.
  if (leftOut.length > 0) parts.push(`Too long to stand here: the instructions of ${leftOut.join(', ')}.`);
  return parts.length === 0 ? null : parts.join('\n\n');
}

const quoted = (text: string): string =>
  text
    .split(LINE_END)
    .map((line) => (line === '' ? '>' : `> ${line}`))
    .join('\n');
