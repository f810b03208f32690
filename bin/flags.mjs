// What Node is told when it serves, besides the program: it takes these on the command line only.

/**
 * Buffers that were read into are used again while they are in the processor's cache, when fewer of them wait to be
 * collected: answers of 1 MB pass a sixth faster, small ones no slower (`npm run bench -- egress`).
 */
export const serveFlags = ['--max-semi-space-size=8'];
