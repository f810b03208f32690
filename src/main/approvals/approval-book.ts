/**
 * The approvals of a workspace, kept in the store. Each change is worked out by the pure model from one stored version and
 * put in the place of exactly that one; where somebody else was faster it is worked out anew, so that any number of
 * processes on one store give each use once.
 *
 * What somebody answers is on record before it holds, and a use is taken before it is on record and on record before the
 * request is sent: a process that dies in between has used it up, and nothing runs twice.
 */
import { hash } from 'node:crypto';
import type { Actor, AuditEvent, AuditEventType, AuditLog } from '../../audit/index.ts';
import {
  AppError,
  type ApprovalId,
  type Clock,
  type JsonObject,
  limits,
  type Log,
  newId,
  type Random,
  type Result,
  type WorkspaceId,
} from '../../kernel/index.ts';
import type { ApprovalRequest, Approvals, Passage } from '../../mcp/index.ts';
import {
  type Approval,
  type ApprovalFault,
  type ApprovalScope,
  type ApprovalState,
  approve,
  askApproval,
  canonicalRequest,
  claim,
  counted,
  deciding,
  type Deciding,
  type People,
  reject,
  revoke,
  settled,
} from '../../policy/index.ts';
import type { KeyRing } from '../../seal/index.ts';
import type { ApprovalRecord, Store } from '../../store/index.ts';
import { ambiguous, busy, notFound, refusedBy, tooMany, tooOften } from './approval-errors.ts';
import { type KeptApproval, SealedApprovals } from './sealed-approvals.ts';

export interface ApprovalBookDeps {
  readonly workspace: WorkspaceId;
  readonly store: Pick<Store, 'approvals'>;
  readonly ring: Pick<KeyRing, 'sealValue' | 'openValue'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly people: People;
  /** What names a server as it is set up now; null: there is none. */
  readonly serverState: (slug: string) => Promise<string | null>;
  readonly clock: Clock;
  readonly random: Random;
  /** Of a page that says how to answer an approval; null: nobody could reach one. */
  readonly address: (id: string) => string | null;
  readonly log: Log;
}

/** What somebody says to a request that waits, or to an agreement that was given. */
export interface Answer {
  /** Who, as the gateway knows it. */
  readonly actor: Actor;
  /** How they came, where that is not what the actor is: `slack:U…`, `webhook:maria`. */
  readonly account?: string;
  /** When it was said, where that is signed. */
  readonly saidAt?: number;
  readonly decision: 'approve' | 'reject' | 'revoke';
  /** Of `approve`. */
  readonly scope: ApprovalScope;
  readonly reason: string | null;
}

/** How an actor is named in an approval: whoever asks and whoever agrees are told apart by it. */
const identityOf = ({ kind, id }: Actor): string => `${kind}:${id}`;

const EVENTS = {
  approve: 'approval.agreed',
  reject: 'approval.rejected',
  revoke: 'approval.revoked',
} as const satisfies Record<Answer['decision'], AuditEventType>;

const SYSTEM: Actor = { kind: 'system', id: 'gateway' };

