/** What of a recorded session other rules are held against: what was asked, what became of it, and when. Nothing is called. */
import type { RejudgeReport } from '../../api/index.ts';
import type { Rules } from '../../policy/index.ts';
import { type DecisionEntry, type Entry, Recount, rejudge } from '../../recording/index.ts';
import type { RecordingRecord } from '../../store/index.ts';

/** How a request ended, by its number. */
interface Answer {
  readonly ms: number;
  readonly code: string | undefined;
}

export class HeldAgainst {
  readonly #decided = new Map<number, DecisionEntry>();
  readonly #answers = new Map<number, Answer>();
  /** Those that went to their servers. */
  readonly #went = new Set<number>();

  add(entry: Entry): void {
    // One that waited for an approval was asked about several times.
    if (entry.kind === 'decision') this.#decided.set(entry.request, entry);
    if (entry.kind === 'call' || entry.kind === 'asked') this.#went.add(entry.request);
    if (entry.kind === 'message' && entry.type === 'response' && entry.request !== undefined)
      this.#answers.set(entry.request, { ms: entry.ms, code: entry.code });
  }

  against(rules: Rules, { id, profile, startedAt }: RecordingRecord): RejudgeReport['requests'] {
    const recount = new Recount(id);
    const inOrder = [...this.#decided.values()].toSorted((a, b) => a.at - b.at);
    const judged = inOrder.map((entry) => {
      const { ms, request, subject, server, name, at, outcome } = entry;
      const answer = this.#answers.get(request);
      // Watching one may be nobody's request but the gateway's own.
      const ran = this.#went.has(request) || (subject === 'resource' && outcome === 'allow');
      const { after, rule, limits: held, unsure } = rejudge(entry, profile, rules);
      const goes = after === 'allow' || (after === 'approve' && ran);
      const full = goes ? recount.take(entry, held, startedAt + (answer?.ms ?? Infinity)) : null;
      const wasFull = answer?.code === 'limit_exceeded';
      const isOthers = wasFull && full === null && held.length > 0 && after === 'allow';
      return {
        ms,
        request,
        at,
        subject,
        server,
        name,
        before: wasFull ? ('limited' as const) : outcome,
        ruleBefore: entry.rule,
        after: full === null ? after : ('limited' as const),
        rule: full ?? rule,
        unsure: unsure ?? (isOthers ? ('limits_of_others' as const) : null),
        ran: ran && !wasFull,
      };
    });
    return judged.toSorted((a, b) => a.ms - b.ms);
  }
}
