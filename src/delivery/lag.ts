/** How far a receiver is behind the log, for whoever may go on only while it is not too far. */
import { limits } from '../kernel/index.ts';
import { isOfDelivery } from './own-events.ts';
import type { EventSource } from './ports.ts';

export interface Lag {
  /** From the oldest event on that has to go. */
  readonly events: number;
  /** How long that one has waited, in milliseconds. */
  readonly ms: number;
}

/**
 * What only tells of deliveries and waits for company is no lag: whoever is stopped because of it brings none.
 *
 * @param sequence of the last event that the receiver has
 */
export async function lagOf(source: EventSource, sequence: number, now: number): Promise<Lag> {
  const head = await source.head();
  if (head <= sequence) return { events: 0, ms: 0 };
  const waiting = await source.read(sequence + 1, limits.auditPageEventsMax);
  const oldest = waiting.find((event) => !isOfDelivery(event));
  if (oldest !== undefined) return { events: head - oldest.sequence + 1, ms: Math.max(0, now - oldest.at) };
  const isAll = waiting.length < limits.auditPageEventsMax;
  return { events: isAll ? 0 : head - sequence, ms: 0 };
}
