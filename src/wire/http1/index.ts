export { type BodyOptions, BodyReader, type BodySink } from './body.ts';
export {
  CHUNK_END,
  encodeChunkSize,
  encodeFields,
  encodeLastChunk,
  encodeRequestHead,
  encodeResponseHead,
  HEAD_ENCODING,
} from './encode.ts';
export { Fields } from './fields.ts';
export { type BodyFraming, requestFraming, responseFraming } from './framing.ts';
export { HeadReader, requestHeadReader, responseHeadReader } from './head.ts';
export type { Http1Reason } from './reasons.ts';
export type { RequestHead, ResponseHead } from './start-line.ts';
