/** Where findings about a version 1 document stand. */
import type { Position, Report } from '../report.ts';
import type { Node } from '../tree.ts';

/** A way through a tree: keys and indexes. */
export type Steps = readonly (string | number)[];

export interface Places {
  error(steps: Steps, code: string, message: string, expected: string): void;
  warn(steps: Steps, code: string, message: string, expected: string): void;
}

/** Findings stand at the deepest node that exists on the way, so that a missing value is shown where it would be. */
export function placesIn(root: Node, report: Report): Places {
  return {
    error: (steps, code, message, expected) =>
      report.error(positionOf(root, steps), fieldOf(steps), { code, message, expected }),
    warn: (steps, code, message, expected) =>
      report.warn(positionOf(root, steps), fieldOf(steps), { code, message, expected }),
  };
}

function positionOf(root: Node, steps: Steps): Position {
  let node = root;
  for (const step of steps) {
    const next = typeof step === 'number' ? itemOf(node, step) : memberOf(node, step);
    if (next === undefined) break;
    node = next;
  }
  return node.at;
}

const itemOf = (node: Node, index: number): Node | undefined =>
  node.kind === 'list' ? node.items[index] : undefined;
const memberOf = (node: Node, key: string): Node | undefined =>
  node.kind === 'map' ? node.entries.get(key)?.value : undefined;

const fieldOf = (steps: Steps): string =>
  steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`;
    return path === '' ? step : `${path}.${step}`;
  }, '');
