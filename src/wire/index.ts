/**
 * Wire: parsers of hostile bytes. Pure: no sockets, no clock, no state outside a call. Each gives either a value
 * in its one canonical form or the code of the reason why there is none.
 */
export {
  type AddressClass,
  addressBytes,
  addressFamily,
  canonicalAddress,
  classifyAddress,
  inNetworks,
  isNetwork,
} from './address.ts';
export { canonicalJson } from './canonical-json.ts';
export { type Authority, type AuthorityError, parseAuthority, parsePort } from './authority.ts';
export { type ClientHello, type ClientHelloError, parseClientHello } from './client-hello.ts';
export { type CookiePair, isCookieValue, parseCookiePairs } from './cookie.ts';
export {
  DNS_TYPE_A,
  DNS_TYPE_AAAA,
  type DnsAnswer,
  type DnsCode,
  type DnsError,
  type DnsQuery,
  type DnsTcpFrame,
  encodeDnsAnswer,
  encodeDnsFailure,
  frameDnsTcp,
  parseDnsQuery,
  readDnsTcpFrame,
} from './dns.ts';
export type { FormField, FormPiece, FormReader } from './form-pieces.ts';
export { decodeFormText, UrlencodedReader } from './form-urlencoded.ts';
export {
  type BodyFraming,
  type BodyOptions,
  BodyReader,
  type BodySink,
  CHUNK_END,
  encodeChunkSize,
  encodeFields,
  encodeLastChunk,
  encodeRequestHead,
  encodeResponseHead,
  Fields,
  HEAD_ENCODING,
  HeadReader,
  type Http1Reason,
  type RequestHead,
  type ResponseHead,
  requestFraming,
  requestHeadReader,
  responseFraming,
  responseHeadReader,
} from './http1/index.ts';
export { type HostnameError, matchHost, parseHostname } from './hostname.ts';
export {
  type JsonRpcEnvelope,
  type JsonRpcError,
  type JsonRpcId,
  memberText,
  parseJsonRpc,
  parseJsonRpcBatch,
  progressTokenText,
  withId,
  withIdText,
  withProgressTokenText,
} from './json-rpc.ts';
export {
  editJson,
  findJson,
  type JsonEdit,
  type JsonMember,
  type JsonPath,
  type JsonSpan,
  jsonItems,
  jsonMembers,
} from './json-span.ts';
export { isWithinMeasure, type JsonMeasure } from './json-measure.ts';
export { type JsonString, JsonStrings } from './json-strings.ts';
export { MultipartReader, multipartBoundary } from './multipart.ts';
export {
  fillPathTemplate,
  matchPathTemplate,
  parsePathTemplate,
  type PathTemplate,
  type PathTemplateError,
} from './path-template.ts';
export { checkJson, type JsonError, type JsonLimits, parseStrictJson } from './strict-json.ts';
export { matchPath, normalizeTarget, type Target, type TargetError } from './target.ts';
export {
  acceptInput,
  asksForWebSocket,
  type CloseStatus,
  encodeClose,
  encodeFrame,
  encodeFrameHead,
  type Extension,
  type FrameHead,
  type FrameReason,
  FrameReader,
  type FrameReaderOptions,
  type FrameSink,
  type HandshakeReason,
  isCloseCode,
  MASKING_KEY_BYTES,
  masked,
  OPCODE,
  type Opcode,
  type OutgoingFrame,
  parseClose,
  parseExtensions,
  parseProtocols,
  readWebSocketAnswer,
  readWebSocketRequest,
  type WebSocketOffer,
  type WebSocketRequest,
} from './websocket/index.ts';
