/** What a client of the soak is: what it does with one connection, and what may come of it. */
import type { Place } from './measured.ts';
import type { Conversation, Outcome, Over, Stage } from './soak-conversation.ts';

export interface SoakCell extends Place {
  readonly token: string;
}

export interface Situation {
  readonly cell: SoakCell;
  /** Its only host. */
  readonly host: string;
  readonly stage: Stage;
  /** In [0, 1), seeded. */
  readonly random: () => number;
  /** An answer came, of which there may be many on one connection. */
  readonly onAnswer: () => void;
}

export interface Behaviour {
  readonly name: string;
  /** Of a hundred connections. */
  readonly weight: number;
  /** Anything else is a fault. `cut` by the end of the soak is always one. */
  readonly expected: readonly Outcome[];
  run(conversation: Conversation, situation: Situation): Promise<Outcome>;
  /** Default: HTTP/1.1. */
  readonly over?: Over;
}

export const LIFE_MS = 100_000;
export const PAUSE_MS = 30_000;

/** About so long. */
export const between = ({ random }: Situation, ms: number): number => ms * (0.5 + random());