export class ApprovalBook implements Approvals {
  readonly #deps: ApprovalBookDeps;
  readonly #sealed: SealedApprovals;
  readonly #listeners = new Set<() => void>();
  /** Rows of which it is on record that they were changed from outside. */
  readonly #told = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(deps: ApprovalBookDeps) {
    this.#deps = deps;
    this.#sealed = new SealedApprovals(deps.ring, deps.workspace);
    this.#timer = setInterval(() => this.#lookForDue(), limits.approvalSweepIntervalMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Somebody may have changed something: whoever waits looks again. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  async pass(request: ApprovalRequest): Promise<Passage> {
    const { workspace, clock } = this.#deps;
    const requester = identityOf(request.principal.actor);
    const serverState = await this.#deps.serverState(request.server);
    const canonical = canonicalRequest({ ...request, workspace, requester, serverState });
    if (!canonical.ok) throw ambiguous(canonical.error);
    const digest = `sha256-${hash('sha256', canonical.value, 'hex')}`;
    const use = { hash: digest, session: request.session };
    for (let round = 0; round < limits.approvalRetriesMax; round += 1) {
      const known = await this.#ofRequest(digest);
      const now = clock.now();
      const taken = await this.#take(known, use, request, now);
      if (taken === 'again') continue;
      const passage = (state: Passage['state'], id: string): Passage => ({
        state,
        id,
        address: this.#deps.address(id),
      });
      if (taken !== null) return passage('granted', taken);
      const waits = known.find(({ approval }) => approval.state === 'pending');
      if (waits !== undefined) return passage('pending', waits.id);
      const rejected = known.find(
        ({ approval: { state, ended } }) =>
          state === 'rejected' && ended !== null && now < ended.at + limits.approvalRejectedMs,
      );
      if (rejected !== undefined) return passage('rejected', rejected.id);
      const asked = await this.#ask(request, { ...use, requester }, now);
      if (asked !== null) return passage('pending', asked);
    }
    throw busy();
  }

  async waits(id: string): Promise<boolean> {
    const { store, workspace } = this.#deps;
    const record = await store.approvals.find(workspace, id as ApprovalId);
    return record !== null && (await this.#upToDate(record)).approval.state === 'pending';
  }

  /** How many people agree to it by who is who now. */
  counts(kept: KeptApproval): number {
    return counted(kept.approval, this.#deciding(kept), this.#deps.clock.now()).length;
  }

  /** What waits for somebody, the newest first; tidies nothing up. */
  async waiting(): Promise<readonly KeptApproval[]> {
    const { store, workspace } = this.#deps;
    const records = await store.approvals.list(workspace, ['pending'], limits.approvalListMax);
    const kept = await Promise.all(records.map((record) => this.#upToDate(record)));
    return kept.filter(({ approval }) => approval.state === 'pending');
  }

  /** The newest first. @param state null: all */
  async list(state: ApprovalState | null): Promise<readonly KeptApproval[]> {
    await this.sweep();
    const { store, workspace } = this.#deps;
    const states = state === null ? null : [state];
    const records = await store.approvals.list(workspace, states, limits.approvalListMax);
    return Promise.all(records.map((record) => this.#opened(record)));
  }

  /** @throws AppError `approval_not_found`, `approval_row_changed` */
  async find(id: string): Promise<KeptApproval> {
    const { store, workspace } = this.#deps;
    // An id is compared and never taken apart: any text may be asked for.
    const record = await store.approvals.find(workspace, id as ApprovalId);
    if (record === null) throw notFound(id);
    return this.#upToDate(record);
  }

  /** @throws AppError `approval_…`, `audit_unavailable` */
  async answer(id: string, answer: Answer): Promise<KeptApproval> {
    const { clock } = this.#deps;
    const account = answer.account ?? identityOf(answer.actor);
    const reason = answer.reason?.slice(0, limits.approvalReasonCharsMax) ?? null;
    let isRecorded = false;
    for (let round = 0; round < limits.approvalRetriesMax; round += 1) {
      const kept = await this.find(id);
      const now = clock.now();
      const said = { ...answer, account, reason };
      const changed = answered(kept.approval, said, this.#deciding(kept), now);
      if (!changed.ok) {
        const data = { code: changed.error, decision: answer.decision, account };
        await this.#record('approval.refused', answer.actor, kept, data);
        throw refusedBy(changed.error, kept);
      }
      if (!isRecorded) {
        const person = this.#deps.people.personOf(account);
        await this.#record(EVENTS[answer.decision], answer.actor, kept, { reason, account, person });
      }
      isRecorded = true;
      const replaced = await this.#replace(kept, changed.value, now);
      if (replaced !== null) return replaced;
    }
    throw busy();
  }

  #deciding({ approval, about }: KeptApproval): Deciding {
    return deciding(this.#deps.people, approval, about.agent);
  }

  /** What has outlived its time says so from now on, and what is long over is removed. */
  async sweep(): Promise<void> {
    const { store, workspace, clock } = this.#deps;
    for (const record of await store.approvals.due(workspace, clock.now())) await this.#upToDate(record);
    await store.approvals.prune(workspace, clock.now() - limits.approvalKeepMs);
  }

  #lookForDue(): void {
    this.sweep().catch((error: unknown) =>
      this.#deps.log.error('approval.sweep_failed', { error: String(error) }),
    );
  }

  /** @returns the approval that one use was taken of; null: there is none for it; `again`: somebody else was faster */
  async #take(
    known: readonly KeptApproval[],
    use: { readonly hash: string; readonly session: string | null },
    { principal, call }: ApprovalRequest,
    now: number,
  ): Promise<string | null> {
    for (const kept of known) {
      const claimed = claim(kept.approval, use, this.#deciding(kept), now);
      if (!claimed.ok) continue;
      const taken = await this.#replace(kept, claimed.value, now);
      if (taken === null) return 'again';
      const agreed = kept.approval.agreed.map(({ by }) => by);
      const data = { agreed, call, uses: claimed.value.uses };
      await this.#record('approval.executed', principal.actor, kept, data);
      return kept.id;
    }
    return null;
  }

  /** @returns null where another process asked for the same meanwhile */
  async #ask(
    {
      principal,
      profile,
      server,
      subject,
      name,
      definitionHash,
      argumentsText,
      besideText,
      rules,
      ask,
    }: ApprovalRequest,
    about: Pick<Approval, 'hash' | 'requester' | 'session'>,
    now: number,
  ): Promise<string | null> {
    const { store, workspace, random } = this.#deps;
    const waiting = await store.approvals.waiting(workspace, about.requester);
    if (waiting.own >= limits.approvalPendingMax || waiting.all >= limits.approvalPendingAllMax)
      throw tooMany();
    const since = now - limits.approvalAskedWindowMs;
    if ((await store.approvals.asked(workspace, about.requester, since)) >= limits.approvalAskedMax)
      throw tooOften();
    const kept: KeptApproval = {
      id: newId<'approval'>('apr', random),
      version: 1,
      approval: askApproval(about, ask, now),
      about: {
        server,
        subject,
        name,
        profile,
        agent: principal.agent,
        rules: [...rules],
        definitionHash,
        argumentsText,
        besideText,
      },
    };
    if (!(await store.approvals.insert(workspace, await this.#sealed.seal(kept, now)))) return null;
    const { people, askUntil } = kept.approval;
    await this.#record('approval.requested', principal.actor, kept, { askUntil, people, rules: [...rules] });
    this.changed();
    return kept.id;
  }

  async #ofRequest(digest: string): Promise<readonly KeptApproval[]> {
    const { store, workspace } = this.#deps;
    const states = ['pending', 'approved', 'rejected'];
    const records = await store.approvals.ofRequest(workspace, digest, states);
    return Promise.all(records.map((record) => this.#upToDate(record)));
  }

  /**
   * What was read before this process came to know of a later version is no sign of anything: it is read anew. What is older
   * even so was put back.
   */
  async #latest(record: ApprovalRecord): Promise<ApprovalRecord> {
    const { store, workspace } = this.#deps;
    let latest = record;
    for (let round = 0; round < limits.approvalRetriesMax && this.#sealed.isOlder(latest); round += 1)
      latest = (await store.approvals.find(workspace, record.id)) ?? latest;
    return latest;
  }

  /** What was changed from outside is on record, once. */
  async #opened(record: ApprovalRecord): Promise<KeptApproval> {
    try {
      return await this.#sealed.open(await this.#latest(record));
    } catch (error) {
      const found = `${record.id} ${record.version}`;
      if (!(error instanceof AppError) || this.#told.has(found)) throw error;
      if (this.#told.size >= limits.approvalSeenMax) this.#told.clear();
      this.#told.add(found);
      const { workspace, audit } = this.#deps;
      const data = { approval: record.id, code: error.code };
      await audit.record({ workspace, type: 'approval.refused', actor: SYSTEM, data });
      throw error;
    }
  }

  /** As it is now. Whoever finds that its time is over writes it down. */
  async #upToDate(record: ApprovalRecord): Promise<KeptApproval> {
    const kept = await this.#opened(record);
    const now = this.#deps.clock.now();
    const approval = settled(kept.approval, now);
    if (approval === kept.approval) return kept;
    const replaced = await this.#replace(kept, approval, now);
    if (replaced !== null) await this.#record('approval.expired', SYSTEM, kept, {});
    return replaced ?? { ...kept, approval };
  }

  async #replace(kept: KeptApproval, approval: Approval, now: number): Promise<KeptApproval | null> {
    const { store, workspace } = this.#deps;
    const next = { ...kept, version: kept.version + 1, approval };
    if (!(await store.approvals.replace(workspace, await this.#sealed.seal(next, now)))) return null;
    this.#sealed.saw(next);
    this.changed();
    return next;
  }

  /** The request is named by its hash: its arguments are nobody's business but that of whoever is asked. */
  #record(type: AuditEventType, actor: Actor, { id, approval, about }: KeptApproval, data: JsonObject) {
    const { server, subject, name, profile } = about;
    const event: AuditEvent = {
      workspace: this.#deps.workspace,
      type,
      actor,
      server,
      data: {
        approval: id,
        hash: approval.hash,
        [subject]: name,
        profile,
        requester: approval.requester,
        ...data,
      },
    };
    return this.#deps.audit.record(event);
  }
}

function answered(
  approval: Approval,
  { decision, account, scope, reason, saidAt }: Omit<Answer, 'actor'> & { readonly account: string },
  who: Deciding,
  now: number,
): Result<Approval, ApprovalFault> {
  if (decision === 'approve')
    return approve(
      approval,
      { account, scope, reason, ...(saidAt === undefined ? {} : { saidAt }) },
      who,
      now,
    );
  const said = { by: who.personOf(account) ?? account, account, reason };
  return decision === 'reject' ? reject(approval, said, now) : revoke(approval, said, now);
}
