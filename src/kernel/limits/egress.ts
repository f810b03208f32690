/** What one cell, or one program that comes through the proxy, may take of the data plane. */
import { KIB, MIB } from './size.ts';

/** A cell's root outlives every cell; its key is only in memory. */
export const cellRootValidityMs = 825 * 24 * 60 * 60 * 1_000;
/** A leaf, renewed at half of it. Below the 398 days that clients accept. */
export const cellLeafValidityMs = 90 * 24 * 60 * 60 * 1_000;
/** Leaves that a cell keeps; a wildcard rule can ask for any number of names. */
export const cellLeafCertificatesMax = 256;
/** Names that one cell may have been told addresses for; a wildcard rule can ask for any number. */
export const cellNamesMax = 4_096;
/** How long a cell's resolver lets a program keep an answer. */
export const cellDnsTtlSeconds = 60;
/** Connections from one cell at a time, DNS over TCP included. */
export const cellConnectionsMax = 1_024;
/** Refusals (of names, of connections, of requests) that one cell may write to the audit log per interval; the rest are counted. */
export const cellRefusalEventsMax = 60;
export const cellRefusalIntervalMs = 60_000;
/** Refusals of one cell that are the same but for what carried them, each recorded before the rest of the interval is counted. */
export const cellRefusalRepeatsMax = 10;
/** Different refusals of one cell with one code that are recorded the first time, however many there were. */
export const cellRefusalFirstsMax = 256;
/** Calls in flight that the events of one request name; an event has a limit, and must not be lost to it. */
export const requestCallsMax = 16;
/** Names that a refusal lists of those that an address was given for. */
export const refusalNamesMax = 8;
/** Of where a placeholder stood, how much is told, in characters. */
export const placeCharsMax = 200;
/** Different refusals of one cell that are told apart at a time. */
export const cellRefusalKeysMax = 1_024;
/** From a connection's first byte to the end of its TLS handshake, and of each request head. */
export const egressHeadTimeoutMs = 20_000;
/**
 * From the end of a TLS handshake: whoever hangs up within it, and has said nothing, does not trust the certificate. Later it
 * is one that had a connection in reserve.
 */
export const clientTlsDoubtMs = 5_000;
/** A connection from a cell on which nothing is going on. */
export const egressIdleTimeoutMs = 75_000;
/** A request or response body that has stopped moving. Event streams with longer pauses exist; they reconnect. */
export const egressBodyIdleTimeoutMs = 300_000;
/** A request body that has to be seen whole because a credential goes into it. */
export const requestBodyBufferBytesMax = 8 * MIB;
/** All such bodies of one cell together. */
export const cellBodyBytesMax = 64 * MIB;
/** Answers over HTTP/2 of one cell that it has not read, together: as much as 512 streams may send at once. */
export const cellAnswerBytesMax = 128 * MIB;
/** What may still arrive of a request that was answered early, before the connection is cut. */
export const requestDrainBytesMax = 16 * MIB;
/** How often deadlines are looked at. */
export const egressSweepIntervalMs = 1_000;
/** How much of a body is searched at a time, in bytes: the next has to wait for everybody else's turn. */
export const bodySliceBytes = 128 * KIB;
/** Longest name of a form's field that says which method is meant, blanks and escapes included, in bytes. */
export const methodNameBytesMax = 256;
/** How far behind it its value is looked for, in bytes. */
export const methodFieldBytesMax = 2 * KIB;
/** A request body up to this size is read before anything is sent, so that it is judged as a whole. */
export const requestBodyWaitBytesMax = 64 * KIB;
/** Questions of one cell that wait for a resolution outside, where a manifest wants true addresses. */
export const cellDnsWaitingMax = 64;
/** How long after its start a cell may use credentials that are for calls only, as long as no call has begun, in milliseconds. */
export const cellStartUpMs = 30_000;
/** How long a call that has ended still counts: servers finish their work late. In milliseconds. */
export const callGraceMs = 2_000;
/** Tools and callers of one cell of which it is remembered when a call of theirs ended last. */
export const cellEndedToolsMax = 64;
/** Requests that one probe of a server makes; more places and hosts than that are reported as not asked. */
export const probeRequestsMax = 100;
/** Of those, how many at a time. */
export const probeRequestsAtOnce = 4;
/** One request of a probe, from the resolution of the name to the last byte that is looked at, in milliseconds. */
export const probeRequestTimeoutMs = 20_000;
/** Of an event stream, for how long what comes is looked at, in milliseconds. */
export const probeEventsMs = 1_000;
/** Of the answer to a probe, how much is looked at, decoded, in bytes. */
export const probeAnswerBytesMax = 256 * KIB;
/** Places and encodings of one answer that are told apart. */
export const probeEchoesMax = 64;
/** Names below wildcards that one probe may be told to ask. */
export const probeHostsMax = 32;
/**
 * TLS handshakes that one cell may begin at once, and per second after that; more of them wait. To begin one takes
 * about 0.4 ms, so a cell that does nothing else has about a fifth of the event loop.
 */
export const cellHandshakesBurst = 256;
export const cellHandshakesPerSecond = 500;
/** Of those, how many one cell may begin before everybody else has had a turn. */
export const cellHandshakesPerTurn = 4;
/** Connections of one cell that wait for their handshake; more are cut. */
export const cellHandshakesWaitingMax = 256;
/** Requests over HTTP/2 that one cell may have open on all of its connections. */
export const cellStreamsMax = 2_048;
/** Connections that are passed on unread (`tcp`), of one cell at a time. */
export const cellTunnelsMax = 256;
/** How long such a connection may stay without a byte in either direction, in milliseconds. */
export const tunnelIdleTimeoutMs = 1_800_000;
/** Connections to the explicit proxy that have not said yet who they are and where they want to go. */
export const proxyConnectionsMax = 256;
/** Programs outside of cells, each a token with a server, that the explicit proxy serves at a time. */
export const proxySessionsMax = 256;
/** How often it is looked for tokens that have expired and still have connections through the explicit proxy, in milliseconds. */
export const proxySessionsCheckMs = 5_000;
/** How long an answer may stay silent for a client that has closed its side: most of those have left, and do not wait. */
export const halfClosedTimeoutMs = 30_000;
/** Smaller pieces of a body that is collected are copied into blocks of this size. */
export const collectedBlockBytes = 4 * KIB;
/** Of an answer, gathered within one turn of the event loop, so that it leaves as one write. */
export const answerGatheredBytesMax = 64 * KIB;
/** Of the descriptors that the process may have, the part that connections never take: for files, databases and new cells. */
export const descriptorsSparedShare = 0.1;
/** Of the others, the part that any cell may take; beyond it no cell gets more than its even part, or than that many. */
export const descriptorsFreeShare = 0.85;
export const cellDescriptorsMin = 16;
/** How often it is told that no descriptors are left, in milliseconds. */
export const descriptorsToldIntervalMs = 60_000;
/** The same for all connections of a cell, beyond what each has, and around chunks of HTTP/1.1 that are smaller than that. */
export const cellOverheadBytes = 1 * MIB;
export const cellOverheadBytesPerSecond = 256 * KIB;
/** Lines of the operational log that could not be written yet, in bytes; what is more is lost. */
export const logUnwrittenBytesMax = 1 * MIB;
