/** Names, addresses, connections and certificates of upstreams. */
import { KIB, MIB } from './size.ts';

/** How far back a certificate begins to be valid, for clients whose clock is behind. */
export const certificateClockSkewMs = 24 * 60 * 60 * 1_000;
/** Connections to upstreams that one workspace keeps open and idle for one place. */
export const upstreamIdleConnectionsMax = 256;
/** The same for all places together; a wildcard rule can ask for any number. */
export const upstreamIdleTotalMax = 512;
/** How long an idle connection to an upstream is kept; most servers close theirs after 60 s or more. */
export const upstreamIdleTimeoutMs = 15_000;
/** Name resolution, connection (all addresses together), a proxy's answer and TLS handshake towards an upstream, each. */
export const upstreamConnectTimeoutMs = 15_000;
/** From the end of a request until the head of its answer: some APIs think for minutes. */
export const upstreamHeadTimeoutMs = 600_000;
/** Addresses of one name that are tried for one connection. */
export const upstreamAddressesMax = 8;
/** How long an address has for itself before the next one is tried beside it (RFC 8305 section 5), in milliseconds. */
export const upstreamAttemptStaggerMs = 250;
/** Names whose addresses, or lack of them, are remembered. */
export const resolverNamesMax = 4_096;
/** Shortest time that an answer of DNS is kept, in milliseconds: one that lives for no time serves the burst that asked. */
export const resolverTtlMsMin = 1_000;
/** Longest time that an answer of DNS is kept, in milliseconds. */
export const resolverTtlMsMax = 60_000;
/** How long an answer that has no lifetime of its own is kept, in milliseconds. */
export const resolverUntimedTtlMs = 10_000;
/** How long it is remembered that a name has no address, in milliseconds. */
export const resolverNegativeTtlMs = 3_000;
/** How long the addresses of one family wait for those of the other, in milliseconds (RFC 8305 section 3). */
export const resolverOtherFamilyWaitMs = 50;
/** How long a DNS server has for one answer, in milliseconds. */
export const resolverTryTimeoutMs = 2_000;
/** How often a DNS server is asked. */
export const resolverTriesMax = 2;
/** Questions to the system's own resolver at a time: each holds a thread that files and ciphers need too. */
export const resolverSystemAtOnceMax = 2;
/** How often a change of the hosts file is looked for, in milliseconds. */
export const resolverHostsCheckMs = 1_000;
/** A longer hosts file is not read, in bytes. */
export const resolverHostsBytesMax = 1 * MIB;
/** TLS sessions with upstreams that are kept for resumption. */
export const upstreamTlsSessionsMax = 1_024;
/** How long one may be resumed, in milliseconds: for that long a certificate is not looked at again. */
export const upstreamTlsSessionMs = 600_000;
/** Places that a workspace's connections lead to, remembered with what is spoken there. */
export const upstreamPlacesMax = 1_024;
/** How long a server elsewhere may take to be told that it is not needed any more, in milliseconds. */
export const ownFarewellMs = 2_000;
/** Connections of one cell that a client has logged in on and that are kept for that client alone. */
export const cellLoginConnectionsMax = 32;
/** Certificates of an upstream's chain, its root included. */
export const certificateChainMax = 16;
/** Connections to upstreams that one cell may have in use, or have made for it, at a time; those that several use are not counted. */
export const cellUpstreamsMax = 512;
/** Requests of one cell that wait for one of those to become free, */
export const cellUpstreamsWaitingMax = 1_024;
/** and for how long, in milliseconds. */
export const cellUpstreamWaitMs = 15_000;
/** Connections to one place that are made at a time for the cells of a workspace, as many as may be kept; requests that find none wait. */
export const upstreamDialsMax = 256;
/** Longest id of an event that is sent back to a server to go on after it, in characters. */
export const eventIdCharsMax = 1_024;
/** Longest session id that a server may give, in characters. */
export const remoteSessionIdCharsMax = 1_024;
/** What clients asked of a server elsewhere that is said again to its next session: so many of it, */
export const remoteStandingMax = 256;
/** none longer, in characters. */
export const remoteStandingCharsMax = 16 * KIB;
/** Redirections within a server's own origin that are followed for one request. */
export const remoteRedirectsMax = 3;
/** How long a stream may stay open after the answer that it was opened for, in milliseconds. */
export const remoteStreamLingerMs = 1_000;
/** Before an event stream is opened again, unless the server says otherwise; doubled each time that it brings nothing, in milliseconds, */
export const remoteStreamRetryMs = 1_000;
/** at least, whatever the server says, */
export const remoteStreamRetryMsMin = 100;
/** and at most. */
export const remoteStreamRetryMsMax = 60_000;
/** Bytes of an event stream without an event that anybody wants, from which on it is a flood, which is read slowly. */
export const remoteIdleBytesMax = 256 * KIB;
/** A stream that was open for less long and brought nothing counts as failed, in milliseconds. */
export const remoteStreamShortMs = 10_000;
/** Attempts in a row to go on with a stream that broke off before its answer. */
export const remoteResumesMax = 5;
/** How long a server of HTTP+SSE has to say where messages are sent to, in milliseconds. */
export const remoteEndpointMs = 15_000;
/** Of an answer that is none, how much is read to say what it was, in bytes. */
export const remoteErrorBytesMax = 64 * 1_024;
/** Of that, how much is shown, in characters. */
export const remoteErrorShownCharsMax = 300;
