/**
 * Usage kept in the store: the audit log counted from where it was counted last, so that no call waits for it, nothing is
 * counted twice and nothing is missed, whoever was killed when. How far it has come and what was counted are changed together.
 */
import { z } from 'zod';
import type { UsageAsked, UsageDesk } from '../../api/index.ts';
import type { AuditLog, RecordedEvent } from '../../audit/index.ts';
import { AppError, type Clock, limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { Repositories, Store } from '../../store/index.ts';
import { dayOf, fold, keep, report, type Usage } from '../../usage/index.ts';

export interface UsageBookDeps {
  readonly workspace: WorkspaceId;
  readonly store: Pick<Store, 'audit' | 'streams' | 'usage' | 'transaction'>;
  readonly audit: Pick<AuditLog, 'export'>;
  /** Told of events that were counted here, once each. */
  readonly counted?: (events: readonly RecordedEvent[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface UsageBook extends UsageDesk {
  /** Counts what was recorded until now. @throws AppError `store_*` */
  settle(): Promise<void>;
  /** Counts from time to time, until it is closed. */
  keepCounting(): void;
  close(): void;
}

const STREAM = 'usage';
const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 7;

const whole = z.number().int().min(0);
const Kept = z.object({
  calls: whole,
  ok: whole,
  toolErrors: whole,
  errors: whole,
  cancelled: whole,
  failed: whole,
  denied: whole,
  durationMs: whole,
  latency: z.array(whole),
  requests: whole,
  requestErrors: whole,
  requestsDenied: whole,
  requestBytes: whole,
  responseBytes: whole,
});

export function createUsageBook({ workspace, store, audit, counted, clock, log }: UsageBookDeps): UsageBook {
  let counting: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;

  async function stored(from: string, to: string, of: Pick<Repositories, 'usage'>): Promise<Usage[]> {
    const rows = await of.usage.list(workspace, from, to);
    return rows.map(({ counts, ...key }) => ({ ...key, counts: Kept.parse(counts) }));
  }

  /** Whether there may be more. */
  async function countBatch(): Promise<boolean> {
    const from = (await store.streams.find(workspace, STREAM))?.sequence ?? 0;
    const events = await store.audit.read<RecordedEvent>(workspace, from + 1, limits.usageBatchEventsMax);
    const last = events.at(-1);
    if (last === undefined) return false;
    const added = Map.groupBy(fold(events), ({ day }) => day);
    let isOurs = false;
    await store.transaction(async (repositories) => {
      const { streams, usage } = repositories;
      // Another process may have counted them meanwhile.
      const now = (await streams.find(workspace, STREAM))?.sequence ?? 0;
      isOurs = now === from;
      if (!isOurs) return;
      for (const [day, of] of added) {
        const known = await stored(day, day, repositories);
        for (const { counts, ...key } of keep(known, of, limits.usageKeysMax))
          await usage.save(workspace, { ...key, counts: { ...counts, latency: [...counts.latency] } });
      }
      const updatedAt = Math.floor(clock.now());
      await streams.save(workspace, { name: STREAM, sequence: last.sequence, state: {}, updatedAt });
    });
    if (isOurs) await counted?.(events);
    return events.length === limits.usageBatchEventsMax;
  }

  async function count(): Promise<void> {
    while (await countBatch());
    await store.usage.forget(workspace, dayOf(clock.now() - limits.usageDaysMax * DAY_MS));
  }

  /** One at a time; whoever asks while it counts may mean what was recorded since, and waits for the next. */
  function settle(): Promise<void> {
    const before = counting ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(count)
      .finally(() => {
        if (counting === next) counting = null;
      });
    counting = next;
    return next;
  }

  async function drained(): Promise<void> {
    // What was recorded and is not in the chain yet is brought there before the log is read.
    for await (const _event of audit.export(workspace, { from: 1, to: 0 }));
  }

  async function settledNow(): Promise<void> {
    await drained();
    await settle();
  }

  return {
    settle: settledNow,
    async report({ since, until, by, server }: UsageAsked) {
      const to = until ?? dayOf(clock.now());
      const from = since ?? dayOf(Date.parse(to) - (DEFAULT_DAYS - 1) * DAY_MS);
      if (from > to)
        throw new AppError('usage_range_invalid', `There are no days from ${from} to ${to}.`, {
          kind: 'invalid',
          hint: 'The first day comes first: --since 2026-11-01 --until 2026-11-30.',
        });
      await settledNow();
      const found = (await stored(from, to, store)).filter((one) => server === null || one.server === server);
      return { since: from, until: to, lines: report(found, by) };
    },
    keepCounting() {
      timer ??= setInterval(() => {
        if (counting !== null) return;
        settle().catch((error: unknown) => log.error('usage.count_failed', { error: String(error) }));
      }, limits.usageCountMs).unref();
    },
    close() {
      if (timer !== null) clearInterval(timer);
    },
  };
}
