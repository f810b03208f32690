/** Every ready rule, by its name. */
import { circumstances } from './circumstances.ts';
import { codeAndData } from './code-and-data.ts';
import { contents } from './contents.ts';
import { effects } from './effects.ts';
import { recipients } from './recipients.ts';
import type { Template } from './template.ts';

export const templates: readonly Template[] = [
  ...contents,
  ...recipients,
  ...codeAndData,
  ...circumstances,
  ...effects,
];

export const findTemplate = (name: string): Template | null =>
  templates.find((template) => template.name === name) ?? null;
