/** What the log calls things of the gateway's own, which no server is called: a slug has no colon. */

/** Holds what the gateway's own receivers need: secrets of exports, alerts and approvals. */
export const RECEIVERS = 'gateway:receivers';
