/** The ready rules that this version has, as the API and commands show them: the same in every home, and without one. */
import { exampleOf, templates } from '../policy/index.ts';
import type { TemplateView } from './policy-schemas.ts';

export const templateViews = (): TemplateView[] =>
  templates.map((template) => ({
    name: template.name,
    summary: template.summary,
    parameters: Object.entries(template.parameters).map(([name, { type, about, preset, words }]) => ({
      name,
      type,
      about,
      required: preset === undefined,
      ...(words === undefined ? {} : { words: [...words] }),
    })),
    example: exampleOf(template),
  }));
