/**
 * One approval and what may become of it. Pure: who asks, the time and what is stored come in; the approval as it is
 * afterwards, or the reason why not, goes out. Whoever keeps it puts each change in place of exactly the one that it was
 * made from, so that of two that come at once the second starts from the first's outcome.
 *
 *     pending ──approve (the last of N)──▶ approved ──claim──▶ executed
 *        │  └─reject─▶ rejected               │ └─ for a time or a session: approved, one use more
 *        ├─revoke──▶ revoked ◀──revoke────────┤
 *        └─time────▶ expired ◀──time──────────┘
 *
 * A claim comes before what it is for is sent: whatever happens then, it is not given again.
 */
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import { type Deciding, standingOf } from './people.ts';

export const approvalStates = ['pending', 'approved', 'rejected', 'expired', 'revoked', 'executed'] as const;
export type ApprovalState = (typeof approvalStates)[number];

/** What somebody agrees to: one use, every use for some minutes, or every use in the session that it was asked in. */
export type ApprovalScope =
  | { readonly kind: 'once' }
  | { readonly kind: 'session' }
  | { readonly kind: 'minutes'; readonly minutes: number };

export interface Agreement {
  /** The person, `user:maria`, or where nobody says whose the account is, that account. */
  readonly by: string;
  /** How they came: `local:1000`, `slack:U…`, `webhook:maria`. */
  readonly account: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly reason: string | null;
  readonly scope: ApprovalScope;
}

/** What those who agreed have agreed to together: of each, the narrower. */
interface ApprovalGrant {
  readonly once: boolean;
  /** The only session that may use it; null: any. */
  readonly session: string | null;
  /** Not used at this time any more. Milliseconds since the Unix epoch. */
  readonly until: number;
}

/** What is asked of people. */
export interface ApprovalAsk {
  /** How many have to agree. */
  readonly people: number;
  readonly expireMinutes: number;
  /** Whether whoever agrees has to say why. */
  readonly justification: boolean;
}

export interface Approval {
  readonly state: ApprovalState;
  /** Of the canonical request. */
  readonly hash: string;
  readonly requester: string;
  /** The session that it was asked in; null: the client has none. */
  readonly session: string | null;
  readonly people: number;
  readonly justification: boolean;
  readonly askedAt: number;
  readonly askUntil: number;
  readonly agreed: readonly Agreement[];
  /** Who rejected or revoked it. */
  readonly ended: Omit<Agreement, 'scope'> | null;
  /** Once enough have agreed. */
  readonly grant: ApprovalGrant | null;
  readonly uses: number;
}

export type ApprovalFault =
  | 'approval_not_pending'
  | 'approval_not_open'
  | 'approval_own_request'
  | 'approval_person_unknown'
  | 'approval_requester_unknown'
  | 'approval_already_agreed'
  | 'approval_reason_missing'
  | 'approval_no_session'
  | 'approval_scope_invalid'
  | 'approval_answer_late'
  | 'approval_not_granted'
  | 'approval_other_request'
  | 'approval_other_session';

type Changed = Result<Approval, ApprovalFault>;

/** Several rules hold a request at once: each of them is done justice. */
export function combineAsks(asks: readonly ApprovalAsk[]): ApprovalAsk {
  return {
    people: Math.max(1, ...asks.map(({ people }) => people)),
    expireMinutes: Math.min(limits.approvalMinutesMax, ...asks.map(({ expireMinutes }) => expireMinutes)),
    justification: asks.some(({ justification }) => justification),
  };
}

export function askApproval(
  about: Pick<Approval, 'hash' | 'requester' | 'session'>,
  { people, expireMinutes, justification }: ApprovalAsk,
  now: number,
): Approval {
  return {
    state: 'pending',
    ...about,
    people,
    justification,
    askedAt: now,
    askUntil: now + expireMinutes * MINUTE_MS,
    agreed: [],
    ended: null,
    grant: null,
    uses: 0,
  };
}

/** The same object where its time is not over. */
export function settled(approval: Approval, now: number): Approval {
  const endsAt = endOf(approval);
  return endsAt !== null && now >= endsAt ? { ...approval, state: 'expired' } : approval;
}

/** When it changes by itself; null: not any more. */
export function endOf({ state, askUntil, grant }: Approval): number | null {
  if (state === 'pending') return askUntil;
  return state === 'approved' && grant !== null ? grant.until : null;
}

