/**
 * Every limit of the product, named, with its unit. A limit that is not here does not exist;
 * a module that needs one adds it here rather than writing a number in its code.
 */
export const KIB = 1024;
export const MIB = 1024 * KIB;

/** How long a statement waits for another process that is writing to the database. */
export const storeBusyTimeoutMs = 5_000;
/** Compiled statements kept for the query builder. */
export const storeStatementsMax = 128;
/** A database file up to this size is checked page by page when it is opened; a larger one only on request. */
export const storeCheckAtOpenBytesMax = 16 * MIB;
/** Audit events that one read returns at most. */
export const auditPageEventsMax = 1_000;

/** Largest manifest or toolspec, in bytes. The largest real one is under 13 KiB. */
export const manifestBytesMax = 256 * KIB;
/** Deepest nesting of maps and lists in a manifest. The format itself needs 6 levels. */
export const manifestDepthMax = 24;
/** Longest placeholder that a manifest may ask for, in characters. */
export const placeholderCharsMax = 512;
/** Shortest placeholder, in characters: a shorter one could turn up in a request by chance. */
export const placeholderCharsMin = 16;
/** Least randomness of a placeholder, in bits. */
export const placeholderEntropyBitsMin = 64;

/** A request head, from its first byte to the empty line. */
export const requestHeadBytesMax = 32 * KIB;
/** A response head; upstreams send long cookies and policies. */
export const responseHeadBytesMax = 64 * KIB;
/** Header fields in one head or trailer section. */
export const headFieldsMax = 128;
/** A trailer section, all lines. */
export const trailerBytesMax = 8 * KIB;
/** A chunk-size line, its extensions included. */
export const chunkLineBytesMax = 256;

/** Workspaces whose opened tenant keys one key ring holds in memory, 32 bytes a key. */
export const tenantKeysOpenMax = 1024;
/** Size of a master key file in bytes; several hundred keys. */
export const masterKeyFileBytesMax = 64 * KIB;
/** How long a change of the master key file waits for another process that is changing it, in milliseconds. */
export const masterKeyLockWaitMs = 10_000;
/** Largest plaintext of one envelope in bytes. */
export const sealPlaintextBytesMax = 1024 * KIB;

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
/** How long a server may take from its start to its answer to `initialize`, in milliseconds. */
export const mcpInitializeMs = 30_000;
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
/** How long a POST may wait for its answer before it is answered as an event stream, in milliseconds. */
export const mcpStreamAfterMs = 5_000;
/** Messages in one JSON-RPC batch. */
export const mcpBatchMax = 100;
/** Longest tool or prompt name that every client accepts, in characters. */
export const mcpNameCharsMax = 64;
/** Pages that are fetched of one listing of one server. */
export const mcpListPagesMax = 200;
/** Of a server's stderr, how much an error shows, in characters. */
export const mcpStderrShownCharsMax = 1500;

/** A host name as it arrives, before IDNA shortens or lengthens it, in characters. */
export const hostnameRawCharsMax = 1024;
/** A host name in A-label form without the trailing dot, in characters (RFC 1035). */
export const hostnameCharsMax = 253;
/** One label of a host name, in characters (RFC 1035). */
export const hostnameLabelCharsMax = 63;
/** A request target, path and query together, in characters. */
export const targetCharsMax = 16 * KIB;
/** A whole TLS ClientHello message, in bytes; post-quantum key shares need about 2 KiB. */
export const clientHelloBytesMax = 16 * KIB;
/** TLS records that it may be cut into. Programs use one or two; it is put together anew whenever more of it arrives. */
export const clientHelloRecordsMax = 256;
/** Extensions in one ClientHello. */
export const clientHelloExtensionsMax = 64;
/** A DNS query, in bytes; a question and an EDNS record need fewer than 300. */
export const dnsQueryBytesMax = 512;
/** A DNS answer over UDP to a client that did not ask for more, in bytes (RFC 1035). */
export const dnsUdpAnswerBytesMax = 512;
/** The UDP payload size that we announce in EDNS, in bytes (RFC 9715 recommends at most 1232). */
export const dnsEdnsPayloadBytesMax = 1232;
/** A JSON text, in characters; a JSON-RPC line with its payload in base64 must fit. */
export const jsonTextCharsMax = 16 * MIB;
/** Nesting of arrays and objects in a JSON text. */
export const jsonDepthMax = 128;
/** One number in a JSON text, in characters. */
export const jsonNumberCharsMax = 1024;

