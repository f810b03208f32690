/** The table of approvals without a database: what one process does between two awaits, no other one is in the middle of. */
import type { WorkspaceId } from '../../../src/kernel/index.ts';
import type { ApprovalRecord, ApprovalRepository } from '../../../src/store/index.ts';

export function memoryApprovals(): ApprovalRepository {
  const rows = new Map<string, ApprovalRecord>();
  const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
  const all = (): ApprovalRecord[] =>
    [...rows.values()].sort((a, b) => a.askedAt - b.askedAt || (a.id < b.id ? -1 : 1));
  return {
    async insert(_: WorkspaceId, approval) {
      await turn();
      if (all().some(({ state, hash }) => state === 'pending' && hash === approval.hash)) return false;
      rows.set(approval.id, approval);
      return true;
    },
    async replace(_, approval) {
      await turn();
      if (rows.get(approval.id)?.version !== approval.version - 1) return false;
      rows.set(approval.id, approval);
      return true;
    },
    async find(_, id) {
      await turn();
      return rows.get(id) ?? null;
    },
    async ofRequest(_, hash, states) {
      await turn();
      return all().filter((row) => row.hash === hash && states.includes(row.state));
    },
    async list(_, states, max) {
      await turn();
      return all()
        .filter(({ state }) => states === null || states.includes(state))
        .toReversed()
        .slice(0, max);
    },
    async due(_, now) {
      await turn();
      return all().filter(({ endsAt }) => endsAt !== null && endsAt <= now);
    },
    async waiting(_, requester) {
      await turn();
      const pending = all().filter(({ state }) => state === 'pending');
      return { all: pending.length, own: pending.filter((row) => row.requester === requester).length };
    },
    async asked(_, requester, since) {
      await turn();
      return all().filter((row) => row.requester === requester && row.askedAt >= since).length;
    },
    async prune() {
      await turn();
    },
  };
}
