/**
 * What is written to one stream in one turn goes out in one call to the kernel: a server that floods says hundreds of things in
 * one piece, and each call wakes somebody who takes the processor. For what nobody waits for; order stays as it is written.
 */
import type { Writable } from 'node:stream';

/** From now to the end of what is at work at this moment. */
export function gather(stream: Writable): void {
  if (stream.writableCorked > 0 || stream.destroyed) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
