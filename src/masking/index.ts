/**
 * Masking: what tools answer, and what is kept of it, without keys of providers, secrets by their name, and data of persons.
 * Pure: compiled rules in, texts in, masked texts out, with a report that holds no value. Finds by form and checksum, so it
 * is no proof that nothing is left; stored secrets are the scrubber's, which knows them. Must never report what it found.
 */
export { fitToSchema } from './schema/fit.ts';
export { GROUPS as detectorGroups } from './detectors/index.ts';
export { compileMasking, type Masked, type Masker, type MaskingHit, type MaskingPorts } from './masker.ts';
export { checkMasking, type MaskingError, type MaskingRule } from './rule.ts';
export { type HashKey, type Strategy, strictnessOf } from './strategy.ts';
