/** Keeps the end of a stream's text while somebody else may read the stream. */
import { PassThrough, type Readable } from 'node:stream';

export interface Tail {
  /** What came last, as text. */
  text(): string;
  /** From now on what comes also goes to the returned stream; what came before does not. */
  open(): Readable;
}

/** @param bytesMax how much of the end is kept */
export function tapTail(source: Readable, bytesMax: number): Tail {
  let kept: Buffer = Buffer.alloc(0);
  source.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-bytesMax);
  });
  return {
    text: () => kept.toString('utf8'),
    open: () => source.pipe(new PassThrough()),
  };
}
