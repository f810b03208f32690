/** Why nghttp2 and Node give a connection up, in words that stay: for the audit log. */

/** `protocol` is whatever nghttp2 says no more about: what breaks the protocol, and too many resets or frames of no use. */
export type AbuseReason =
  | 'protocol'
  | 'flow_control'
  | 'stream_closed'
  | 'continuations'
  | 'invalid_frames'
  | 'streams_rejected'
  | 'unread'
  | 'overhead';

/** Error codes of nghttp2 (`nghttp2.h`), which are stable. */
const BY_NUMBER: ReadonlyMap<number, AbuseReason> = new Map([
  [-510, 'stream_closed'],
  [-524, 'flow_control'],
  [-902, 'streams_rejected'], // Node's own refusal, in the middle of reading a header list
  [-904, 'unread'],
  [-905, 'continuations'],
]);

/** @returns null where the connection ended otherwise: the client left, or said that it gives up */
export function abuseOf(error: Error): AbuseReason | null {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES') return 'invalid_frames';
  if (code !== 'ERR_HTTP2_ERROR') return null;
  const number = 'errno' in error && typeof error.errno === 'number' ? error.errno : 0;
  return BY_NUMBER.get(number) ?? 'protocol';
}
