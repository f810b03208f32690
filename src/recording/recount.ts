/**
 * Limits counted anew over one recorded session: what would have been let through, from nothing. What others did at the time
 * is not in it, so what is refused here would have been refused, and what is not may have been.
 */
import { type DecidedLimit, decideLimits, type KeptCounts, planLimits } from '../policy/index.ts';
import type { DecisionEntry } from './entry.ts';

type Count = NonNullable<KeptCounts['counts'][number]>;

/** Between the moment that was recorded and the one in which it was counted. */
const LATER_MS = 100;

export class Recount {
  readonly #session: string;
  readonly #counts = new Map<string, Count>();
  /** When those that are in flight land, by what they count for. Milliseconds since the Unix epoch. */
  readonly #landings = new Map<string, number[]>();

  constructor(session: string) {
    this.#session = session;
  }

  /**
   * Requests come in the order in which they were decided.
   *
   * @param untilMs when it was answered; Infinity: never
   * @returns the rule that has no room for it; null: it is counted
   */
  take(entry: DecisionEntry, held: readonly DecidedLimit[], untilMs: number): string | null {
    const { server, name, at, agents, tokens, users } = entry;
    const [agent = ''] = agents;
    const plan = planLimits(held, {
      server,
      name,
      agent,
      token: tokens[0] ?? null,
      user: users[0] ?? null,
      session: this.#session,
    });
    const kept = {
      counts: plan.counted.map(({ key }) => this.#counts.get(key) ?? null),
      flights: plan.flying.map(
        ({ key }) => (this.#landings.get(key) ?? []).filter((landing) => landing > at).length,
      ),
    };
    const first = decideLimits(plan, kept, at);
    const verdict = first.ok ? first : decideLimits(plan, kept, at + LATER_MS);
    for (const { key, ...count } of verdict.counts) this.#counts.set(key, count);
    if (!verdict.ok) return verdict.exceeded.limit.rule;
    for (const { key } of plan.flying)
      this.#landings.set(key, [
        ...(this.#landings.get(key) ?? []).filter((landing) => landing > at),
        untilMs,
      ]);
    return null;
  }
}
