/** Searches what is long in slices: one body of one cell must not be a pause for all the others. */
import { limits } from '../../kernel/index.ts';
import type { Refusal } from '../refusals.ts';

/** Who waits to go on, of all bodies of all cells. */
const waiting: (() => void)[] = [];
let isServing = false;

function serve(): void {
  waiting.shift()?.();
  isServing = waiting.length > 0;
  if (isServing) setImmediate(serve);
}

/** Everybody else's turn. Of those who wait for it, one goes on after each turn of the event loop, however many there are. */
export const turn = (): Promise<void> =>
  new Promise((resolve) => {
    waiting.push(resolve);
    if (isServing) return;
    isServing = true;
    setImmediate(serve);
  });

/** What a body belongs to. */
export interface SlicedWork {
  /** Nobody waits for it any more. */
  readonly isOver: boolean;
}

/** The same, unless nobody waits for what is found: others would wait for it in vain. @throws Error then */
export async function turnOf(work: SlicedWork): Promise<void> {
  await turn();
  if (work.isOver) throw new Error('nobody waits for this body any more');
}

/**
 * Hands out a body slice by slice, others having their turn in between; a short one at once.
 *
 * @param act is given each slice and where it begins
 * @throws Refusal the first that `act` gives; Error when the work is over meanwhile
 */
export async function eachSlice(
  body: Buffer,
  work: SlicedWork,
  act: (slice: Buffer, at: number) => Refusal | null,
): Promise<void> {
  for (let at = 0; at < body.length; at += limits.bodySliceBytes) {
    if (at > 0) await turnOf(work);
    const refused = act(body.subarray(at, at + limits.bodySliceBytes), at);
    if (refused !== null) throw refused;
  }
}
