/** What a database adapter supplies: a query builder, and the few things that are its own. */
import type { Kysely } from 'kysely';
import type { WorkspaceId } from '../kernel/index.ts';
import type { CredentialRecord, CredentialSlot } from './records.ts';
import type { AuditRepository } from './repositories/audit.ts';
import type { CounterRepository } from './repositories/counters.ts';
import type { RecordingRepository } from './repositories/recordings.ts';
import type { Tables } from './schema.ts';

export interface Backend {
  readonly db: Kysely<Tables>;
  readonly revision: Revision;
  readonly audit: AuditRepository;
  readonly counters: CounterRepository;
  readonly recordings: Pick<RecordingRepository, 'append'>;
  /** The read that every use of a credential makes, as fast as the database can. */
  readonly findCredential: (workspace: WorkspaceId, slot: CredentialSlot) => Promise<CredentialRecord | null>;
  /** @throws AppError `store_corrupt` */
  check(): Promise<void>;
  /** Waits for what is under way; whatever comes later gets `store_closed`. Once is enough, more is no error. */
  close(): Promise<void>;
}

/** A number that changes whenever what others may have cached has changed, in this process or another one. */
export interface Revision {
  /** @throws AppError `store_closed` */
  readonly current: () => number;
  /** This process has changed something, or has just committed it: the next look is a new one. */
  readonly touched: () => void;
}
