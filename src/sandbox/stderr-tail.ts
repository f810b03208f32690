/** Keeps the end of a stream's text while somebody else may read the stream. */
import { PassThrough, type Readable } from 'node:stream';

export interface Tail {
  /** What came last, as text; before it the last line that matters, where that is not in it. */
  text(): string;
  /** From now on what comes also goes to the returned stream; what came before does not. */
  open(): Readable;
}

/** How much may come after a line that matters until it is forgotten: whoever wrote it lived on. */
const LINE_REMEMBERED_BYTES = 256 * 1024;
/** A line that matters is looked for across chunks as far as this. */
const CARRIED_CHARS = 256;

/**
 * @param bytesMax how much of the end is kept
 * @param matters matches, with the flag `m`, a line that is kept although more comes after it than `bytesMax`
 */
export function tapTail(source: Readable, bytesMax: number, matters?: RegExp): Tail {
  let kept: Buffer = Buffer.alloc(0);
  let carried = '';
  let line: { readonly text: string; bytesSince: number } | null = null;

  const look = (chunk: Buffer, pattern: RegExp): void => {
    const text = carried + chunk.toString('latin1');
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) line = { text: found.slice(0, CARRIED_CHARS), bytesSince: 0 };
    else if (line !== null) line.bytesSince += chunk.length;
    if (line !== null && line.bytesSince > LINE_REMEMBERED_BYTES) line = null;
    carried = text.slice(text.lastIndexOf('\n') + 1).slice(-CARRIED_CHARS);
  };

  source.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-bytesMax);
    if (matters !== undefined) look(chunk, matters);
  });
  return {
    text() {
      const tail = kept.toString('utf8');
      return line === null || tail.includes(line.text) ? tail : `${line.text}\n${tail}`;
    },
    open: () => source.pipe(new PassThrough()),
  };
}
