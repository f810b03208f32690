/** Precision and recall of the detectors on the corpus. */
import { detectorGroups } from '../../../src/masking/index.ts';
import { everything } from '../support.ts';
import { corpus, type Labelled } from './corpus.ts';

export interface Measured {
  readonly positives: number;
  readonly negatives: number;
  /** Of what should be masked: what was, by any detector. A value that another detector masked is masked as well. */
  readonly recall: number;
  /** Of what was masked: what should have been. */
  readonly precision: number;
  /** Of what should be masked: what was found by the detector that should. */
  readonly named: number;
  readonly missed: readonly Labelled[];
  readonly mistaken: readonly (Labelled & { readonly as: string })[];
  /** Detectors that the corpus has nothing for. */
  readonly untried: readonly string[];
}

export function measure(): Measured {
  const all = corpus();
  const missed: Labelled[] = [];
  const mistaken: (Labelled & { as: string })[] = [];
  let found = 0;
  let named = 0;
  for (const each of all) {
    const { hits } = everything.maskJson(each.text);
    if (each.detector === null) {
      for (const { detector } of hits) mistaken.push({ ...each, as: detector });
    } else if (hits.length === 0) missed.push(each);
    else {
      found += 1;
      if (hits.some(({ detector }) => detector === each.detector)) named += 1;
    }
  }
  const positives = all.filter(({ detector }) => detector !== null);
  const tried = new Set(positives.map(({ detector }) => detector));
  return {
    positives: positives.length,
    negatives: all.length - positives.length,
    recall: found / positives.length,
    precision: found / (found + mistaken.length),
    named: named / positives.length,
    missed,
    mistaken,
    untried: (detectorGroups.get('all') ?? []).filter((name) => !tried.has(name)),
  };
}