/** Memory of a cell's processes together, in MiB, where the manifest says nothing. */
export const cellMemoryDefaultMiB = 4096;
/**
 * What one process may reserve beyond that, in MiB. V8 reserves about 600 MiB for each thread of a Node server, used or
 * not, and a limit of a process counts what is reserved.
 */
export const cellMemoryReservedMiB = 1024;
/** Processes and threads of a cell together, where the manifest says nothing. A Node process has about eleven. */
export const cellProcessesDefault = 256;
/** Open descriptors of one process of a cell, where the manifest says nothing. */
export const cellOpenFilesDefault = 1024;
/** Size of a cell's `/tmp` and of its home, each, in MiB, where the manifest says nothing. */
export const cellDiskDefaultMiB = 256;
/** Size of a cell's `/dev/shm`, in MiB. */
export const cellSharedMemoryMiB = 64;
/** TCP ports that one cell may have listeners for. */
export const cellTcpPortsMax = 64;
/** How long a cell's set-up may take until its listeners are handed over. About 40 ms on an idle machine. */
export const cellSetupTimeoutMs = 20_000;
/** How long a killed cell may take to be gone before that is an error. */
export const cellKillTimeoutMs = 10_000;
/** The end of a cell's stderr that is kept to explain its exit, in bytes. */
export const cellStderrTailBytes = 4 * KIB;
/** How long the installation of one package may take. */
export const packageInstallTimeoutMs = 600_000;
/** The end of an installer's output that an error quotes, in lines. */
export const packageInstallTailLines = 15;
/** Files and folders in one installed package tree. The largest catalog server has about 20,000. */
export const packageEntriesMax = 200_000;

/** How far back a certificate begins to be valid, for clients whose clock is behind. */
export const certificateClockSkewMs = 24 * 60 * 60 * 1_000;
/** A cell's root outlives every cell; its key is only in memory. */
export const cellRootValidityMs = 825 * 24 * 60 * 60 * 1_000;
/** A leaf, renewed at half of it. Below the 398 days that clients accept. */
export const cellLeafValidityMs = 90 * 24 * 60 * 60 * 1_000;
/** Leaves that a cell keeps; a wildcard rule can ask for any number of names. */
export const cellLeafCertificatesMax = 256;
/** How many times one rotation looks through all rows for such as were added meanwhile. */
export const rotationPassesMax = 16;

/** Longest secret value, in bytes. */
export const secretBytesMax = 64 * KIB;
/** Most events that one `audit tail` gives. */
export const auditTailMax = 10_000;

/** Names that one cell may have been told addresses for; a wildcard rule can ask for any number. */
export const cellNamesMax = 4_096;
/** How long a cell's resolver lets a program keep an answer. */
export const cellDnsTtlSeconds = 60;
/** Connections from one cell at a time, DNS over TCP included. */
export const cellConnectionsMax = 1_024;
/** Connections to upstreams that one workspace keeps open and idle for one place. */
export const upstreamIdleConnectionsMax = 256;
/** The same for all places together; a wildcard rule can ask for any number. */
export const upstreamIdleTotalMax = 512;
/** How long an idle connection to an upstream is kept; most servers close theirs after 60 s or more. */
export const upstreamIdleTimeoutMs = 15_000;
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
/** A connection from a cell on which nothing is going on. */
export const egressIdleTimeoutMs = 75_000;
/** A request or response body that has stopped moving. Event streams with longer pauses exist; they reconnect. */
export const egressBodyIdleTimeoutMs = 300_000;
/** Name resolution, connection (all addresses together), a proxy's answer and TLS handshake towards an upstream, each. */
export const upstreamConnectTimeoutMs = 15_000;
/** From the end of a request until the head of its answer: some APIs think for minutes. */
export const upstreamHeadTimeoutMs = 600_000;
/** Addresses of one name that are tried for one connection. */
export const upstreamAddressesMax = 8;
/** A request body that has to be seen whole because a credential goes into it. */
export const requestBodyBufferBytesMax = 8 * MIB;
/** All such bodies of one cell together. */
export const cellBodyBytesMax = 64 * MIB;
/** Answers over HTTP/2 of one cell that it has not read, together: as much as 512 streams may send at once. */
export const cellAnswerBytesMax = 128 * MIB;
/** Interim (1xx) answers before one final answer. */
export const interimResponsesMax = 16;
/** What may still arrive of a request that was answered early, before the connection is cut. */
export const requestDrainBytesMax = 16 * MIB;
/** Values, rotated ones included, that the answers to one cell are searched for. */
export const cellKnownSecretsMax = 64;
/** How often deadlines are looked at. */
export const egressSweepIntervalMs = 1_000;

