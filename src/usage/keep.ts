/** How many different things a day keeps counts of: what comes beyond that is counted together, so that no name is too many. */
import { sum } from './counts.ts';
import { keyText, type Usage } from './fold.ts';

/** Stands for everything of a server that has no counts of its own. */
const OTHERS = '*';

/**
 * @param known what is kept of one day
 * @param added of the same day
 * @returns those that are to be kept in place of what was, each whole
 */
export function keep(known: readonly Usage[], added: readonly Usage[], keysMax: number): readonly Usage[] {
  const all = new Map(known.map((usage) => [keyText(usage), usage]));
  const changed = new Map<string, Usage>();
  for (const usage of added) {
    const isKnown = all.has(keyText(usage));
    const key =
      isKnown || all.size < keysMax ? usage : { ...usage, tool: OTHERS, agent: OTHERS, actor: OTHERS };
    const text = keyText(key);
    const before = all.get(text);
    const now = before === undefined ? key : { ...before, counts: sum(before.counts, usage.counts) };
    all.set(text, now);
    changed.set(text, now);
  }
  return [...changed.values()];
}
