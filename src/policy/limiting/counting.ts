/**
 * Counting against a limit. Pure, and in whole numbers throughout, so that nothing is lost or won by rounding: what is kept
 * goes in, what is to be kept comes out, or how long to wait. Time comes from outside and may go back; that never gives more.
 */

/** What is kept of a count. */
export interface Count {
  /** Of a bucket: what was taken and has not come back, in calls times the period's milliseconds. Otherwise: calls. */
  readonly amount: number;
  /** Of a bucket: when `amount` was so. Otherwise: when the count ends. Milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** A count to be kept, and until when. */
export interface Lasting extends Count {
  /** From when on it says nothing that no count would not say. */
  readonly forgetMs: number;
}

export type Taken =
  | { readonly ok: true; readonly count: Lasting }
  | {
      readonly ok: false;
      readonly waitMs: number;
      /** To be kept although nothing was taken: the clock was set right, and time counts from now on. */
      readonly anew: Lasting | null;
    };

interface Bucket {
  /** How many come back in each period, evenly. */
  readonly calls: number;
  readonly burst: number;
  readonly periodMs: number;
}

/**
 * Takes one of a bucket that holds `burst` at most. In any time there are no more than `burst` and what came back in it.
 * Where the clock was wrong by more than a period and was set right, it is as if all had been taken just now.
 */
export function takeFromBucket(before: Count | null, bucket: Bucket, now: number): Taken {
  const { calls, burst, periodMs } = bucket;
  const full = burst * periodMs;
  const lasting = (amount: number, atMs: number): Lasting => ({
    amount,
    atMs,
    forgetMs: atMs + Math.ceil(amount / calls),
  });
  const kept = before ?? { amount: 0, atMs: now };
  const isWrong = kept.atMs - now > periodMs;
  const { amount, atMs } = isWrong ? { amount: full, atMs: now } : levelAt(kept, calls, now);
  const after = Math.min(amount, full) + periodMs;
  if (after <= full) return { ok: true, count: lasting(after, atMs) };
  const waitMs = Math.ceil((after - full) / calls) + (atMs - now);
  return { ok: false, waitMs, anew: isWrong ? lasting(full, now) : null };
}

const levelAt = ({ amount, atMs }: Count, calls: number, now: number): Count =>
  atMs >= now ? { amount, atMs } : { amount: Math.max(0, amount - (now - atMs) * calls), atMs: now };

/** @param window the one that `now` is in. @param lengthMs about how long such windows are, at least */
export function takeFromQuota(
  before: Count | null,
  calls: number,
  window: { readonly endMs: number; readonly lengthMs: number },
  now: number,
): Taken {
  if (before === null || before.atMs <= now) return counted(0, calls, window.endMs, now);
  // What was begun is counted to its end, also where the clock went back to before it began.
  const isWrong = before.atMs - window.endMs > window.lengthMs;
  if (!isWrong) return counted(before.amount, calls, before.atMs, now);
  const anew = { amount: calls, atMs: window.endMs, forgetMs: window.endMs };
  return { ok: false, waitMs: window.endMs - now, anew };
}

/** What is counted for as long as somebody goes on: until nothing was let through for `idleMs`. */
export function takeFromSession(before: Count | null, calls: number, idleMs: number, now: number): Taken {
  const goesOn = before !== null && before.atMs > now;
  const endMs = goesOn ? Math.max(before.atMs, now + idleMs) : now + idleMs;
  const taken = counted(goesOn ? before.amount : 0, calls, endMs, now);
  return taken.ok || before === null ? taken : { ...taken, waitMs: before.atMs - now };
}

const counted = (used: number, calls: number, endMs: number, now: number): Taken =>
  used < calls
    ? { ok: true, count: { amount: used + 1, atMs: endMs, forgetMs: endMs } }
    : { ok: false, waitMs: endMs - now, anew: null };