/** Those who agreed and count by who is who now, each for as long as they said. */
export function counted(approval: Approval, who: Deciding, now: number): readonly Agreement[] {
  return approval.agreed.filter((one) => {
    const standing = standingOf(one.account, approval, who);
    return standing.counts && standing.person === one.by && now < lapsesAt(one);
  });
}

/** What somebody says who agrees. */
export interface Assent extends Omit<Agreement, 'at' | 'by'> {
  /** When they said so, where that is known: what arrives late, or once more, is as old as that. Absent: now. */
  readonly saidAt?: number;
}

/** Takes somebody's agreement, and drops those before it that do not count any more. */
export function approve(
  before: Approval,
  { saidAt = Infinity, ...answer }: Assent,
  who: Deciding,
  now: number,
): Changed {
  const approval = settled(before, now);
  if (approval.state !== 'pending') return err('approval_not_pending');
  const standing = standingOf(answer.account, approval, who);
  if (!standing.counts) return err(standing.why);
  const { person } = standing;
  const earlier = counted(approval, who, now);
  if (earlier.some(({ by }) => by === person)) return err('approval_already_agreed');
  if (approval.justification && (answer.reason ?? '').trim() === '') return err('approval_reason_missing');
  const { scope } = answer;
  if (scope.kind === 'session' && approval.session === null) return err('approval_no_session');
  if (scope.kind === 'minutes' && !isMinutes(scope.minutes)) return err('approval_scope_invalid');
  const agreement = { ...answer, by: person, at: Math.min(now, saidAt) };
  if (now >= lapsesAt(agreement)) return err('approval_answer_late');
  const agreed = [...earlier, agreement];
  if (agreed.length < approval.people) return ok({ ...approval, agreed });
  return ok({ ...approval, agreed, state: 'approved', grant: narrowest(agreed, approval.session, now) });
}

export function reject(before: Approval, answer: Omit<Agreement, 'at' | 'scope'>, now: number): Changed {
  const approval = settled(before, now);
  if (approval.state !== 'pending') return err('approval_not_pending');
  return ok({ ...approval, state: 'rejected', ended: { ...answer, at: now } });
}

/** Takes it back: what was not answered yet as well as what is agreed to and can still be used. */
export function revoke(before: Approval, answer: Omit<Agreement, 'at' | 'scope'>, now: number): Changed {
  const approval = settled(before, now);
  if (approval.state !== 'pending' && approval.state !== 'approved') return err('approval_not_open');
  return ok({ ...approval, state: 'revoked', ended: { ...answer, at: now } });
}

/** Takes one use of it, for the request with this hash in this session. Enough of those who agreed still have to count. */
export function claim(
  before: Approval,
  { hash, session }: { readonly hash: string; readonly session: string | null },
  who: Deciding,
  now: number,
): Changed {
  const approval = settled(before, now);
  const { grant } = approval;
  if (approval.state !== 'approved' || grant === null) return err('approval_not_granted');
  if (counted(approval, who, now).length < approval.people) return err('approval_not_granted');
  if (hash !== approval.hash) return err('approval_other_request');
  if (grant.session !== null && grant.session !== session) return err('approval_other_session');
  return ok({ ...approval, uses: approval.uses + 1, state: grant.once ? 'executed' : 'approved' });
}

const MINUTE_MS = 60_000;

const isMinutes = (minutes: number): boolean =>
  Number.isInteger(minutes) && minutes >= 1 && minutes <= limits.approvalMinutesMax;

function narrowest(agreed: readonly Agreement[], session: string | null, now: number): ApprovalGrant {
  const kinds = new Set(agreed.map(({ scope }) => scope.kind));
  return {
    once: kinds.has('once'),
    session: kinds.has('session') ? session : null,
    until: Math.min(...agreed.map((one) => Math.min(now + lengthMs(one.scope), lapsesAt(one)))),
  };
}

/** Whoever says for how long says it at that time, whenever the others agree. */
const lapsesAt = ({ scope, at }: Agreement): number =>
  scope.kind === 'minutes' ? at + scope.minutes * MINUTE_MS : Infinity;

function lengthMs(scope: ApprovalScope): number {
  if (scope.kind === 'minutes') return scope.minutes * MINUTE_MS;
  return scope.kind === 'once' ? limits.approvalOnceMs : limits.approvalSessionMs;
}
