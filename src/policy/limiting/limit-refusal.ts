/** What whoever is counted too often is told: by which rule, and when to come again. */
import type { DecidedLimit } from '../rules/types.ts';
import type { Exceeded } from './limit-plan.ts';

export interface LimitRefusal {
  readonly code: 'limit_exceeded' | 'usage_moved';
  readonly message: string;
  readonly hint: string;
  /** Whole seconds; never so few that the next one would be refused for the same reason. */
  readonly retryAfterSeconds: number;
}

/** When nobody knows how long it takes. */
const USUAL_WAIT_MS = 1_000;

export function limitRefusal({ limit, waitMs }: Exceeded): LimitRefusal {
  const retryAfterSeconds = Math.max(1, Math.ceil((waitMs ?? USUAL_WAIT_MS) / 1_000));
  const what = limit.message ?? (waitMs === null ? inFlight(limit) : overTime(limit));
  const when =
    waitMs === null
      ? 'Call again when one of those has ended.'
      : limit.per === 'session'
        ? 'Begin a new session.'
        : `Call again in ${spoken(retryAfterSeconds)}.`;
  return {
    code: 'limit_exceeded',
    message: `${/[.!?]$/.test(what) ? what : `${what}.`} Rule: ${limit.rule}. ${when}`,
    hint: limit.instead ?? 'What is counted together, and how much there may be, the rule says.',
    retryAfterSeconds,
  };
}

/** Calls of the same caller began while this one was judged. @param rule that they make to be about it */
export const usageMoved = (rule: string): LimitRefusal => ({
  code: 'usage_moved',
  message: `Other calls of yours began meanwhile, and how many there are matters for this one. Rule: ${rule}. Call again.`,
  hint: 'It is judged anew then, with all of them counted.',
  retryAfterSeconds: 1,
});

const overTime = ({ calls, per, by }: DecidedLimit): string =>
  `There may be ${calls ?? 0} per ${per}${each(by)}`;
const inFlight = ({ concurrent, by }: DecidedLimit): string =>
  `There may be ${concurrent ?? 0} at once${each(by)}`;
const each = (by: DecidedLimit['by']): string => (by.length === 0 ? '' : ` for each ${by.join(' and ')}`);

function spoken(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3_600)} hours`;
}
