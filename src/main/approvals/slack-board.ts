/**
 * Keeps Slack at what the approvals are: what waits is told there, and what was told is changed when somebody answered it,
 * wherever they did, or its time is over. What waits is in the store, and so is what was told of it; so an outage or a
 * restart loses nothing, and what is over by then is told to nobody. Run by the process that serves.
 *
 * A message is noted after Slack took it: a gateway that is killed in between tells it a second time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { AuditEvent } from '../../audit/index.ts';
import { backOffMs } from '../../delivery/index.ts';
import {
  type Clock,
  isAppError,
  limits,
  type Log,
  type Random,
  type WorkspaceId,
} from '../../kernel/index.ts';
import type { Store } from '../../store/index.ts';
import type { ApprovalBook } from './approval-book.ts';
import type { KeptApproval } from './sealed-approvals.ts';
import { askMessage, stateMessage } from './slack-message.ts';
import { MessageRef, SLACK_STREAM, type SlackPlace } from './slack-place.ts';

export interface SlackBoardDeps {
  readonly workspace: WorkspaceId;
  readonly book: Pick<ApprovalBook, 'waiting' | 'find' | 'onChange'>;
  readonly place: SlackPlace;
  readonly store: Pick<Store, 'streams'>;
  /** Whether nothing may leave now. */
  readonly held: () => Promise<boolean>;
  readonly record: (type: AuditEvent['type'], data: AuditEvent['data']) => Promise<void>;
  /** How long Slack may take for one message, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What Slack shows of one approval. */
const Told = z.strictObject({ ref: MessageRef.nullable(), face: z.string() });
type Told = z.infer<typeof Told>;
const Kept = z.object({ told: z.array(z.tuple([z.string(), Told])) });

/** How it goes with telling Slack. */
export interface SlackBacklog {
  /** Requests that wait for somebody, and are not shown there as they are. */
  readonly untold: number;
  /** Attempts in a row that failed. */
  readonly failures: number;
}

/** What a look came to. */
export type Outcome = 'sent' | 'idle' | 'held' | 'failed';

export class SlackBoard {
  readonly #deps: SlackBoardDeps;
  readonly #stopped = new AbortController();
  #told: Map<string, Told> | null = null;
  #failures = 0;
  #retryAfterMs = 0;
  #changed = Promise.withResolvers<void>();
  #running: Promise<void> | null = null;

  constructor(deps: SlackBoardDeps) {
    this.#deps = deps;
  }

