/** On which TCP ports a cell has listeners. Pure: a plan says the same as a launch does. */
import type { EgressRule } from './ports.ts';

/** Always listened on, so that a refusal can be read there. */
const USUAL_PORTS = [443, 80];
const DNS_PORT = 53;

/** @returns each port once; that of name resolution, which every cell has, is not among them */
export function listenedPorts(rules: readonly Pick<EgressRule, 'port'>[]): readonly number[] {
  return [...new Set([...USUAL_PORTS, ...rules.map(({ port }) => port)])].filter((port) => port !== DNS_PORT);
}
