/** What the owner decides: rules, limits, agreements, the kill switch. */
import type { WorkspaceId } from '../../kernel/index.ts';
import type {
  DecidedLimit,
  DecidedUsage,
  HeldRequest,
  LimitRefusal,
  LimitedRequest,
  Rules,
  UsageCounts,
  UsageName,
} from '../../policy/index.ts';
import type { Principal } from './callers.ts';

/** The owner's rules. Asked for every request: answer from memory. */
export interface RuleBook {
  /** Those that hold for a profile now; null: for the local operator's view of all servers. */
  rulesOf(workspace: WorkspaceId, profile: string | null): Promise<Rules>;
  /** Told after other rules hold. Returns the way to stop listening. */
  onChange(listener: () => void): () => void;
}

/** A request that a rule holds back until somebody agrees to it. */
export interface ApprovalRequest extends Omit<HeldRequest, 'workspace' | 'requester' | 'serverState'> {
  readonly principal: Principal;
  /** The session of the client, by a name that no other one has; null: it has none. */
  readonly session: string | null;
  /** Identifier that the call will have, `call_…`. */
  readonly call: string;
}

/** `granted`: one use was taken, for this very request, now. */
export interface Passage {
  readonly state: 'granted' | 'pending' | 'rejected';
  /** Of the approval, `apr_…`. */
  readonly id: string;
  /** Of a page that says how to answer it; null: there is none. */
  readonly address: string | null;
}

/** What people have agreed to. */
export interface Approvals {
  /**
   * Takes one use of an agreement to this very request, or asks for one. What was taken is on record, and is not given
   * again whatever becomes of the request.
   *
   * @throws AppError `approval_arguments_ambiguous`, `approval_too_many`, `approval_row_changed`, `audit_unavailable`
   */
  pass(request: ApprovalRequest): Promise<Passage>;
  /** Whether this one is still to be answered. */
  waits(id: string): Promise<boolean>;
  /** Told that some approval may be another by now. Returns the way to stop listening. */
  onChange(listener: () => void): () => void;
}

/** Where limits are counted, by all processes together. */
export interface CallLimits {
  /**
   * How many calls the caller began before, as far as they were asked for.
   *
   * @throws AppError `store_*`
   */
  used(workspace: WorkspaceId, names: readonly UsageName[], request: LimitedRequest): Promise<UsageCounts>;
  /**
   * Counts the request against all of these limits, or against none of them.
   *
   * @param usage what it was judged by, counted in the same step as long as it still is what it was judged by
   * @throws AppError `store_*`: what cannot be counted is not let through
   */
  take(
    workspace: WorkspaceId,
    held: readonly DecidedLimit[],
    request: LimitedRequest,
    usage?: DecidedUsage,
  ): Promise<LimitTaken>;
}

type LimitTaken =
  /** To be ended once, when it is not in flight any more. */
  | { readonly ok: true; readonly end: () => void }
  | { readonly ok: false; readonly rule: string; readonly refusal: LimitRefusal };

export interface KillSwitch {
  /** @throws AppError `kill_active` when any switch covers this caller or server; `slug` null: the caller alone */
  check(principal: Principal, slug: string | null): Promise<void>;
  /** Whether a switch names this very caller, its token or its user, rather than a server or everything. */
  isStopped(principal: Principal): Promise<boolean>;
  /** Told after a switch was set: the front checks everything in flight again. Returns the way to stop listening. */
  onKill(listener: () => void): () => void;
}
