/**
 * The stream on which a server elsewhere says what no request asked for: opened once the session has begun, and again,
 * later each time that it brings nothing, for as long as the session lasts. Servers need not have one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AppError, type Clock, isAppError, limits } from '../../kernel/index.ts';
import type { UpstreamHttpAnswer } from '../ports/upstreams.ts';
import { asAppError, readEvents, startOfStream, type StreamPlace } from './events.ts';
import { isStream } from './remote-caller.ts';

export interface ServerStreamDeps {
  readonly slug: string;
  readonly clock: Clock;
  /** @param lastEventId to go on after */
  open(lastEventId: string | null, signal: AbortSignal): Promise<UpstreamHttpAnswer>;
  message(text: string): boolean;
  /** It will not be opened again. @param isRefused it was open before, and has no place any more for the server */
  ended(why: string, isRefused: boolean): void;
}

/** Resolves when the stream is not wanted any more, or the server turns out to have none; never rejects. */
export async function followServer(deps: ServerStreamDeps, signal: AbortSignal): Promise<void> {
  const place = startOfStream();
  let barren = 0;
  let hasOpened = false;
  while (!signal.aborted) {
    const openedAt = deps.clock.monotonic();
    const read = await readOnce(deps, place, signal);
    if (signal.aborted) return;
    if (read.isOver) return deps.ended(read.why, hasOpened && (read.status === 400 || read.status === 404));
    hasOpened ||= read.status === 200;
    const wasOpen = deps.clock.monotonic() - openedAt >= limits.remoteStreamShortMs;
    barren = read.events > 0 || wasOpen ? 0 : barren + 1;
    const waitMs = (place.retryMs ?? limits.remoteStreamRetryMs) * 2 ** Math.min(barren, 10);
    try {
      await sleep(Math.min(waitMs, limits.remoteStreamRetryMsMax), undefined, { signal, ref: false });
    } catch {
      return;
    }
  }
}

interface ReadOnce {
  readonly events: number;
  /** Null: there was no answer. */
  readonly status: number | null;
  /** The server has no such stream, or may not be asked for it. */
  readonly isOver: boolean;
  readonly why: string;
}

async function readOnce(deps: ServerStreamDeps, place: StreamPlace, signal: AbortSignal): Promise<ReadOnce> {
  let events = 0;
  let status: number | null = null;
  try {
    const answer = await deps.open(place.lastEventId, signal);
    ({ status } = answer);
    if (!isStream(answer)) {
      answer.body.destroy();
      const isOver = status < 500 && status !== 408 && status !== 429;
      return { events, status, isOver, why: `HTTP ${status}` };
    }
    await readEvents(deps.slug, answer.body, place, {
      event(type, data) {
        events += 1;
        return type === 'message' && deps.message(data);
      },
      broken: () => {
        events += 1;
      },
    });
    return { events, status, isOver: false, why: '' };
  } catch (error) {
    const failure: AppError = asAppError(deps.slug, error);
    return { events, status, isOver: isAppError(error) && error.kind === 'denied', why: failure.message };
  }
}
