/** What the operator sees of approvals, and how the operator answers them. */
import type { ApprovalDesk, ApprovalView } from '../../api/index.ts';
import type { Actor } from '../../audit/index.ts';
import type { ApprovalBook } from './approval-book.ts';
import type { KeptApproval } from './sealed-approvals.ts';

export function approvalDesk(book: ApprovalBook, operator: Actor): ApprovalDesk {
  return {
    list: async (state) => (await book.list(state)).map((kept) => viewOf(book, kept)),
    async show(id) {
      const kept = await book.find(id);
      const { argumentsText, besideText, definitionHash } = kept.about;
      return { ...viewOf(book, kept), arguments: argumentsText, beside: besideText, definitionHash };
    },
    answer: async (id, { decision, scope, reason }) =>
      viewOf(book, await book.answer(id, { actor: operator, decision, scope, reason })),
  };
}

function viewOf(book: ApprovalBook, kept: KeptApproval): ApprovalView {
  const { id, approval, about } = kept;
  const { server, subject, name, profile, agent, rules } = about;
  const { state, hash, requester, people, justification, askedAt, askUntil, ended, uses, grant } = approval;
  return {
    id,
    state,
    server,
    subject,
    name,
    profile,
    requester,
    agent,
    rules: [...rules],
    hash,
    people,
    justification,
    askedAt,
    askUntil,
    counts: book.counts(kept),
    agreed: approval.agreed.map((one) => ({ ...one })),
    ended: ended === null ? null : { ...ended },
    grant: grant === null ? null : { once: grant.once, session: grant.session !== null, until: grant.until },
    uses,
  };
}
