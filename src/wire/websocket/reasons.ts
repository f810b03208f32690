/** Why bytes are not a WebSocket as RFC 6455 has it. Each is the end of the connection, never a repair. */

export type FrameReason =
  | 'reserved_bits' /** RSV1-3: no extension is ever agreed on */
  | 'opcode_unknown'
  | 'mask_missing' /** a client's frame */
  | 'mask_forbidden' /** a server's frame */
  | 'control_fragmented'
  | 'control_too_long' /** above 125 bytes */
  | 'continuation_unexpected' /** of no message */
  | 'continuation_missing' /** a new message within another */
  | 'length_not_minimal'
  | 'length_invalid' /** the highest of 64 bits is set */
  | 'frame_too_large'
  | 'frame_after_close'
  | 'text_not_utf8'
  | 'close_payload_invalid' /** one byte */
  | 'close_code_invalid'
  | 'close_reason_not_utf8';

export type HandshakeReason =
  | 'method_not_get'
  | 'http_version_too_old'
  | 'upgrade_not_websocket'
  | 'connection_not_upgrade'
  | 'body_declared' /** one of two readers would take frames for it; `Content-Length: 0` in an answer declares none */
  | 'key_invalid' /** not base64 of 16 bytes, none, or several */
  | 'version_unsupported' /** not 13, none, or several */
  | 'protocol_invalid'
  | 'extension_invalid'
  | 'status_not_101'
  | 'accept_mismatch'
  | 'protocol_not_offered'
  | 'extension_not_offered';
