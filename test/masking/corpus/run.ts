/** Prints precision and recall of the detectors on the corpus, and what was missed and mistaken. */
import { measure } from './measure.ts';

const { positives, negatives, recall, precision, named, missed, mistaken, untried } = measure();
const percent = (part: number): string => `${(part * 100).toFixed(2)} %`;
const lines = [
  `${positives} texts with something to mask, ${negatives} with nothing`,
  `recall ${percent(recall)}, by the right detector ${percent(named)}, precision ${percent(precision)}`,
  ...missed.map(({ kind, text }) => `missed ${kind}: ${JSON.stringify(text)}`),
  ...mistaken.map(({ kind, as, text }) => `mistaken ${kind} for ${as}: ${JSON.stringify(text)}`),
  `no text in the corpus: ${untried.join(', ')}`,
];
process.stdout.write(`${lines.join('\n')}\n`);
