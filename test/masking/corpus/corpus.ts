/** The labelled corpus: texts with one thing in them that is to be masked, and texts with nothing. Made the same in every run. */
import { keyTemplates } from './key-templates.ts';
import { negatives } from './negatives.ts';
import { personal, secretTexts } from './personal.ts';
import { publishedIds } from './published-ids.ts';
import { type Draw, drawer, fill, pick } from './random.ts';

export interface Labelled {
  /** As it is given to the masker, which takes it for JSON or for a text. */
  readonly text: string;
  /** The detector that should find something; null for none. */
  readonly detector: string | null;
  /** What it is, for reports. */
  readonly kind: string;
}

/** Where things stand. */
const carriers: readonly ((said: string) => string)[] = [
  (said) => said,
  (said) => `See ${said} for more.`,
  (said) => `line one\n  ${said}\nline three`,
  (said) => JSON.stringify({ content: [{ type: 'text', text: `found ${said}` }] }),
  (said) => JSON.stringify({ items: [{ id: 7, value: said, ok: true }] }),
  (said) => JSON.stringify({ text: JSON.stringify({ deep: { note: `"${said}"` } }) }),
  (said) => `<li>${said}</li>`,
  (said) => `2026-03-04T05:06:07Z INFO [main] got (${said})`,
];

const EACH_KEY = 3;
const EACH_PERSONAL = 12;
const EACH_NEGATIVE = 40;

export function corpus(): readonly Labelled[] {
  const draw = drawer(20_261_121);
  return [
    ...labelled(draw, templatesAsMakers(), EACH_KEY),
    ...labelled(draw, secretTexts, EACH_PERSONAL),
    ...labelled(draw, personal, EACH_PERSONAL),
    ...publishedIds.map(([detector, word, right]) => ({
      text: pick(draw, carriers)(word + right),
      detector,
      kind: detector,
    })),
    ...publishedIds.map(([kind, word, , wrong]) => ({
      text: pick(draw, carriers)(word + wrong),
      detector: null,
      kind: `wrong ${kind}`,
    })),
    ...labelled(draw, negatives, EACH_NEGATIVE).map((each) => ({ ...each, detector: null })),
  ];
}

type Makers = Readonly<Record<string, (draw: Draw) => string>>;

const templatesAsMakers = (): Makers =>
  Object.fromEntries(
    Object.entries(keyTemplates).map(([name, templates]) => [
      name,
      (draw: Draw) => fill(draw, pick(draw, templates)),
    ]),
  );

const labelled = (draw: Draw, makers: Makers, each: number): readonly Labelled[] =>
  Object.entries(makers).flatMap(([kind, make]) =>
    Array.from({ length: each }, () => ({ text: pick(draw, carriers)(make(draw)), detector: kind, kind })),
  );
