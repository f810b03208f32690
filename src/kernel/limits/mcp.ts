/** The front: clients, their sessions, and the servers behind them. */
import { MIB } from './size.ts';

/** One MCP message in either direction, in bytes: a stdio line or a POST body. */
export const mcpMessageBytesMax = 32 * MIB;
/** Objects and arrays within each other in one message of a server. */
export const mcpMessageDepthMax = 1_000;
/** Values in one message: each takes some fifty bytes once it is parsed, however few it is written with. */
export const mcpMessageValuesMax = 500_000;
/** Messages up to this many UTF-16 units are too short to be measured for that. */
export const mcpMeasuredCharsMin = 65_536;
/** Members of one `params`, each of which is looked at several times; what is inside of them is not. */
export const mcpParamsMax = 1_000;
/** Bytes waiting to be read by one MCP client or server before it counts as not reading. */
export const mcpSendBufferBytesMax = 64 * MIB;
/** Requests that clients have in flight on one server's connection. */
export const mcpPendingRequestsMax = 4096;
/** The same of one caller, at all servers and in all its sessions: others are to have some too; */
export const mcpRequestsPerCallerMax = 1024;
/** and what is kept of them, in UTF-16 units, beside the last: a server that is slow to read must have room for others'. */
export const mcpRequestCharsPerCallerMax = 32 * MIB;
/** Bytes that one caller was answered and has not taken, over all its connections. */
export const mcpUnreadBytesPerCallerMax = 128 * MIB;
/** Bytes of bodies of one caller that are on their way here: two of the largest. */
export const mcpBodyBytesPerCallerMax = 64 * MIB;
/** Callers of whom is remembered that they may go on, though nothing of theirs is under way. */
export const mcpCallersRememberedMax = 256;
/** Resources of one server that one client may watch, */
export const mcpWatchedResourcesMax = 1_000;
/** and the longest URI of one, in UTF-16 units. */
export const mcpWatchedUriCharsMax = 8_192;
/** Requests that one server has waiting for a client's answer. */
export const mcpServerRequestsMax = 64;
/** Notifications and requests that one server may send in a second; what is more is dropped. */
export const mcpNotificationsPerSecondMax = 2000;
/** The same in UTF-16 units, beside the last: each goes to every client, and one that is slow to read is cut off. */
export const mcpNotificationCharsPerSecondMax = 4 * MIB;
/** Messages of one server that are looked at before another has its turn, */
export const mcpMessagesPerStep = 16;
/** and how long such turns may take one after the other, until everything else has its own, in milliseconds. */
export const mcpTurnMs = 0.5;
/** How long a server that floods is not read after each piece of it, in milliseconds, at least: */
export const mcpFloodPauseMs = 50;
/** so many times as long as it took to look at the piece, if that is longer. */
export const mcpFloodPauseFactor = 20;
/** The same while a message that is too long comes to its end, in milliseconds. */
export const mcpSkipPauseMs = 5;
/** How long a server may take from its start to its answer to `initialize`, in milliseconds. */
export const mcpInitializeMs = 30_000;
/** How long a server may think about `server/discover` before it is greeted in the older way as well, in milliseconds. */
export const mcpDiscoverMs = 1_000;
/** The same where it answered that question at its last start, in milliseconds. */
export const mcpDiscoverKnownMs = 5_000;
/** How long the answer to `server/discover` is waited for after that greeting was answered, for the next start, in milliseconds. */
export const mcpDiscoverLateMs = 2_000;
/** How long the answer to that greeting is waited for where the one to `server/discover` came first, in milliseconds. */
export const mcpGreetingMs = 5_000;
/** How long a client waits for a connection in its own era to a server elsewhere that has one in the other, in milliseconds; */
export const mcpOtherEraMs = 3_000;
/** and until another client makes it be tried again where it could not be had, in milliseconds. */
export const mcpOtherEraPauseMs = 60_000;
/** Such connections to one server, of clients with sessions that said different things of what they can do, */
export const mcpOtherEraConnectionsMax = 4;
/** and the longest text in which one says so, in UTF-16 units. */
export const mcpOtherEraCapabilitiesCharsMax = 16_384;
/** How often a server may ask for input before it answers one request. */
export const mcpInputRoundsMax = 8;
/** Questions that it may ask on the way, all together. */
export const mcpInputQuestionsMax = 64;
/** Calls of one caller that wait for it to answer what their server asked, */
export const mcpParkedCallsMax = 16;
/** and for how long each, in milliseconds: less than `mcpRequestIdleMs`, which runs meanwhile. */
export const mcpParkedMs = 540_000;
/** How long such a call keeps its server's questions to others from being told from its own, in milliseconds. */
export const mcpParkedAloneMs = 120_000;
/** Pause before a subscription that a server ended is opened again, in milliseconds; it doubles each time, */
export const mcpListenPauseMs = 1_000;
/** up to this. */
export const mcpListenPauseMsMax = 60_000;
/** How long a listing of a whole profile waits for each of its servers, in milliseconds. */
export const mcpListMs = 8_000;
/** Pause before a server that is missing from a list is asked again, in milliseconds; it doubles each time, */
export const mcpRetryPauseMs = 2_000;
/** up to this. */
export const mcpRetryPauseMsMax = 300_000;
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
/** How much later than it was told a client may come back to a stream that was closed for a while, before it counts as gone, in milliseconds. */
export const mcpPollLateMsMax = 10_000;
/** How long a POST may wait for its answer before it is answered as an event stream, in milliseconds. */
export const mcpStreamAfterMs = 5_000;
/** Messages in one JSON-RPC batch. */
export const mcpBatchMax = 100;
/** Longest tool or prompt name that every client accepts, in characters. */
export const mcpNameCharsMax = 64;
/** Characters of the instructions of all servers of a profile together; what does not fit whole is left out. */
export const mcpInstructionsCharsMax = 16_384;
/** Characters of the resources that one server lists, of those that are remembered for routing. */
export const mcpRoutedUriCharsMax = 4 * MIB;
/** How long the lists of resources of a server that does not tell of their changes are taken to be what they were, in milliseconds, */
export const mcpResourceListsKeptMs = 10_000;
/** and how long one that could not be asked for them is not asked again for an address that nobody lists. */
export const mcpResourceMissingMs = 10_000;
/** Resource templates of one server that are remembered for routing, */
export const mcpRoutedTemplatesMax = 200;
/** and the longest of them, in characters. */
export const mcpRoutedTemplateCharsMax = 2_000;
/** Objects that a parameter repeated in a header may lie in. */
export const mcpParamHeaderDepthMax = 32;
/** Tools that were left out for a faulty definition and are remembered to have been told of. */
export const mcpFaultyToolsToldMax = 1_000;
/** Pages that are fetched of one listing of one server. */
export const mcpListPagesMax = 200;
/** Tools, prompts or resources that one server may list; */
export const mcpListItemsMax = 10_000;
/** and all that it writes for that, in UTF-16 units. */
export const mcpListCharsMax = 32 * MIB;
/** Of a server's stderr, how much an error shows, in characters. */
export const mcpStderrShownCharsMax = 1500;
/** How long a client may take to send the head of its request to the gateway's own listener, in milliseconds. */
export const frontHeadTimeoutMs = 15_000;
/** How long a connection of an MCP client may stay open without a request, or without more of its body, in milliseconds. */
export const frontIdleMs = 65_000;
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
/** All of them together, in UTF-16 units: somebody is to read them, and each reading looks at them all. */
export const definitionsPendingCharsMax = 4 * MIB;
/** How often what a server shows is written down at most, in milliseconds. */
export const definitionsSeenIntervalMs = 1_000;
/** How long a server may take to say what it defines when it is looked at, from its start, in milliseconds. */
export const definitionsLookMs = 30_000;
/** The same when it is added and lacks a credential that it needs: it is asked again as soon as it has that. */
export const definitionsLookIncompleteMs = 8_000;
/** After how long somebody who waits for that is told so, in milliseconds. */
export const definitionsLookQuietMs = 2_500;
/** Findings of one definition that are reported. */
export const definitionFindingsMax = 20;
/** Of one list of resources, how many are searched for deceptive characters. */
export const resourcesReadMax = 1_000;
/** A text of a definition that is longer is reported, in UTF-16 units. */
export const definitionTextLongChars = 6_000;
/** Definitions that one event of the audit log names. */
export const definitionsRecordedMax = 100;
/** Of what a search is asked for, how much counts, in characters, */
export const mcpFindQueryCharsMax = 1_000;
/** and in words. */
export const mcpFindWordsMax = 32;
/** Tools that a search gives where nobody says how many, */
export const mcpFindTools = 5;
/** and at most. */
export const mcpFindToolsMax = 25;
/** Definitions that one search gives, in UTF-16 units; the first is given however long it is. */
export const mcpFindCharsMax = 128 * 1024;
/** Profiles whose search index is kept; the one that was asked longest ago goes first. */
export const mcpFindIndexesMax = 32;
/** Servers that the tool which finds tools names in its description. */
export const mcpFindServersNamedMax = 50;
