/** The database. */
import { MIB } from './size.ts';

/** How long a statement waits for another process that is writing to the database. */
export const storeBusyTimeoutMs = 5_000;
/** Compiled statements kept for the query builder. */
export const storeStatementsMax = 128;
/** Rows that one statement writes where there are many of a kind. */
export const storeRowsPerStatement = 16;
/** A database file up to this size is checked page by page when it is opened; a larger one only on request. */
export const storeCheckAtOpenBytesMax = 16 * MIB;
/** How often changes of the store by other processes are looked for, in milliseconds. A kill switch that this process set cuts at once. */
export const storeWatchIntervalMs = 500;
/** The same for kill switches alone, which cut what is under way. */
export const killWatchIntervalMs = 30;
/** The same for everybody else, which is more: it stops their thread for as long as the disk takes. */
export const storeCheckpointPages = 16_000;
/** How old what is known of other processes' changes may be, in milliseconds. What this process changed is seen at once. */
export const storeRevisionGlanceMs = 5;
/**
 * How long caches go by the store's own counter of changes alone, in milliseconds, while others commit. After that
 * they read anew, because somebody who writes to the file can turn the counter back.
 */
export const storeRevisionTrustMs = 5_000;
