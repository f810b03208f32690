/** The page that tells of this day: its configuration and its rules are what the test runs with. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { JsonObject } from '../../../src/kernel/index.ts';

const PAGE = new URL('../../../docs/day-in-the-life.md', import.meta.url);

/** @param name of the file that a block of the page says it is */
export function fileOfThePage(name: string): string {
  const page = readFileSync(PAGE, 'utf8');
  const [, text] = new RegExp(`\`\`\`yaml\\n# ${name}\\n([^]*?)\`\`\``).exec(page) ?? [];
  if (text === undefined) throw new Error(`the page shows no ${name}`);
  return text;
}

export const settingsOfThePage = (): JsonObject => parse(fileOfThePage('sallyport.yaml')) as JsonObject;
