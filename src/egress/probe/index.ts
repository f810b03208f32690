/**
 * Probing: which upstreams send back what they are given, found out with random values before they are trusted
 * with real ones. Needs no cell.
 */
export type { Echo } from './echo.ts';
export type { ProbedCredential } from './plan.ts';
export { probe, type ProbeOptions, type ProbeResult, type ProbeSpec } from './probe.ts';
