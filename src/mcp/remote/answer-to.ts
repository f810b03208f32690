/** Errors that come with an HTTP status: some servers leave out which request they are about, the request itself says it. */
import { parseMessage, rewritten } from '../protocol/message.ts';

/**
 * The text as the answer to the request that it came back for; null where it is no answer to it.
 *
 * @param idText the request's own
 */
export function asAnswerTo(idText: string, text: string): string | null {
  const parsed = parseMessage(text);
  if (!parsed.ok || parsed.value.kind !== 'response') return null;
  if (parsed.value.idText === idText) return text;
  return parsed.value.idText === 'null' ? rewritten(parsed.value, idText) : null;
}
