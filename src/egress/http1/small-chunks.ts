/**
 * Puts small chunks of a body together that came in one read. Everything behind the codec costs per piece, and nothing
 * stops a sender from writing chunks of one byte: a few MiB of those would take the event loop for seconds.
 */
import { limits } from '../../kernel/index.ts';
import type { BodyReader, BodySink } from '../../wire/index.ts';

class SmallChunks implements BodySink {
  /** Of the body. */
  bytes = 0;
  readonly #sink: BodySink;
  #pieces: Buffer[] = [];

  constructor(sink: BodySink) {
    this.#sink = sink;
  }

  onBody(data: Buffer): void {
    this.bytes += data.length;
    if (data.length < limits.collectedBlockBytes) {
      this.#pieces.push(data);
      return;
    }
    this.flush();
    this.#sink.onBody(data);
  }

  flush(): void {
    const [only] = this.#pieces;
    if (only === undefined) return;
    const data = this.#pieces.length === 1 ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#sink.onBody(data);
  }
}

/**
 * As `BodyReader.read`.
 *
 * @param onOverhead told when more bytes stood around chunks than twice those in them, by how many
 * @returns position after the last byte taken
 */
export function readBody(
  body: BodyReader,
  bytes: Buffer,
  at: number,
  sink: BodySink,
  onOverhead?: (bytes: number) => void,
): number {
  const chunks = new SmallChunks(sink);
  const next = body.read(bytes, at, chunks);
  chunks.flush();
  const overhead = next - at - 3 * chunks.bytes;
  if (overhead > 0) onOverhead?.(overhead);
  return next;
}
