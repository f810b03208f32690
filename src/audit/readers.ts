/** Reading the log: a range, or its end and what is added to it. Events come as they are stored, unverified. */
import { limits, type WorkspaceId } from '../kernel/index.ts';
import type { RecordedEvent } from './events.ts';
import type { AuditStore } from './ports.ts';

export interface ExportRange {
  /** First sequence, default 1. */
  readonly from?: number;
  /** Last sequence; default: the head at the moment of the call. */
  readonly to?: number;
}

export interface TailOptions {
  /** How many events before now; default 20. */
  readonly last?: number;
  /** Given: goes on with new events until it is aborted. */
  readonly follow?: AbortSignal;
}

/** Says when to look again; resolves early when this process appended something. */
export type WaitForMore = (workspace: WorkspaceId, signal: AbortSignal) => Promise<void>;

const TAIL_EVENTS_DEFAULT = 20;

export async function* exportEvents(
  store: AuditStore,
  workspace: WorkspaceId,
  range: ExportRange,
): AsyncGenerator<RecordedEvent, void, void> {
  const to = range.to ?? (await store.head(workspace))?.sequence ?? 0;
  yield* readRange(store, workspace, range.from ?? 1, to);
}

export async function* tailEvents(
  store: AuditStore,
  workspace: WorkspaceId,
  options: TailOptions,
  waitForMore: WaitForMore,
): AsyncGenerator<RecordedEvent, void, void> {
  let end = (await store.head(workspace))?.sequence ?? 0;
  yield* readRange(store, workspace, Math.max(1, end - (options.last ?? TAIL_EVENTS_DEFAULT) + 1), end);
  const signal = options.follow;
  while (signal !== undefined && !signal.aborted) {
    await waitForMore(workspace, signal);
    const now = (await store.head(workspace))?.sequence ?? 0;
    if (now <= end) continue;
    yield* readRange(store, workspace, end + 1, now);
    end = now;
  }
}

async function* readRange(
  store: AuditStore,
  workspace: WorkspaceId,
  from: number,
  to: number,
): AsyncGenerator<RecordedEvent, void, void> {
  let next = from;
  while (next <= to) {
    const page = await store.read(workspace, next, Math.min(limits.auditPageEventsMax, to - next + 1));
    for (const event of page) {
      if (event.sequence > to) return;
      yield event;
    }
    const last = page.at(-1);
    if (last === undefined) return;
    next = last.sequence + 1;
  }
}
