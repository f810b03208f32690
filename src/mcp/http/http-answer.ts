/** Plain HTTP answers of the front. */
import type { IncomingMessage } from 'node:http';
import { httpStatus, isAppError, limits, toWire } from '../../kernel/index.ts';
import { tooLarge } from '../protocol/client-input.ts';
import { type BodyShare, incomplete } from './body-room.ts';
import type { FrontResponse } from './http-message.ts';
import { Pieces } from '../upstream/pieces.ts';
import { find, slice } from '../protocol/raw-json.ts';

const SPECIAL_STATUS: Readonly<Record<string, number>> = {
  mcp_message_too_large: 413,
  mcp_media_type: 415,
  mcp_not_acceptable: 406,
  mcp_method_not_allowed: 405,
};

const statusOf = (error: unknown): number =>
  isAppError(error) ? (SPECIAL_STATUS[error.code] ?? httpStatus[error.kind]) : 500;

/** Answers with JSON text. Nothing happens where an answer has begun or the client is gone. */
export function answerJson(
  res: FrontResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  // As text: Node sends it in one piece with the head then, which takes half as long as two.
  res.end(text);
}

/** Longer than any error of the gateway's that says when to come again. */
const WAITING_CHARS_MAX = 8_192;

/** RFC 9110 10.2.3, for an answer that is one error which says so in its `data`. @param text one JSON-RPC message */
export function retryAfter(text: string): Readonly<Record<string, string>> {
  if (text.length > WAITING_CHARS_MAX || !text.includes('"retryAfterSeconds":')) return {};
  const span = find(text, 0, ['error', 'data', 'retryAfterSeconds']);
  const seconds = span === null ? '' : slice(text, span);
  return /^[1-9][0-9]{0,9}$/.test(seconds) ? { 'retry-after': seconds } : {};
}

/**
 * Answers a refusal at the door: `{"error":{code,message,hint}}`, and the connection is not kept with
 * a body unread.
 *
 * @param metadata where a client without a token learns how to get one
 */
export function answerFailure(res: FrontResponse, error: unknown, metadata: () => string | null): void {
  const status = statusOf(error);
  const wire = toWire(error);
  const headers: Record<string, string> = { connection: 'close' };
  if (status === 401) {
    // Outside, every failed authentication looks the same; the code says so, whatever the reason was inside.
    const address = metadata();
    const where = address === null ? '' : `, resource_metadata="${address}"`;
    headers['www-authenticate'] = `Bearer realm="sallyport", error="invalid_token"${where}`;
    answerJson(res, status, JSON.stringify({ error: { ...wire, code: 'unauthenticated' } }), headers);
    return;
  }
  if (status === 405) headers['allow'] = 'GET, POST, DELETE';
  answerJson(res, status, JSON.stringify({ error: wire }), headers);
}

/** As `HttpVisit.body`. */
export async function readBody(req: IncomingMessage, share: BodyShare): Promise<Buffer> {
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > limits.mcpMessageBytesMax) throw tooLarge();
  const pieces = new Pieces();
  const idle = setTimeout(() => req.destroy(incomplete()), limits.frontIdleMs);
  try {
    for await (const piece of req as AsyncIterable<Buffer>) {
      idle.refresh();
      if (pieces.length + piece.length > limits.mcpMessageBytesMax) throw tooLarge();
      share.take(piece.length);
      pieces.push(piece);
    }
    return pieces.take();
  } catch (error) {
    // Node says in words of its own that the client is gone.
    throw isAppError(error) ? error : incomplete();
  } finally {
    clearTimeout(idle);
  }
}