/** Seconds without a call after which a cell is reaped, where nothing else is configured. */
export const cellIdleSeconds = 600;
/** Lines of a server's stderr that are kept for `server logs`. */
export const serverLogLinesMax = 2_000;
/** Longest line of a server's stderr that is kept, in characters. */
export const serverLogLineCharsMax = 4 * KIB;
/** The first pause after a cell died on its own, in milliseconds; doubled with each death in a row. */
export const cellBackoffMs = 500;
/** The longest such pause, in milliseconds. */
export const cellBackoffMsMax = 60_000;
/** The end of a cell's stderr that an error quotes, in lines. */
export const cellStderrTailLines = 20;
/** How often idle cells are looked for, in milliseconds. */
export const cellReapIntervalMs = 5_000;
/** A cell that lived at least this long did not fail at its start: the back-off begins anew. In milliseconds. */
export const cellHealthyMs = 10_000;

/** One audit event in canonical form, in UTF-16 code units. */
export const auditEventCharsMax = 64 * KIB;
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
/** How long a client may take to send the head of its request to the gateway's own listener, in milliseconds. */
export const frontHeadTimeoutMs = 15_000;

/** Longest credential value, in bytes. The largest real ones are service accounts and keys of a few KiB. */
export const credentialBytesMax = 64 * KIB;
/** Credentials of one workspace, every user's own ones included: their index is one envelope. */
export const credentialsPerWorkspaceMax = 4_000;
/** Opened credential indexes that are kept in memory. */
export const credentialIndexesCachedMax = 1_024;
/** How often a change of a credential is tried while other processes are faster. */
export const credentialChangeAttemptsMax = 16;

/** Shortest value that answers are scrubbed of, in bytes: a shorter one would be found everywhere. */
export const scrubValueBytesMin = 4;
/** Fewest certain base64 characters that are looked for: fewer are found in any base64 by accident. */
export const scrubBase64CharsMin = 6;
/** Longest window of the scrubber's skip table, in bytes; more would be slower to build and no faster to scan. */
export const scrubWindowBytesMax = 64;
/** Content codings that may be applied to one body on top of each other. */
export const contentCodingsMax = 3;
/** Window that a zstd body may ask for, as a power of two; RFC 9659 allows 8 MiB. */
export const zstdWindowLogMax = 23;
/** Decoded bytes of a body that are passed whatever its coded size, in bytes. */
export const decodedFreeBytes = 64 * MIB;
/** Decoded bytes per coded byte beyond that; plain text reaches 100, a bomb a thousand and more. */
export const decodedRatioMax = 512;
/** Frames that a zstd body may have whatever its size. */
export const zstdFramesFree = 128;
/** Coded bytes per zstd frame beyond that: each frame costs about 0.1 ms, however little it holds. */
export const zstdFrameBytesMin = 1024;
/** How often changes of the store by other processes are looked for, in milliseconds. A kill switch that this process set cuts at once. */
export const storeWatchIntervalMs = 500;

