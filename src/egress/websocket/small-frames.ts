/**
 * Counts frames of messages with next to nothing in them. Each costs the gateway as much as one with a thousand bytes, so
 * they are drawn from what the cell may send that carries nothing (`cell-overhead.ts`), whichever side they come from.
 */
import { limits } from '../../kernel/index.ts';
import type { FrameHead } from '../../wire/index.ts';
import type { CellOverhead } from '../cell-overhead.ts';

/** Bytes of overhead that one byte of payload makes up for, as with chunks of HTTP/1.1. */
const PER_BYTE = 3;

export class SmallFrames {
  readonly #cell: Pick<CellOverhead, 'draw'>;
  #bytes = 0;

  constructor(cell: Pick<CellOverhead, 'draw'>) {
    this.#cell = cell;
  }

  count({ message, length }: FrameHead): void {
    if (message !== null) this.#bytes += Math.max(0, limits.webSocketFrameOverheadBytes - PER_BYTE * length);
  }

  /** After each read. @returns false when those since the last were too many */
  mayGoOn(): boolean {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes === 0 || this.#cell.draw(bytes);
  }
}
