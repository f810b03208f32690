/** Limits that rules set: how what is counted is kept. */

/** A client that has no sessions begins another one when it has called nothing for so long. */
export const limitSessionIdleMs = 3_600_000;
/** A call in flight counts for so long after its process was last heard of. */
export const limitFlightMs = 60_000;
/** How long after a call has ended other processes may find it in flight still. */
export const limitLandMs = 2;
/** How often a process says that its calls are still in flight. */
export const limitFlightRenewMs = 20_000;
/** How often counts that say nothing any more are removed. */
export const limitSweepMs = 600_000;
/** What says nothing any more is kept for so long: a clock that went back finds it again. A month, and a day. */
export const counterKeptMs = 32 * 86_400_000;
/** Names up to so many characters are counted apart; longer ones, which callers make up, by how they begin and how long they are. */
export const countedNameCharsMax = 512;
