/** Reading an event stream of a server elsewhere to its end. */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isAppError, limits } from '../../kernel/index.ts';
import { FLOOD_MESSAGES } from '../upstream/line-link.ts';
import { malformed, tooLarge } from './remote-caller.ts';
import { SseParser } from './sse-parser.ts';

/** Where a stream was left off, and when to come again. */
export interface StreamPlace {
  /** Of the last event that had one; null: it cannot be gone on with. */
  lastEventId: string | null;
  /** What the server asked for; null: nothing. */
  retryMs: number | null;
}

export const startOfStream = (): StreamPlace => ({ lastEventId: null, retryMs: null });

export interface StreamSink {
  /** @returns false: nobody wanted it */
  event(type: string, data: string): boolean;
  /** One event was passed over. */
  broken(error: AppError): void;
}

/**
 * @param place brought up to date as events come
 * @returns why it ended, where that was not by itself
 */
export async function readEvents(
  slug: string,
  body: Readable,
  place: StreamPlace,
  sink: StreamSink,
): Promise<AppError | null> {
  let unwanted = 0;
  /** Of what was no event that anybody wanted, and no part of one either. */
  let idleBytes = 0;
  const parser = new SseParser(limits.mcpMessageBytesMax, {
    // One without data only says where the stream can be gone on with.
    event: (type, data) => {
      if (data === '') return;
      if (sink.event(type, data)) idleBytes = 0;
      else unwanted += 1;
    },
    retry: (ms) => {
      place.retryMs = Math.min(Math.max(ms, limits.remoteStreamRetryMsMin), limits.remoteStreamRetryMsMax);
    },
    broken: (reason) =>
      sink.broken(reason === 'too_long' ? tooLarge(slug) : malformed(slug, 'that is not UTF-8')),
  });
  try {
    for await (const chunk of body) {
      unwanted = 0;
      if (!Buffer.isBuffer(chunk)) continue;
      const held = parser.heldBytes;
      idleBytes += chunk.length;
      parser.push(chunk);
      if (parser.heldBytes > held) idleBytes = 0;
      place.lastEventId = parser.lastEventId ?? place.lastEventId;
      // All servers share one thread: a flood waits where it comes from.
      if (unwanted < FLOOD_MESSAGES && idleBytes < limits.remoteIdleBytesMax) continue;
      idleBytes = 0;
      await sleep(limits.mcpFloodPauseMs);
    }
    return null;
  } catch (error) {
    return asAppError(slug, error);
  }
}

export const asAppError = (slug: string, error: unknown): AppError =>
  isAppError(error)
    ? error
    : new AppError('upstream_unreachable', `The server "${slug}" could not be asked.`, {
        kind: 'unavailable',
        cause: error,
      });