/** Verified tokens that are remembered, so that their slow hash is computed once. */
export const tokensVerifiedMax = 10_000;
/** Slow hashes computed at once: each takes 19 MiB and one thread of the pool. */
export const tokenHashesAtOnceMax = 2;
/** Tokens that wait for their slow hash, of one address and of all that have a turn; more are turned away. */
export const tokenHashesWaitingMax = 256;
/** Bad tokens that one address may present in a row. */
export const tokenFailuresMax = 20;
/** How long it takes until an address may present one more, in milliseconds. */
export const tokenFailureRefillMs = 3_000;
/** Addresses whose failures are counted; the one longest quiet is forgotten first. */
export const tokenFailureAddressesMax = 10_000;
/** How exactly the last use of a token is recorded, in milliseconds. */
export const tokenLastUsedStepMs = 60_000;
/** Longest name of an agent, in characters. */
export const agentNameCharsMax = 100;
/** An installer's output that is kept to find out why it failed, in lines. */
export const packageInstallLinesMax = 400;
/** How much of a body is searched at a time, in bytes: the next has to wait for everybody else's turn. */
export const bodySliceBytes = 128 * KIB;
/** Longest name of a form's field that says which method is meant, blanks and escapes included, in bytes. */
export const methodNameBytesMax = 256;
/** How far behind it its value is looked for, in bytes. */
export const methodFieldBytesMax = 2 * KIB;
/** A request body up to this size is read before anything is sent, so that it is judged as a whole. */
export const requestBodyWaitBytesMax = 64 * KIB;

/** Findings about one manifest that are kept; more help nobody, and a hostile file must not make a huge answer. */
export const manifestFindingsMax = 100;
/** Each text of a finding, in characters. */
export const manifestFindingCharsMax = 1_000;
/** Longest path prefix in a manifest, in characters. */
export const manifestPathCharsMax = 512;
/** How far away, in events, a verification looks for the place that an event was moved from. */
export const auditMovedEventsMax = 32;

/** Questions of one cell that wait for a resolution outside, where a manifest wants true addresses. */
export const cellDnsWaitingMax = 64;
/** Answers over DNS on TCP that a program has not read, in bytes, before its connection is cut. */
export const dnsUnreadBytesMax = 256 * KIB;
/** Longest name of a credential, and longest id of its owner, in characters. */
export const credentialNameCharsMax = 256;

/** Files and folders of one granted folder that are searched for sockets before a cell starts. */
export const grantEntriesMax = 20_000;

/** How long after its start a cell may use credentials that are for calls only, as long as no call has begun, in milliseconds. */
export const cellStartUpMs = 30_000;
/** How long a call that has ended still counts: servers finish their work late. In milliseconds. */
export const callGraceMs = 2_000;
/** Tools of one cell of which it is remembered when a call of theirs ended last. */
export const cellEndedToolsMax = 64;

/** Requests that one probe of a server makes; more places and hosts than that are reported as not asked. */
export const probeRequestsMax = 100;
/** Of those, how many at a time. */
export const probeRequestsAtOnce = 4;
/** One request of a probe, from the resolution of the name to the last byte that is looked at, in milliseconds. */
export const probeRequestTimeoutMs = 20_000;
/** Of the answer to a probe, how much is looked at, decoded, in bytes. */
export const probeAnswerBytesMax = 256 * KIB;
/** Places and encodings of one answer that are told apart. */
export const probeEchoesMax = 64;
/** Names below wildcards that one probe may be told to ask. */
export const probeHostsMax = 32;
/** Of a tool's name, how much an event about a request shows, in characters. */
export const toolNameShownCharsMax = 128;

/** HTTP/2 requests that one connection may have open at a time, towards cells and towards upstreams. */
export const http2StreamsMax = 100;
/** What one HTTP/2 stream may send before it is read: large enough that a body is not slowed by round trips. */
export const http2WindowBytes = 262_144;
/** HPACK table of one HTTP/2 connection, each way. */
export const http2HeaderTableBytes = 4_096;
/** Memory that one HTTP/2 connection may take in nghttp2. */
export const http2SessionMemoryMiB = 10;
/** The same towards an upstream, where requests wait to be read: beyond it, no answer is taken on the connection. */
export const http2UpstreamMemoryMiB = 32;
/** Of a body that is all there, what is handed to an HTTP/2 stream at a time, in bytes. */
export const http2PieceBytes = 65_536;
/** Entries in one HTTP/2 SETTINGS frame. */
export const http2SettingsMax = 32;
/** HTTP/2 pings of ours that may wait for an answer. */
export const http2PingsMax = 10;
/** HTTP/2 frames against the protocol after which a connection is ended. */
export const http2InvalidFramesMax = 100;
/** HTTP/2 streams over the limit after which a connection is ended. */
export const http2RejectedStreamsMax = 100;
/** HTTP/2 streams that a client may open and reset at once, and per second after that (CVE-2023-44487). */
export const http2ResetBurst = 200;
export const http2ResetsPerSecond = 33;

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
/** Connections of one cell that a client has logged in on and that are kept for that client alone. */
export const cellLoginConnectionsMax = 32;
/** Certificates of an upstream's chain, its root included. */
export const certificateChainMax = 16;

