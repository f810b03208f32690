/**
 * Approvals at rest: what is asked, with its arguments, and what was answered, in one envelope that is bound to the row and
 * its version. The columns beside it are for finding rows; where they say something else than the envelope, the row was
 * changed from outside and counts for nothing. So does a row that is older than what this process saw of it.
 */
import { z } from 'zod';
import { AppError, type ApprovalId, limits, Secret, type WorkspaceId } from '../../kernel/index.ts';
import { type Approval, approvalStates, endOf } from '../../policy/index.ts';
import type { KeyRing, RowContext } from '../../seal/index.ts';
import type { ApprovalRecord } from '../../store/index.ts';

const Scope = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('once') }),
  z.strictObject({ kind: z.literal('session') }),
  z.strictObject({ kind: z.literal('minutes'), minutes: z.number() }),
]);

const Answer = z.strictObject({
  by: z.string(),
  account: z.string().optional(),
  at: z.number(),
  reason: z.string().nullable(),
});

/** What was kept before accounts were has none. */
const withAccount = <T extends z.infer<typeof Answer>>({ account, ...one }: T) => ({
  ...one,
  account: account ?? one.by,
});

const Sealed = z.strictObject({
  approval: z.strictObject({
    state: z.enum(approvalStates),
    hash: z.string(),
    requester: z.string(),
    session: z.string().nullable(),
    people: z.number(),
    justification: z.boolean(),
    askedAt: z.number(),
    askUntil: z.number(),
    agreed: z.array(Answer.extend({ scope: Scope }).transform(withAccount)),
    ended: Answer.transform(withAccount).nullable(),
    grant: z
      .strictObject({ once: z.boolean(), session: z.string().nullable(), until: z.number() })
      .nullable(),
    uses: z.number(),
  }),
  about: z.strictObject({
    server: z.string(),
    subject: z.enum(['tool', 'prompt', 'resource']),
    name: z.string(),
    profile: z.string().nullable(),
    agent: z.string(),
    /** Ids of the rules that hold it back. */
    rules: z.array(z.string()),
    definitionHash: z.string().nullable(),
    argumentsText: z.string().nullable(),
    besideText: z.string().nullable().default(null),
  }),
});

/** What it is that somebody is asked about. */
type ApprovalAbout = Readonly<z.infer<typeof Sealed>['about']>;

export interface KeptApproval {
  readonly id: ApprovalId;
  readonly version: number;
  readonly approval: Approval;
  readonly about: ApprovalAbout;
}

export class SealedApprovals {
  readonly #ring: Pick<KeyRing, 'sealValue' | 'openValue'>;
  readonly #workspace: WorkspaceId;
  /** The highest version that was seen of each. */
  readonly #seen = new Map<string, number>();

  constructor(ring: Pick<KeyRing, 'sealValue' | 'openValue'>, workspace: WorkspaceId) {
    this.#ring = ring;
    this.#workspace = workspace;
  }

  async seal({ id, version, approval, about }: KeptApproval, now: number): Promise<ApprovalRecord> {
    const plain = Secret.fromString(JSON.stringify({ approval, about }));
    try {
      const { value, dataKey } = await this.#ring.sealValue(plain, this.#context(id, version));
      const { state, hash, requester, askedAt } = approval;
      const endsAt = endOf(approval);
      return { id, state, hash, requester, version, askedAt, endsAt, changedAt: now, value, dataKey };
    } finally {
      plain.destroy();
    }
  }

  /** @throws AppError `approval_row_changed`, `seal_…` */
  async open(record: ApprovalRecord): Promise<KeptApproval> {
    const { id, version } = record;
    if (this.isOlder(record)) throw changedOutside(id, 'older than it was');
    const plain = await this.#ring.openValue(record, this.#context(id, version));
    try {
      const read = Sealed.safeParse(JSON.parse(plain.reveal()));
      if (!read.success) throw changedOutside(id, 'of another form');
      const { approval, about } = read.data;
      const isSame =
        approval.state === record.state &&
        approval.hash === record.hash &&
        approval.requester === record.requester &&
        endOf(approval) === record.endsAt;
      if (!isSame) throw changedOutside(id, 'not what its envelope says');
      this.saw(record);
      return { id, version, approval, about };
    } finally {
      plain.destroy();
    }
  }

  /** Whether this process saw a later version of it. */
  isOlder({ id, version }: Pick<KeptApproval, 'id' | 'version'>): boolean {
    return version < (this.#seen.get(id) ?? 0);
  }

  /** That there was this version: whoever wrote it has seen it, too. */
  saw({ id, version }: Pick<KeptApproval, 'id' | 'version'>): void {
    if (this.#seen.size >= limits.approvalSeenMax) this.#seen.clear();
    this.#seen.set(id, Math.max(version, this.#seen.get(id) ?? 0));
  }

  #context(id: string, version: number): RowContext {
    return { workspace: this.#workspace, table: 'approvals', row: id, version, purpose: 'value' };
  }
}

const changedOutside = (id: string, found: string): AppError =>
  new AppError('approval_row_changed', 'What is stored of an approval was changed from outside.', {
    kind: 'failed',
    hint: 'Find out who else writes to the database, and put back a copy of it from a backup.',
    detail: { approval: id, found },
  });
