/** The body of an answer, read to its end or to its limit, and decoded. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { AppError, limits } from '../../kernel/index.ts';

export interface Collected {
  readonly body: Buffer;
  /** Whether there was more. */
  readonly isCut: boolean;
}

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
 * @throws AppError `api_answer_coding`, `api_answer_malformed`, or why the body broke off
 */
export async function collect(source: Readable, coding: string, signal: AbortSignal): Promise<Collected> {
  const codings = coding
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'identity');
  const giveUp = (): void => {
    source.destroy(signal.reason instanceof Error ? signal.reason : new Error('nobody waits'));
  };
  signal.addEventListener('abort', giveUp, { once: true });
  const decoded = codings.toReversed().reduce<Readable>((body, one) => decode(body, one), source);
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of decoded.iterator({ destroyOnReturn: true })) {
      const data = Buffer.from(piece as Uint8Array);
      pieces.push(data);
      bytes += data.length;
      if (bytes > limits.apiAnswerBytesMax) break;
    }
  } catch (error) {
    throw isZlib(error) ? malformed(error) : error;
  } finally {
    signal.removeEventListener('abort', giveUp);
    source.destroy();
  }
  const body = Buffer.concat(pieces);
  return { body: body.subarray(0, limits.apiAnswerBytesMax), isCut: bytes > limits.apiAnswerBytesMax };
}

const isZlib = (error: unknown): boolean =>
  error instanceof Error &&
  'errno' in error &&
  'code' in error &&
  /^(?:Z_|ERR_|ZSTD_)/.test(String(error.code));

const malformed = (cause: unknown): AppError =>
  new AppError('api_answer_malformed', 'The answer is not encoded as it says.', {
    kind: 'unavailable',
    cause,
  });

function decode(body: Readable, coding: string): Readable {
  if (!isCoding(coding)) {
    body.destroy();
    throw new AppError(
      'api_answer_coding',
      `The answer is encoded as ${coding.slice(0, 40)}, which is not known.`,
      {
        kind: 'unavailable',
      },
    );
  }
  // Errors reach whoever reads the last stream.
  return pipeline(body, DECODERS[coding](), () => {});
}