/** A form field that may hold a placeholder is kept up to this size, in bytes; a longer one holds none that is declared. */
export const formFieldHeldBytesMax = 4 * KIB;
/** The head of one part of a multipart body, in bytes. */
export const multipartHeadBytesMax = 4 * KIB;

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
/** How long another process may take to bring a dead gateway's journals into the chain, in milliseconds. */
export const auditJournalLockWaitMs = 30_000;
/** Pages of the write-ahead log after which the audit log's writer moves them into the database. */
export const auditCheckpointPages = 4_000;
/** The same for everybody else, which is more: it stops their thread for as long as the disk takes. */
export const storeCheckpointPages = 16_000;
/** Opened values of credentials that are kept in memory. */
export const vaultOpenedMax = 1_024;
/** How long an opened value is kept in memory, in milliseconds, whether or not it is used. */
export const vaultOpenedTtlMs = 10_000;
/** How old what is known of other processes' changes may be, in milliseconds. What this process changed is seen at once. */
export const storeRevisionGlanceMs = 5;
/**
 * How long caches go by the store's own counter of changes alone, in milliseconds, while others commit. After that
 * they read anew, because somebody who writes to the file can turn the counter back.
 */
export const storeRevisionTrustMs = 5_000;

/** One frame of a WebSocket, in bytes; what a server's own library takes is usually less. */
export const webSocketFrameBytesMax = 100 * MIB;
/** A frame of a WebSocket up to this size is passed on as one, in bytes; a longer one in several, as it comes. */
export const webSocketPieceBytes = 64 * KIB;
/** A WebSocket on which nothing comes or goes, pings included, in milliseconds. */
export const webSocketIdleTimeoutMs = 300_000;
/** How long the other side of a WebSocket has to answer a Close, in milliseconds. */
export const webSocketCloseTimeoutMs = 10_000;
/** Pings, pongs and empty fragments that one side of a WebSocket may send at once, and per second after that. */
export const webSocketControlBurst = 200;
export const webSocketControlPerSecond = 50;
/** What a WebSocket frame counts for, in bytes, where less than a third of that is in it. */
export const webSocketFrameOverheadBytes = 8;
/** Pings of an upstream that wait for their answer and are remembered. */
export const webSocketPingsKept = 16;
/** How often it is told that keys were found in an answer that has not ended, in milliseconds. */
export const hitsToldIntervalMs = 60_000;

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
/** Characters that are told of the id of an audit journal that no journal can have. */
export const auditJournalNameShownChars = 64;
/** Small pieces of one HTTP/2 stream that are put together within one turn of the event loop, in bytes. */
export const http2GatheredBytesMax = 64 * KIB;

/** Connections to upstreams that one cell may have in use, or have made for it, at a time; those that several use are not counted. */
export const cellUpstreamsMax = 512;
/** Requests of one cell that wait for one of those to become free, */
export const cellUpstreamsWaitingMax = 1_024;
/** and for how long, in milliseconds. */
export const cellUpstreamWaitMs = 15_000;
/** Connections to one place that are made at a time for the cells of a workspace, as many as may be kept; requests that find none wait. */
export const upstreamDialsMax = 256;
/** Of the descriptors that the process may have, the part that connections never take: for files, databases and new cells. */
export const descriptorsSparedShare = 0.1;
/** Of the others, the part that any cell may take; beyond it no cell gets more than its even part, or than that many. */
export const descriptorsFreeShare = 0.85;
export const cellDescriptorsMin = 16;
/** How often it is told that no descriptors are left, in milliseconds. */
export const descriptorsToldIntervalMs = 60_000;

