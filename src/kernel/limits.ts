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

/** Opened tenant keys that one key ring holds in memory, each 32 bytes. */
export const TENANT_KEYS_OPEN_MAX = 1024;
/** Size of a master key file in bytes; several hundred keys. */
export const MASTER_KEY_FILE_BYTES_MAX = 64 * KIB;
/** How long a change of the master key file waits for another process that is changing it, in milliseconds. */
export const MASTER_KEY_LOCK_WAIT_MS = 10_000;
/** Largest plaintext of one envelope in bytes. */
export const SEAL_PLAINTEXT_BYTES_MAX = MIB;

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
