/** Events as a log has them, and a receiver and a store that are told when to fail. */
import type { Checkpoint, RecordedEvent } from '../../src/audit/index.ts';
import { type Batch, Stream, type StreamState } from '../../src/delivery/index.ts';
import { AppError, fixedClock, newId, type Random, silentLog, systemRandom } from '../../src/kernel/index.ts';

export const WORKSPACE = newId<'workspace'>('wsp', systemRandom);

export const event = (sequence: number, over: Partial<RecordedEvent> = {}): RecordedEvent => ({
  workspace: WORKSPACE,
  sequence,
  at: Date.UTC(2026, 0, 2, 3, 4, 5, sequence),
  type: 'call.started',
  actor: { kind: 'token', id: 'tok_1' },
  server: 'github',
  data: { tool: 'get_me' },
  previous: '0'.repeat(64),
  hash: String(sequence).padStart(64, '0'),
  ...over,
});

export const checkpoint = (sequence: number): Checkpoint => ({
  workspace: WORKSPACE,
  sequence,
  at: Date.UTC(2026, 0, 2),
  hash: 'ab'.repeat(32),
  publicKey: 'cd'.repeat(32),
  signature: 'ef'.repeat(64),
});

export interface StreamWorld {
  readonly log: RecordedEvent[];
  readonly checkpoints: Checkpoint[];
  /** What the receiver was given and has taken. */
  readonly taken: Batch[];
  /** What it was given. */
  readonly given: Batch[];
  /** Of the next attempts: what becomes of each. `lost`: it was taken, and nobody hears of it. */
  readonly fates: ('refused' | 'lost' | AppError)[];
  readonly told: string[];
  readonly state: { kept: StreamState | null; held: boolean };
  readonly clock: ReturnType<typeof fixedClock>;
  /** As a process does that starts now. */
  start(over?: Partial<ConstructorParameters<typeof Stream>[0]>): Stream;
}

const middle: Random = { bytes: (length) => Buffer.alloc(length, 0x80) };

export function makeStreamWorld(events = 0): StreamWorld {
  const world = {
    log: Array.from({ length: events }, (_, index) => event(index + 1)),
    checkpoints: [] as Checkpoint[],
    taken: [] as Batch[],
    given: [] as Batch[],
    fates: [] as StreamWorld['fates'],
    told: [] as string[],
    state: { kept: null as StreamState | null, held: false },
    clock: fixedClock(1_000_000),
  };
  return {
    ...world,
    start: (over = {}) =>
      new Stream({
        workspace: WORKSPACE,
        name: 'siem',
        source: {
          head: async () => world.log.length,
          read: async (from, limit) => world.log.slice(from - 1, from - 1 + limit),
          checkpoints: async (after) => world.checkpoints.filter(({ sequence }) => sequence > after),
        },
        store: {
          load: async () => world.state.kept,
          save: async (state) => {
            world.state.kept = state;
          },
        },
        sender: {
          async send(batch) {
            world.given.push(batch);
            const fate = world.fates.shift();
            if (fate !== 'refused' && !(fate instanceof AppError)) world.taken.push(batch);
            if (fate instanceof AppError) throw fate;
            if (fate !== undefined) throw new AppError('delivery_refused', 'no', { kind: 'unavailable' });
            return { rejected: 0 };
          },
        },
        from: 'start',
        held: async () => world.state.held,
        async record(type, data) {
          world.told.push(`${type} ${JSON.stringify(data)}`);
        },
        clock: world.clock,
        random: middle,
        log: silentLog,
        ...over,
      }),
  };
}

export const sequencesOf = (batches: readonly Batch[]): number[] =>
  batches.flatMap(({ events }) => events.map(({ sequence }) => sequence));
