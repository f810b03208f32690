/** Numbers that states give to people. */
import type { DigitDetector } from '../../detector.ts';
import { americanIds } from './americas.ts';
import { asianAfricanPacificIds } from './asia-africa-pacific.ts';
import { northEastEuropeanIds } from './europe-north-east.ts';
import { westEuropeanIds } from './europe-west.ts';
import { idDetector } from './id-format.ts';

export const nationalIds: readonly DigitDetector[] = [
  ...americanIds,
  ...westEuropeanIds,
  ...northEastEuropeanIds,
  ...asianAfricanPacificIds,
].map(idDetector);
