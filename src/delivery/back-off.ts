/** How long to wait after failures. Half of it is by chance, so that many who failed together do not come back together. */
import { limits, type Random } from '../kernel/index.ts';

/** @param failures attempts that failed in a row, at least one. @returns milliseconds */
export function backOffMs(failures: number, random: Random): number {
  const full = Math.min(
    limits.deliveryBackoffMs * 2 ** Math.min(failures - 1, 30),
    limits.deliveryBackoffMsMax,
  );
  return full / 2 + (full / 2) * (random.bytes(4).readUInt32BE() / 2 ** 32);
}
