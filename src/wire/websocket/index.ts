export { type CloseStatus, encodeClose, isCloseCode, parseClose } from './close.ts';
export { type Extension, parseExtensions, parseProtocols } from './extensions.ts';
export {
  encodeFrame,
  encodeFrameHead,
  type FrameHead,
  MASKING_KEY_BYTES,
  masked,
  OPCODE,
  type Opcode,
  type OutgoingFrame,
} from './frame.ts';
export { FrameReader, type FrameReaderOptions, type FrameSink } from './frame-reader.ts';
export {
  acceptInput,
  asksForWebSocket,
  readWebSocketAnswer,
  readWebSocketRequest,
  type WebSocketOffer,
  type WebSocketRequest,
} from './handshake.ts';
export type { FrameReason, HandshakeReason } from './reasons.ts';
