/** Why nghttp2 and Node give a connection up, in words that stay: for the audit log. */

/** `unread` and `resets` come as `protocol` too, where nghttp2 says no more. */
export type AbuseReason =
  | 'protocol'
  | 'flow_control'
  | 'frame_size'
  | 'compression'
  | 'stream_closed'
  | 'continuations'
  | 'invalid_frames'
  | 'streams_rejected'
  | 'unread'
  | 'settings'
  | 'overhead';

/** Error codes of nghttp2 (`nghttp2.h`), which are stable. */
const BY_NUMBER: ReadonlyMap<number, AbuseReason> = new Map([
  [-510, 'stream_closed'],
  [-522, 'frame_size'],
  [-523, 'compression'],
  [-524, 'flow_control'],
  [-537, 'settings'],
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
