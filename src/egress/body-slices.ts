/** Searches what is long in slices: one body of one cell must not be a pause for all the others. */
import { limits } from '../kernel/index.ts';
import type { Refusal } from './refusals.ts';

/** Everybody else's turn. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Hands out a body slice by slice, others having their turn in between; a short one at once.
 *
 * @param act is given each slice and where it begins
 * @throws Refusal the first that `act` gives
 */
export async function eachSlice(
  body: Buffer,
  act: (slice: Buffer, at: number) => Refusal | null,
): Promise<void> {
  for (let at = 0; at < body.length; at += limits.bodySliceBytes) {
    if (at > 0) await turn();
    const refused = act(body.subarray(at, at + limits.bodySliceBytes), at);
    if (refused !== null) throw refused;
  }
}
