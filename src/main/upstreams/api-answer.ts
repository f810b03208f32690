/** The body of an answer, read to its end or to its limit, and decoded. */
import type { Readable } from 'node:stream';
import { AppError, limits } from '../../kernel/index.ts';
import { decoded } from './decoded.ts';

export interface Collected {
  readonly body: Buffer;
  /** Whether there was more. */
  readonly isCut: boolean;
}

/**
 * @param coding of the whole, `gzip`, or a list of them
 * @throws AppError `api_answer_coding`, `api_answer_malformed`, or why the body broke off
 */
export async function collect(source: Readable, coding: string, signal: AbortSignal): Promise<Collected> {
  const giveUp = (): void => {
    source.destroy(signal.reason instanceof Error ? signal.reason : new Error('nobody waits'));
  };
  signal.addEventListener('abort', giveUp, { once: true });
  const decodedBody = decoded(source, coding);
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of decodedBody.iterator({ destroyOnReturn: true })) {
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
