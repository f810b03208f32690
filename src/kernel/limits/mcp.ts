/** The front: clients, their sessions, and the servers behind them. */
import { MIB } from './size.ts';

/** One MCP message in either direction, in bytes: a stdio line or a POST body. */
export const mcpMessageBytesMax = 32 * MIB;
/** Bytes waiting to be read by one MCP client or server before it counts as not reading. */
export const mcpSendBufferBytesMax = 64 * MIB;
/** Requests that clients have in flight on one server's connection. */
export const mcpPendingRequestsMax = 4096;
/** Requests that one server has waiting for a client's answer. */
export const mcpServerRequestsMax = 64;
/** Notifications that one server may send in a second; what is more is dropped. */
export const mcpNotificationsPerSecondMax = 2000;
/** How long a server that floods is not read after each piece of it, in milliseconds. */
export const mcpFloodPauseMs = 50;
/** The same while a message that is too long comes to its end, in milliseconds. */
export const mcpSkipPauseMs = 5;
/** How long a server may take from its start to its answer to `initialize`, in milliseconds. */
export const mcpInitializeMs = 30_000;
/** How long a server may think about `server/discover` before it is greeted in the older way as well, in milliseconds. */
export const mcpDiscoverMs = 1_000;
/** How often a server may ask for input before it answers one request. */
export const mcpInputRoundsMax = 8;
/** Questions that it may ask on the way, all together. */
export const mcpInputQuestionsMax = 64;
/** Calls of one caller that wait for it to answer what their server asked, */
export const mcpParkedCallsMax = 16;
/** and for how long each, in milliseconds: less than `mcpRequestIdleMs`, which runs meanwhile. */
export const mcpParkedMs = 540_000;
/** Pause before a subscription that a server ended is opened again, in milliseconds; it doubles each time, */
export const mcpListenPauseMs = 1_000;
/** up to this. */
export const mcpListenPauseMsMax = 60_000;
/** How long a listing of a whole profile waits for each of its servers, in milliseconds. */
export const mcpListMs = 8_000;
/** How long a request may stay without an answer and without progress, in milliseconds. */
export const mcpRequestIdleMs = 600_000;
/** How long a Streamable HTTP session lives without a request or an open stream, in milliseconds. */
export const mcpSessionIdleMs = 1_800_000;
/** Streamable HTTP sessions that one token may have at a time; the longest unused one goes first. */
export const mcpSessionsPerCallerMax = 256;
/** Between two comment lines that keep an event stream open, in milliseconds. */
export const mcpKeepAliveMs = 15_000;
/** Events that one session keeps for a client that comes back, and */
export const mcpEventsKeptMax = 1_000;
/** their bytes; what is oldest goes first. */
export const mcpEventBytesKeptMax = 4 * MIB;
/** The same for all sessions of one caller. */
export const mcpEventBytesPerCallerMax = 32 * MIB;
/** When a client is told to come back after its event stream broke, in milliseconds. */
export const mcpReconnectMs = 1_000;
/** How long a POST may wait for its answer before it is answered as an event stream, in milliseconds. */
export const mcpStreamAfterMs = 5_000;
/** Messages in one JSON-RPC batch. */
export const mcpBatchMax = 100;
/** Longest tool or prompt name that every client accepts, in characters. */
export const mcpNameCharsMax = 64;
/** Objects that a parameter repeated in a header may lie in. */
export const mcpParamHeaderDepthMax = 32;
/** Pages that are fetched of one listing of one server. */
export const mcpListPagesMax = 200;
/** Of a server's stderr, how much an error shows, in characters. */
export const mcpStderrShownCharsMax = 1500;
/** How long a client may take to send the head of its request to the gateway's own listener, in milliseconds. */
export const frontHeadTimeoutMs = 15_000;
/** Of a tool's name, how much an event about a request shows, in characters. */
export const toolNameShownCharsMax = 128;
/** Longest definition of a tool or prompt that can be approved, in UTF-16 units of its JSON. */
export const definitionCharsMax = 256 * 1024;
/** Differences between two definitions that are shown. */
export const definitionChangesMax = 40;
/** Of one differing text, how much is shown, in characters. */
export const definitionShownCharsMax = 400;
/** What is shown of two texts before their first difference, in characters. */
export const definitionContextChars = 60;
/** Definitions of one server that may wait for a decision; what it shows beyond that is withheld all the same. */
export const definitionsPendingMax = 1_000;
/** How often what a server shows is written down at most, in milliseconds. */
export const definitionsSeenIntervalMs = 1_000;
/** How long a server may take to say what it defines when it is looked at, from its start, in milliseconds. */
export const definitionsLookMs = 30_000;
/** Findings of one definition that are reported. */
export const definitionFindingsMax = 20;
/** A text of a definition that is longer is reported, in UTF-16 units. */
export const definitionTextLongChars = 6_000;
/** Definitions that one event of the audit log names. */
export const definitionsRecordedMax = 100;
