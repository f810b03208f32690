/** Lets a number of tasks run at the same time, and the others wait. */

/** @returns a function that waits for a turn; disposing of what it gives hands the turn on */
export function createTurns(atOnce: number): () => Promise<Disposable> {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  const handOn = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return { [Symbol.dispose]: handOn };
  };
}