/**
 * What one HTTP/2 connection may send besides heads and bodies (pings, settings, window updates, padding) at once, in bytes,
 * and per second after that. As much again comes on account of each byte of a head or body, up to the last.
 */
export const http2OverheadBytes = 8 * KIB;
export const http2OverheadBytesPerSecond = 4 * KIB;
export const http2OverheadCreditBytesMax = 64 * KIB;
/** The same for all connections of a cell, beyond what each has, and around chunks of HTTP/1.1 that are smaller than that. */
export const cellOverheadBytes = 1 * MIB;
export const cellOverheadBytesPerSecond = 256 * KIB;
/** What a header field, a frame, or a window update takes besides what is in it, about, in bytes. */
export const http2FieldBytes = 16;
/** Lines of the operational log that could not be written yet, in bytes; what is more is lost. */
export const logUnwrittenBytesMax = 1 * MIB;

/* Installing packages. */
/** Memory of the cell that installs a package, MiB: npm holds the whole tree of a large one, and scripts may compile. */
export const packageInstallMemoryMiB = 2_048;
/** Everything that one installation may write, what it fetched among it, in bytes. */
export const packageInstallBytesMax = 2 * 1024 * MIB;
/** How often the room on the disk is looked at while a package is installed, in milliseconds. */
export const packageRoomIntervalMs = 250;
/** Every so many of these looks, the folder itself is measured. */
export const packageRoomLooksPerMeasure = 40;
/** An installation ends when no more room is left on the disk than this, or a quarter of what there was, in bytes. */
export const packageRoomLeftBytesMin = 1024 * MIB;
/** Bytes of a path within a package; the system's own bound is 4,096, with the folder's around it. */
export const packagePathBytesMax = 2_048;
/** What an installer may say at once, and for long, in bytes; it waits when that is used up. */
export const packageInstallOutputBurstBytes = 1 * MIB;
export const packageInstallOutputBytesPerSecond = 128 * KIB;
/** Characters of an installer's output that are one line at most. */
export const packageInstallLineCharsMax = 4_096;
/** Connections that an install cell may have to the gateway where that plays its registry; npm opens 15. */
export const packageAnswerConnectionsMax = 32;
/** How long nothing may be sent on one of them, in milliseconds. */
export const packageAnswerIdleMs = 60_000;
/** Hosts that an installation wanted to reach and could not, of which an error may speak. */
export const packageUnreachedMax = 20;
/** Archives that one installation may be given, and bytes of each, packed and unpacked. */
export const packageArchivesMax = 2_000;
export const packageArchiveBytesMax = 512 * MIB;
/** Bytes of one `package.json`. */
export const packageManifestBytesMax = 4 * MIB;
/** Files larger than this are hashed in pieces, in bytes. */
export const packageHashedWholeBytesMax = 4 * MIB;
/** Bytes of a lockfile: a large package has 2,000 parts with some 500 bytes for each. */
export const packageLockfileBytesMax = 16 * MIB;
/** Bytes of pip's report of what it installed, which has every package's whole description in it. */
export const packageReportBytesMax = 64 * MIB;
/** How long a package is kept that no server names any more, since it was last used, in milliseconds. */
export const packageUnusedKeptMs = 60 * 60 * 1_000;
/** How often packages are looked for that no server names any more, in milliseconds. */
export const packageCollectIntervalMs = 60 * 60 * 1_000;

/** How long a server may take to end once its input is closed, and again after SIGTERM, where nothing else is configured, in seconds. */
export const cellStopSeconds = 2;
export const cellStopSecondsMax = 60;

