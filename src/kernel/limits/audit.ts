/** The audit log, its journal, and who reads them. */
import { KIB, MIB } from './size.ts';

/** Audit events that one read returns at most. */
export const auditPageEventsMax = 1_000;
/** Most events that one `audit tail` gives. */
export const auditTailMax = 10_000;
/** One audit event in canonical form, in UTF-16 code units. */
export const auditEventCharsMax = 64 * KIB;
/** What is kept of a name that a caller chose, in UTF-16 code units: what is refused is on record whatever its name is. */
export const auditNameCharsMax = 4 * KIB;
/** Nesting of objects and arrays in an audit event's data. */
export const auditDataDepthMax = 16;
/** Events of all workspaces that wait to be written; beyond it an append is refused at once. */
export const auditQueueEventsMax = 10_000;
/** Events that go out in one transaction. */
export const auditBatchEventsMax = 1024;
/** How often a batch is chained anew because another process appended first. */
export const auditChainRetriesMax = 64;
/** Events between two signed checkpoints of a workspace. */
export const auditCheckpointEvents = 1000;
/** How often a following reader looks for what other processes appended, in milliseconds. */
export const auditTailPollMs = 500;
/** Problems that one verification lists; more are only said to exist. */
export const auditProblemsMax = 100;
/** Checkpoints kept elsewhere that one verification is given at most. */
export const auditAnchorsMax = 10_000;
/** How far away, in events, a verification looks for the place that an event was moved from. */
export const auditMovedEventsMax = 32;
/** Names of fields in audit events that are kept ready as JSON. */
export const auditKeysKnownMax = 256;
/** Longest of them, in characters. */
export const auditKeyKnownCharsMax = 32;
/** How long an audit event that was written may wait until its way to the disk begins, in milliseconds. */
export const auditSyncDelayMs = 10;
/** How long after a failed sync of the audit log the next is tried, in milliseconds. An append tries at once. */
export const auditSyncRetryMs = 1_000;
/** How long an audit event that nobody waits for may wait for others to be written with, in milliseconds. */
export const auditNoteDelayMs = 5;
/** Characters of events after which a record of the audit journal takes no more. */
export const auditJournalBatchCharsMax = 256 * KIB;
/** Largest body of such a record that is read, in bytes: a full one and the longest event, three bytes for a character. */
export const auditJournalBodyBytesMax = 2 * MIB;
/** Size after which the audit journal goes on in another file, in bytes. */
export const auditJournalSegmentBytes = 8 * MIB;
/** What is looked through behind a journal's last whole record, in bytes: no file of it is larger. */
export const auditJournalRestBytesMax = auditJournalSegmentBytes + 2 * auditJournalBodyBytesMax;
/** How many places in that are looked at that could be the beginning of a record. */
export const auditJournalRestLooksMax = 64;
/** How far the chain may be behind the audit journal, in events and in bytes, before those who record are slowed down to it. */
export const auditJournalHoldEventsMax = 20_000;
export const auditJournalHoldBytesMax = 16 * MIB;
/** How far the chain may be behind the audit journal before nothing more is recorded: in events, in bytes, */
export const auditJournalLagEventsMax = 50_000;
export const auditJournalLagBytesMax = 64 * MIB;
/** and in milliseconds in which it did not come nearer. */
export const auditJournalLagMs = 10_000;
/** How often the audit journal is looked through for new records, in milliseconds, */
export const auditIngestEveryMs = 10;
/** how often in vain before that waits for a word, */
export const auditIngestIdlePasses = 25;
/** and how long after a failure, in milliseconds. */
export const auditIngestRetryMs = 250;
/** How long after the audit log's writer has ended by itself it is started again, in milliseconds, */
export const auditWriterRestartMs = 250;
/** and how long at most when that is in vain, which doubles it each time. */
export const auditWriterRestartMsMax = 30_000;
/** How long another process may take to bring a dead gateway's journals into the chain, in milliseconds. */
export const auditJournalLockWaitMs = 30_000;
/** Pages of the write-ahead log after which the audit log's writer moves them into the database. */
export const auditCheckpointPages = 4_000;
/** Characters that are told of the id of an audit journal that no journal can have. */
export const auditJournalNameShownChars = 64;
