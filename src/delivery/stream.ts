/**
 * One export: takes the log from where the receiver has it, batch by batch, for as long as it takes. What was reached is
 * stored after the receiver has taken a batch, so that nothing is lost; what is on its way is stored before, so that
 * what is sent again is the same batch with the same id. It never skips an event, and holds up nobody.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditEvent, Checkpoint, RecordedEvent } from '../audit/index.ts';
import { toJsonLine } from '../audit/index.ts';
import { type Clock, isAppError, limits, type Log, type Random, type WorkspaceId } from '../kernel/index.ts';
import { backOffMs } from './back-off.ts';
import { isOfDelivery } from './own-events.ts';
import type { Batch, EventSource, Position, Sender, StreamState, StreamStore } from './ports.ts';

export interface StreamDeps {
  readonly workspace: WorkspaceId;
  /** Unique among the workspace's, and the same after a restart. */
  readonly name: string;
  readonly source: EventSource;
  readonly store: StreamStore;
  readonly sender: Sender;
  /** Where one begins that was never there: with the first event, or after what is there. */
  readonly from: 'start' | 'now';
  /** Which events are for this receiver; the rest is passed over. Default: all, and the checkpoints. */
  readonly wants?: (event: RecordedEvent) => boolean;
  /** Each of those in a batch by itself. Default: not. */
  readonly oneByOne?: boolean;
  /** Whether nothing may leave now. */
  readonly held: () => Promise<boolean>;
  readonly record: (type: AuditEvent['type'], data: AuditEvent['data']) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What an attempt came to. `idle`: there was nothing to send. */
export type Outcome = 'sent' | 'passed' | 'idle' | 'held' | 'failed';

export class Stream {
  readonly #deps: StreamDeps;
  readonly #stopped = new AbortController();
  #state: StreamState | null = null;
  #eventsMax: number = limits.deliveryBatchEventsMax;
  #retryAfterMs = 0;
  #running: Promise<void> | null = null;

  constructor(deps: StreamDeps) {
    this.#deps = deps;
  }

  get name(): string {
    return this.#deps.name;
  }

