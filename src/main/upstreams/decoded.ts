/** The body of an answer that came encoded: the data plane decodes what it has to search, and leaves the rest as it is. */
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { AppError, limits } from '../../kernel/index.ts';

const DECODERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
} as const;

const isCoding = (coding: string): coding is keyof typeof DECODERS => Object.hasOwn(DECODERS, coding);

/**
 * @param coding of the whole, `gzip`, or a list of them
 * @throws AppError `api_answer_coding`
 */
export function decoded(source: Readable, coding: string): Readable {
  const codings = coding
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'identity');
  // Each is a stream with buffers of its own, and each may make a thousand bytes of one for the next.
  if (codings.length > limits.contentCodingsMax) throw unknownCoding(source, `${codings.length} codings`);
  return codings.toReversed().reduce<Readable>((body, one) => decode(body, one), source);
}

function decode(body: Readable, coding: string): Readable {
  if (!isCoding(coding)) throw unknownCoding(body, coding);
  // Errors reach whoever reads the last stream.
  return pipeline(body, DECODERS[coding](), () => {});
}

function unknownCoding(body: Readable, coding: string): AppError {
  body.destroy();
  return new AppError(
    'api_answer_coding',
    `The answer is encoded as ${coding.slice(0, 40)}, which is not known.`,
    { kind: 'unavailable' },
  );
}
