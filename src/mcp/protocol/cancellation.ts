/** What tells whoever is asked that nobody waits for an answer any more. */
import type { AppError } from '../../kernel/index.ts';
import {
  notificationText,
  paramSpan,
  readEnvelope,
  type RpcNotification,
  type RpcRequest,
  rewritten,
} from './message.ts';

/** Which come before anything else: a server need not understand a word about them. */
const OPENING: ReadonlySet<string> = new Set(['initialize', 'server/discover']);

/**
 * @param own the client's own notification, which is passed on with the id replaced
 * @returns null where nothing may be said
 */
export function cancellation(
  idText: string,
  message: RpcRequest,
  error: AppError,
  own: RpcNotification | undefined,
): string | null {
  if (OPENING.has(message.method)) return null;
  const requestId = own === undefined ? null : paramSpan(own, 'requestId');
  if (own !== undefined && requestId !== null) {
    return rewritten(own, null, [{ ...requestId, text: idText }]);
  }
  const reason = JSON.stringify(error.message);
  return notificationText('notifications/cancelled', `{"requestId":${idText},"reason":${reason}}`);
}

/** What tells a client that a question of a server needs no answer; the id is put in by whoever asked it. */
export function withdrawal(why: string): RpcNotification {
  const params = `{"requestId":0,"reason":${JSON.stringify(why)}}`;
  const parsed = readEnvelope(notificationText('notifications/cancelled', params));
  if (!parsed.ok || parsed.value.kind !== 'notification') throw new Error('own notification is malformed');
  return parsed.value;
}
