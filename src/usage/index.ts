/**
 * Usage: what was called and sent, by whom, how often, how long, how much, per day. Made from the audit log alone, pure;
 * whoever keeps it and asks for it is elsewhere.
 */
export type { Counts } from './counts.ts';
export { EXPOSITION_TYPE, exposition, type Family, type Sample } from './exposition.ts';
export { dayOf, fold, type Usage } from './fold.ts';
export { Meter } from './meter.ts';
export { keep } from './keep.ts';
export { report, type UsageLine, type UsagePart, usageParts } from './report.ts';
