// What Node is told when it serves, besides the program: it takes these on the command line only.

/**
 * Buffers that were read into are used again while they are in the processor's cache, when fewer of them wait to be
 * collected: answers of 1 MB pass a sixth faster, small ones no slower (`npm run bench -- egress`).
 */
const readBuffers = '--max-semi-space-size=8';

/** What starting leaves behind is given back at once, a seventh of what a gateway that waits would hold. */
const collectOnRequest = '--expose-gc';

export const serveFlags = [readBuffers, collectOnRequest];
