/** What one message, frame or text of somebody outside may be. */
import { KIB, MIB } from './size.ts';

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
/** Interim (1xx) answers before one final answer. */
export const interimResponsesMax = 16;
/** Answers over DNS on TCP that a program has not read, in bytes, before its connection is cut. */
export const dnsUnreadBytesMax = 256 * KIB;
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
/** A form field that may hold a placeholder is kept up to this size, in bytes; a longer one holds none that is declared. */
export const formFieldHeldBytesMax = 4 * KIB;
/** The head of one part of a multipart body, in bytes. */
export const multipartHeadBytesMax = 4 * KIB;
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
/** Small pieces of one HTTP/2 stream that are put together within one turn of the event loop, in bytes. */
export const http2GatheredBytesMax = 64 * KIB;
/**
 * What one HTTP/2 connection may send besides heads and bodies (pings, settings, window updates, padding) at once, in bytes,
 * and per second after that. As much again comes on account of each byte of a head or body, up to the last.
 */
export const http2OverheadBytes = 8 * KIB;
export const http2OverheadBytesPerSecond = 4 * KIB;
export const http2OverheadCreditBytesMax = 64 * KIB;
/** What a header field, a frame, or a window update takes besides what is in it, about, in bytes. */
export const http2FieldBytes = 16;
