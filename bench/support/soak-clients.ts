/**
 * The clients of the soak: as many connections as asked for, each doing one thing after another until it is told to
 * stop. Tells its parent what came of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Behaviour, SoakCell } from './soak-behaviour.ts';
import { behaviours, pick } from './soak-behaviours.ts';
import { Conversation, type Outcome, Stage } from './soak-conversation.ts';

export interface SoakJob {
  readonly cells: readonly SoakCell[];
  readonly host: string;
  readonly connections: number;
  /** New ones per second, until all are there. */
  readonly perSecond: number;
  readonly seed: number;
  /** What the first connection of each cell begins with, by name. */
  readonly first?: string;
}

export type ClientsQuestion = { readonly start: SoakJob } | { readonly question: 'state' | 'stop' };

export interface ClientsState {
  readonly open: number;
  /** Most at one time. */
  readonly openMax: number;
  readonly answers: number;
  /** By behaviour, how often it ended in which way. */
  readonly outcomes: Readonly<Record<string, Readonly<Partial<Record<Outcome, number>>>>>;
  /** By behaviour, the longest time that a connection took for it, in milliseconds. */
  readonly longest: Readonly<Record<string, number>>;
}

const RAMP_STEP_MS = 100;
/** After a connection that did not come about. */
const BACK_OFF_MS = 1_000;

let stage = new Stage();
let slots: Promise<void>[] = [];
let open = 0;
let openMax = 0;
let answers = 0;
let longest: Record<string, number> = {};
let outcomes: Record<string, Partial<Record<Outcome, number>>> = {};

/** Mulberry32: a seeded sequence that anybody can repeat. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function count(name: string, outcome: Outcome): void {
  const counts = outcomes[name] ?? {};
  counts[outcome] = (counts[outcome] ?? 0) + 1;
  outcomes[name] = counts;
}

async function live(
  cell: SoakCell,
  host: string,
  random: () => number,
  first: Behaviour | undefined,
): Promise<void> {
  const onAnswer = (): void => {
    answers += 1;
  };
  let next = first;
  while (!stage.isOver) {
    const behaviour = next ?? pick(random());
    next = undefined;
    const conversation = await Conversation.open(cell, host, behaviour.over ?? 'http/1.1');
    if (conversation === null) {
      count(behaviour.name, 'unreachable');
      await stage.wait(BACK_OFF_MS);
      continue;
    }
    const began = performance.now();
    open += 1;
    openMax = Math.max(openMax, open);
    const outcome = await behaviour.run(conversation, { cell, host, stage, random, onAnswer });
    conversation.close();
    open -= 1;
    count(behaviour.name, outcome);
    longest[behaviour.name] = Math.max(longest[behaviour.name] ?? 0, performance.now() - began);
  }
}

async function start(job: SoakJob): Promise<void> {
  const { cells, connections, host, perSecond, seed } = job;
  const own = stage;
  const first = behaviours.find(({ name }) => name === job.first);
  for (let slot = 0; slot < connections && !own.isOver; slot += 1) {
    const cell = cells[slot % cells.length];
    if (cell !== undefined)
      slots.push(live(cell, host, randomFrom(seed + slot), slot < cells.length ? first : undefined));
    if (slot % Math.ceil((perSecond * RAMP_STEP_MS) / 1_000) === 0) await sleep(RAMP_STEP_MS);
  }
}

const state = (): ClientsState => ({ open, openMax, answers, outcomes, longest });

process.on('message', (message: ClientsQuestion) => {
  void (async () => {
    if ('start' in message) {
      stage = new Stage();
      [slots, openMax, answers, outcomes, longest] = [[], 0, 0, {}, {}];
      for (const { name } of behaviours) outcomes[name] = {};
      slots.push(start(message.start));
      process.send?.({});
    } else if (message.question === 'state') process.send?.(state());
    else {
      stage.end();
      await Promise.all(slots);
      process.send?.(state());
    }
  })();
});
process.once('disconnect', () => process.exit(0));
