/** What whoever asks for an approval, or answers one, is told where it cannot be done. */
import { AppError, type AppErrorKind } from '../../kernel/index.ts';
import type { ApprovalFault } from '../../policy/index.ts';
import type { JsonError } from '../../wire/index.ts';
import type { KeptApproval } from './sealed-approvals.ts';

interface Told {
  readonly kind: AppErrorKind;
  readonly message: (kept: KeptApproval) => string;
  readonly hint: string;
}

const SHOW = 'See what became of it: `sallyport approval show ID`.';

const TOLD: Readonly<Record<ApprovalFault, Told>> = {
  approval_not_pending: {
    kind: 'conflict',
    message: ({ id, approval }) => `${id} waits for no answer: it is ${approval.state}.`,
    hint: SHOW,
  },
  approval_not_open: {
    kind: 'conflict',
    message: ({ id, approval }) => `${id} cannot be revoked: it is ${approval.state}.`,
    hint: SHOW,
  },
  approval_own_request: {
    kind: 'denied',
    message: ({ id }) => `${id} was asked for by you, so somebody else has to agree to it.`,
    hint: 'You can reject or revoke it.',
  },
  approval_person_unknown: {
    kind: 'denied',
    message: ({ id }) => `Nobody says which person you are, so you cannot agree to ${id}.`,
    hint: 'The operator says in sallyport.yaml who is who: `approvals.people`. You can reject or revoke it.',
  },
  approval_requester_unknown: {
    kind: 'denied',
    message: ({ id, approval }) =>
      `Nobody says whose ${approval.requester} is, so it could be that of whoever agrees to ${id}.`,
    hint: 'The operator says in sallyport.yaml whose tokens and agents they are: `approvals.people`.',
  },
  approval_already_agreed: {
    kind: 'conflict',
    message: ({ id, approval }) =>
      `You have agreed to ${id} already: ${approval.agreed.length} of ${approval.people} did.`,
    hint: 'Each counts once; somebody else has to agree too.',
  },
  approval_reason_missing: {
    kind: 'invalid',
    message: ({ id }) => `Whoever agrees to ${id} has to say why.`,
    hint: 'Give a reason: `sallyport approval approve ID --reason TEXT`.',
  },
  approval_no_session: {
    kind: 'invalid',
    message: ({ id }) => `${id} was asked for by a client that has no session.`,
    hint: 'Agree to it once, or for a time: `--for 1h`.',
  },
  approval_scope_invalid: {
    kind: 'invalid',
    message: () => 'The time is not one from a minute to a week.',
    hint: 'Give it like `--for 30m` or `--for 2h`.',
  },
  approval_answer_late: {
    kind: 'conflict',
    message: ({ id }) => `The time for which ${id} was agreed to is over: it was said a while ago.`,
    hint: 'Agree to it anew.',
  },
  approval_not_granted: { kind: 'denied', message: ({ id }) => `${id} was not agreed to.`, hint: SHOW },
  approval_other_request: {
    kind: 'denied',
    message: ({ id }) => `${id} is for another request.`,
    hint: SHOW,
  },
  approval_other_session: {
    kind: 'denied',
    message: ({ id }) => `${id} is for another session.`,
    hint: SHOW,
  },
};

export function refusedBy(fault: ApprovalFault, kept: KeptApproval): AppError {
  const { kind, message, hint } = TOLD[fault];
  return new AppError(fault, message(kept), { kind, hint: hint.replace('ID', kept.id) });
}

export const notFound = (id: string): AppError =>
  new AppError('approval_not_found', `There is no approval \`${id.slice(0, ID_SHOWN_CHARS)}\`.`, {
    kind: 'not_found',
    hint: 'See them: `sallyport approval list`.',
  });

const ID_SHOWN_CHARS = 40;

export const ambiguous = (reason: JsonError): AppError =>
  new AppError(
    'approval_arguments_ambiguous',
    'Nobody can be asked about these arguments, because they have more than one reading or are too long.',
    {
      kind: 'invalid',
      hint: 'Send each member once, numbers that a double holds, and no more than a person reads.',
      detail: { reason },
    },
  );

export const tooMany = (): AppError =>
  new AppError('approval_too_many', 'Too many requests wait for somebody to agree to them.', {
    kind: 'limited',
    hint: 'Call it again once some were answered.',
  });

export const tooOften = (): AppError =>
  new AppError('approval_too_many', 'People were asked too often about your requests within the last hour.', {
    kind: 'limited',
    hint: 'Call it again later, and change less from one try to the next: the same request is one question.',
  });

export const busy = (): AppError =>
  new AppError('approval_busy', 'Others change the same approval again and again.', {
    kind: 'unavailable',
    hint: 'Try again.',
  });