  /** Goes on until it is stopped. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives up what is on its way; it is sent again by the next process. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const outcome = await this.step();
      const waitMs = this.#waitMs(outcome);
      if (waitMs > 0) await sleep(waitMs, undefined, { ref: false, signal }).catch(() => undefined);
    }
  }

  #waitMs(outcome: Outcome): number {
    if (outcome === 'sent' || outcome === 'passed') return 0;
    if (outcome !== 'failed') return limits.deliveryPollMs;
    return Math.max(
      backOffMs(Math.max(this.#state?.failures ?? 1, 1), this.#deps.random),
      this.#retryAfterMs,
    );
  }

  /** One batch, if there is one. Never throws. */
  async step(): Promise<Outcome> {
    try {
      const state = (this.#state ??= await this.#begin());
      if (await this.#deps.held()) return 'held';
      const planned = await this.#plan(state);
      if (planned === null) return 'idle';
      const { through, batch } = planned;
      if (batch === null) {
        await this.#keep({ ...state, ...through, sending: null });
        return 'passed';
      }
      return await this.#attempt(state, through, batch);
    } catch (error) {
      // The database, not the receiver: it is read anew.
      this.#state = null;
      if (!this.#stopped.signal.aborted)
        this.#deps.log.warn('delivery.stalled', { export: this.name, why: String(error) });
      return 'failed';
    }
  }

  async #attempt(state: StreamState, through: Position, batch: Batch): Promise<Outcome> {
    const sending = state.sending === null ? await this.#keep({ ...state, sending: through }) : state;
    const { signal } = this.#stopped;
    try {
      const late = AbortSignal.timeout(limits.deliveryTimeoutMs);
      const { rejected } = await this.#deps.sender.send(batch, AbortSignal.any([signal, late]));
      await this.#keep({ ...through, sending: null, failures: 0, code: null, since: null });
      this.#retryAfterMs = 0;
      this.#eventsMax = Math.min(this.#eventsMax * 2, limits.deliveryBatchEventsMax);
      if (rejected > 0) await this.#tell('delivery.rejected', { records: rejected, batch: batch.id });
      if (sending.failures > 0) await this.#tellResumed(sending);
      return 'sent';
    } catch (error) {
      if (signal.aborted) return 'failed';
      return this.#failed(sending, batch, error);
    }
  }

  async #failed(state: StreamState, batch: Batch, error: unknown): Promise<Outcome> {
    const code = isAppError(error) ? error.code : 'delivery_failed';
    const retryAfter = isAppError(error) ? Number(error.detail?.['retryAfterMs'] ?? 0) : 0;
    this.#retryAfterMs = Math.min(retryAfter, limits.deliveryRetryAfterMsMax);
    const isHalved = code === 'delivery_too_large' && batch.events.length > 1;
    if (isHalved) this.#eventsMax = Math.ceil(batch.events.length / 2);
    const since = state.since ?? this.#deps.clock.now();
    await this.#keep({
      ...state,
      sending: isHalved ? null : state.sending,
      failures: state.failures + 1,
      code,
      since,
    });
    this.#deps.log.warn('delivery.failed', { export: this.name, code, why: String(error) });
    if (state.failures === 0) await this.#tell('delivery.failed', { code });
    return 'failed';
  }

  async #tellResumed({ failures, since }: StreamState): Promise<void> {
    const ms = since === null ? 0 : this.#deps.clock.now() - since;
    this.#deps.log.info('delivery.resumed', { export: this.name, failures });
    await this.#tell('delivery.resumed', { failures, seconds: Math.max(0, Math.round(ms / 1_000)) });
  }

  /** A log that cannot be written is told of by whoever needs it more. */
  async #tell(type: AuditEvent['type'], data: AuditEvent['data']): Promise<void> {
    try {
      await this.#deps.record(type, { export: this.name, ...data });
    } catch (error) {
      this.#deps.log.error('delivery.not_audited', { export: this.name, type, why: String(error) });
    }
  }

  async #begin(): Promise<StreamState> {
    const { store, source, from, sender } = this.#deps;
    const stored = await store.load();
    if (stored === null) {
      const head = from === 'now' ? await source.head() : 0;
      return this.#keep({ ...NOTHING, sequence: head, checkpoint: head });
    }
    const reached = (await sender.reached?.()) ?? null;
    if (reached === null || reached.sequence < stored.sequence) return stored;
    // It ended between the receiver and the note of it: what was taken is not given again.
    const checkpoint = Math.max(stored.checkpoint, reached.checkpoint);
    return this.#keep({ ...stored, sequence: reached.sequence, checkpoint, sending: null });
  }

  async #keep(state: StreamState): Promise<StreamState> {
    await this.#deps.store.save(state);
    this.#state = state;
    return state;
  }

  /** What goes next. A batch of null: nothing up to there is for this receiver. Null: there is nothing, or nothing yet. */
  async #plan(state: StreamState): Promise<{ through: Position; batch: Batch | null } | null> {
    const { source, wants } = this.#deps;
    const last = state.sending?.sequence ?? Infinity;
    const room = last === Infinity ? this.#eventsMax : last - state.sequence;
    const page = room === 0 ? [] : await source.read(state.sequence + 1, room);
    const events = state.sending === null ? this.#together(page) : page;
    const reached = state.sending?.sequence ?? events.at(-1)?.sequence ?? state.sequence;
    const signed =
      wants === undefined
        ? await this.#checkpoints(state.checkpoint, state.sending?.checkpoint ?? reached)
        : [];
    const checkpoint = state.sending?.checkpoint ?? signed.at(-1)?.sequence ?? state.checkpoint;
    const through = { sequence: reached, checkpoint };
    const chosen = wants === undefined ? events : events.filter(wants);
    if (chosen.length === 0 && signed.length === 0)
      return events.length === 0 ? null : { through, batch: null };
    // What only tells of deliveries waits for company: else each of them would be the reason for the next.
    const isFull = page.length >= this.#eventsMax;
    if (state.sending === null && !isFull && signed.length === 0 && chosen.every(isOfDelivery)) return null;
    return { through, batch: this.#batch(through, chosen, signed) };
  }

  /** As many as go out in one batch. */
  #together(page: readonly RecordedEvent[]): readonly RecordedEvent[] {
    const { oneByOne, wants } = this.#deps;
    if (oneByOne !== true || wants === undefined) return withinBytes(page);
    const first = page.findIndex(wants);
    return first < 0 ? page : page.slice(0, first + 1);
  }

  async #checkpoints(after: number, through: number): Promise<readonly Checkpoint[]> {
    if (after >= through) return [];
    const found = await this.#deps.source.checkpoints(after);
    return found.filter(({ sequence }) => sequence <= through);
  }

  #batch(
    { sequence, checkpoint }: Position,
    events: readonly RecordedEvent[],
    checkpoints: readonly Checkpoint[],
  ): Batch {
    const { workspace, name, clock } = this.#deps;
    const first = events[0]?.sequence ?? sequence;
    return {
      id: `${workspace}_${name}_${first}-${sequence}-${checkpoint}`,
      at: clock.now(),
      events,
      checkpoints,
    };
  }
}

const NOTHING: StreamState = {
  sequence: 0,
  checkpoint: 0,
  sending: null,
  failures: 0,
  code: null,
  since: null,
};

/** As many as are not too much together, and one at least. */
function withinBytes(events: readonly RecordedEvent[]): readonly RecordedEvent[] {
  let bytes = 0;
  const end = events.findIndex((event, index) => {
    bytes += Buffer.byteLength(toJsonLine(event));
    return index > 0 && bytes > limits.deliveryBatchBytesMax;
  });
  return end < 0 ? events : events.slice(0, end);
}