  /** From now on, until `stop`. */
  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#changed.resolve();
    await this.#running;
  }

  /** Reads, and tells nobody anything. @throws AppError `store_*` */
  async backlog(): Promise<SlackBacklog> {
    const told = this.#told ?? (await this.#load());
    const pending = await this.#deps.book.waiting();
    const untold = pending.filter((kept) => told.get(kept.id)?.face !== faceOf(kept));
    return { untold: untold.length, failures: this.#failures };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    const stopListening = this.#deps.book.onChange(() => this.#changed.resolve());
    try {
      while (!signal.aborted) {
        this.#changed = Promise.withResolvers();
        const outcome = await this.step();
        if (outcome === 'failed') await pause(this.#backOffMs(), signal);
        else if (outcome === 'held') await pause(limits.deliveryPollMs, signal);
        else {
          const looks = new AbortController();
          await Promise.race([
            this.#changed.promise,
            pause(limits.approvalSweepIntervalMs, AbortSignal.any([signal, looks.signal])),
          ]);
          looks.abort();
          // Many changes are one look.
          await pause(limits.approvalBoardPauseMs, signal);
        }
      }
    } finally {
      stopListening();
    }
  }

  #backOffMs(): number {
    return Math.max(backOffMs(Math.max(this.#failures, 1), this.#deps.random), this.#retryAfterMs);
  }

  /** One look at all of them. Never throws. */
  async step(): Promise<Outcome> {
    try {
      const told = (this.#told ??= await this.#load());
      if (await this.#deps.held()) return 'held';
      let outcome: Outcome = 'idle';
      for (const kept of await this.#relevant(told)) if (await this.#show(kept, told)) outcome = 'sent';
      this.#retryAfterMs = 0;
      if (this.#failures > 0) await this.#tell('delivery.resumed', { failures: this.#failures });
      this.#failures = 0;
      return outcome;
    } catch (error) {
      if (!this.#stopped.signal.aborted) await this.#failed(error);
      return 'failed';
    }
  }

  /** What waits, and what was told to wait. */
  async #relevant(told: ReadonlyMap<string, Told>): Promise<readonly KeptApproval[]> {
    const { book } = this.#deps;
    const pending = await book.waiting();
    const ids = new Set<string>(pending.map(({ id }) => id));
    const others: KeptApproval[] = [];
    for (const id of told.keys()) {
      if (ids.has(id)) continue;
      const found = await book.find(id).catch((error: unknown) => {
        if (isAppError(error) && error.code.startsWith('approval_')) return null;
        throw error;
      });
      if (found === null) await this.#note(id, null);
      else others.push(found);
    }
    return [...others, ...pending.toReversed()];
  }

  /** @returns whether something was sent */
  async #show(kept: KeptApproval, told: ReadonlyMap<string, Told>): Promise<boolean> {
    const face = faceOf(kept);
    const known = told.get(kept.id);
    if (known?.face === face) return false;
    try {
      const { ref, isSent } = await this.#put(kept, known);
      await this.#note(kept.id, isOver(kept, ref) ? null : { ref, face });
      return isSent;
    } catch (error) {
      if (!isAppError(error) || error.code !== 'slack_message_refused') throw error;
      // This one will never do; the others may.
      this.#deps.log.warn('approval.message_failed', { approval: kept.id, why: error.message });
      await this.#tell('delivery.rejected', { records: 1, approval: kept.id });
      await this.#note(kept.id, isOver(kept, null) ? null : { ref: null, face });
      return false;
    }
  }

  async #put(
    kept: KeptApproval,
    known: Told | undefined,
  ): Promise<{ readonly ref: MessageRef | null; readonly isSent: boolean }> {
    const { place, timeoutMs } = this.#deps;
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(timeoutMs)]);
    const isPending = kept.approval.state === 'pending';
    if (known === undefined) return { ref: await place.post(askMessage(kept), signal), isSent: true };
    if (known.ref !== null) {
      await place.update(known.ref, isPending ? askMessage(kept) : stateMessage(kept), signal);
      return { ref: known.ref, isSent: true };
    }
    // What cannot be changed is followed by what became of it, unless its own button did.
    if (isPending || isBySlack(kept)) return { ref: null, isSent: false };
    await place.post(stateMessage(kept), signal);
    return { ref: null, isSent: true };
  }

  async #note(id: string, told: Told | null): Promise<void> {
    const all = this.#told;
    if (all === null) return;
    if (told === null) all.delete(id);
    else all.set(id, told);
    for (const oldest of all.keys()) {
      if (all.size <= limits.approvalsToldMax) break;
      all.delete(oldest);
    }
    const { store, workspace, clock } = this.#deps;
    await store.streams.save(workspace, {
      name: SLACK_STREAM,
      sequence: 0,
      state: { told: [...all].map(([key, { ref, face }]) => [key, { ref: ref && { ...ref }, face }]) },
      updatedAt: Math.floor(clock.now()),
    });
  }

  async #load(): Promise<Map<string, Told>> {
    const { store, workspace } = this.#deps;
    const record = await store.streams.find(workspace, SLACK_STREAM);
    const kept = Kept.safeParse(record?.state);
    return new Map(kept.success ? kept.data.told : []);
  }

  async #failed(error: unknown): Promise<void> {
    const code = isAppError(error) ? error.code : 'delivery_failed';
    const retryAfter = isAppError(error) ? Number(error.detail?.['retryAfterMs'] ?? 0) : 0;
    this.#retryAfterMs = Math.min(retryAfter, limits.deliveryRetryAfterMsMax);
    this.#failures += 1;
    this.#deps.log.warn('delivery.failed', { export: SLACK_STREAM, code, why: String(error) });
    if (this.#failures === 1) await this.#tell('delivery.failed', { code });
  }

  /** A log that cannot be written is told of by whoever needs it more. */
  async #tell(type: AuditEvent['type'], data: AuditEvent['data']): Promise<void> {
    try {
      await this.#deps.record(type, { export: SLACK_STREAM, ...data });
    } catch (error) {
      this.#deps.log.error('delivery.not_audited', { export: SLACK_STREAM, type, why: String(error) });
    }
  }
}

/** What is different where another message has to be shown. */
const faceOf = ({ approval: { state, agreed, ended } }: KeptApproval): string =>
  [state, ...agreed.map(({ by, account }) => `${by} ${account}`), ended?.by ?? ''].join('\n');

/** Whether nothing more will be told of it. */
const isOver = ({ approval: { state } }: KeptApproval, ref: MessageRef | null): boolean =>
  state !== 'pending' && (ref === null || state !== 'approved');

const isBySlack = ({ approval: { state, agreed, ended } }: KeptApproval): boolean =>
  (state === 'rejected' || state === 'revoked' ? ended : agreed.at(-1))?.account.startsWith('slack:') ===
  true;

/** Ends early where the signal does, and keeps no process alive. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { ref: false, signal }).catch(() => undefined);
