/** How a program that runs until it is stopped hears that it should stop. */
import { constants } from 'node:os';
import type { Clock } from '../kernel/index.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/**
 * A second signal this soon is the same one: a terminal sends ctrl-C to the whole process group, and whoever started
 * this program passes it on.
 */
const SAME_SIGNAL_MS = 1_000;

export interface StopSignal {
  /** The first signal's name. */
  readonly received: Promise<string>;
  /** Leaves signals to their default again. */
  forget(): void;
}

/** Settles at the first signal; one that comes later than a moment after it ends the process at once. */
export function stopSignal(clock: Pick<Clock, 'monotonic'>): StopSignal {
  const { promise, resolve } = Promise.withResolvers<string>();
  let firstMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = clock.monotonic();
    firstMs ??= nowMs;
    if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(128 + constants.signals[signal]);
    resolve(signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    received: promise,
    forget() {
      for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    },
  };
}
