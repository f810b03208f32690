/** Journals that a gateway leaves behind, and what is told of them. */
import { type AuditEvent, createAuditLog } from '../../../src/audit/index.ts';
import { journalKeys } from '../../../src/audit/journal/keys.ts';
import { decodeRecord } from '../../../src/audit/journal/record.ts';
import { A, auditKey, type Gateway, type JournalWorld } from './journal-world.ts';

export const event = (n: number, workspace = A): AuditEvent => ({
  workspace,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cel_1' },
  data: { n },
});

export const keys = journalKeys(auditKey());

/** A gateway that records so many events, one record each, none of which get into the chain before it dies. */
export async function died(
  world: JournalWorld,
  journal: string,
  numbers: readonly number[],
): Promise<Gateway> {
  const gateway = await world.gateway(journal, { serve: false });
  for (const n of numbers) await gateway.audit.record(event(n));
  world.alive.delete(journal);
  return gateway;
}

/** Where each record ends. */
export function ends(bytes: Buffer, journal: string): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const record = decodeRecord(bytes, at, journal, keys);
    if (!record.ok) throw new Error(record.error);
    at += record.value.bytes;
    found.push(at);
  }
  return found;
}

export const problems = async ({ store, clock, log }: JournalWorld) => {
  const report = await createAuditLog({ store, key: auditKey(), clock, log }).verify(A);
  return report.problems.map(({ code, sequence }) => `${code} ${sequence}`);
};
export const told = ({ store }: JournalWorld) =>
  store
    .chain(A)
    .events.filter(({ type }) => type === 'audit.journal_forged')
    .map(({ data }) => data);