/* Limits of a cell as a whole, where no control group holds them. */
/** How often it is looked at what the processes of cells take together, in milliseconds. */
export const cellWatchIntervalMs = 1_000;
/** For how long a cell may keep more processors busy than its manifest says, in milliseconds. */
export const cellCpuWindowMs = 60_000;
/** How long systemd may take to answer, and then to do what it was asked for, in milliseconds. */
export const systemdAnswerMs = 2_000;
/** What of a cell's stderr is kept at once, in bytes, and per second after that; what is more is left out. */
export const serverLogBurstBytes = 64 * KIB;
export const serverLogBytesPerSecond = 16 * KIB;
/** How long a cell that writes more is not read then, in milliseconds. */
export const serverLogPauseMs = 10;
/** A server's log on disk, in bytes; when it is longer, a new file is begun, and the one before it is kept. */
export const serverLogFileBytesMax = 2 * MIB;
/** How long lines wait to be written together, in milliseconds. */
export const serverLogFlushMs = 100;
/** How often a log that somebody follows is looked at, in milliseconds. */
export const serverLogPollMs = 200;
/** How long the end of a cell waits for the last of its stderr, in milliseconds. */
export const cellStderrDrainMs = 1_000;

/* What the doctor takes for enough. */
/** How long it waits for a name, or for a program of the system, in milliseconds. */
export const doctorWaitMs = 3_000;
/** How many hosts of servers it asks for. */
export const doctorNamesMax = 8;
/** How far behind what was written last the clock may be, in milliseconds. */
export const doctorClockSlackMs = 60_000;
/** Free bytes of the home's disk below which nothing works for long, and below which it is said. */
export const doctorDiskBytesMin = 64 * MIB;
export const doctorDiskBytesScarce = 1_024 * MIB;
/** Files that can still be made there. */
export const doctorDiskFilesMin = 1_000;
/** Descriptors that the process may have: below the first no cell gets far, below the second a few do. */
export const doctorDescriptorsMin = 256;
export const doctorDescriptorsScarce = 4_096;

/* A command of `sallyport run`, which is the user's own. */
/** Processes and threads. */
export const runProcessesMax = 4_096;
/** Open files of each of its processes, where this process may have as many. */
export const runOpenFilesMax = 8_192;
/** Size of `/tmp`, of the home and of any one file that it writes, as a share of the machine's memory. */
export const runDiskShare = 0.25;
/** How often it is tried to pass on a signal that came before the command was there, in milliseconds. */
export const runSignalRetryMs = 20;

/* Cells that wait to be told what they are. */
/** Prepared cells that are kept ready, all together, where nothing else is configured; 0: none. */
export const preparedCells = 2;
export const preparedCellsMax = 64;
/** As many of a kind are kept ready as were wanted within so long, in milliseconds, */
export const preparedDemandMs = 60_000;
/** and one as long as it was wanted within so long. */
export const preparedKeepMs = 10 * 60_000;
/** A prepared cell that waited so long is made anew: what it was made of (the system's programs) may have been replaced since. */
export const preparedAgeMsMax = 10 * 60_000;
/** How long after a start the next one is prepared, so as not to take the processor from the server that starts. */
export const preparedDelayMs = 150;
/** Between two that are prepared. */
export const preparedPauseMs = 20;
/** How often it is looked whether fewer will do. */
export const preparedLookMs = 30_000;
/** Failures in a row after which none is prepared for a while, */
export const preparedFailuresMax = 3;
/** and for how long, in milliseconds. */
export const preparedRestMs = 60_000;

/* What the kernel has for each user of the machine, and a cell only a part of. */
/** Instances of inotify; a program that watches files has one as a rule. The kernel's usual limit for a user is 128. */
export const cellWatchersMax = 16;
/** Timers and signals that wait to be delivered. */
export const cellSignalsMax = 1_024;
/** Memory that is kept from being swapped out, in bytes. */
export const cellLockedMemoryBytes = 1 * MIB;

/* What `sallyport run` looks at besides the command. */
/** Files and folders of one writable folder that are looked through for repositories, before and after. */
export const runEntriesMax = 100_000;
/** A configuration of git is read up to this size, in bytes. */
export const runGitConfigBytesMax = 1 * MIB;
/** Paths that are named when a command made several. */
export const runMadeNamedMax = 20;
/** How long the outputs of a program that has ended wait for somebody to read them, in milliseconds. */
export const cellOutputUnreadMs = 1_000;
