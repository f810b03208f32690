/** What is put on record of a call, and what the data plane holds its server's requests against. */
import { AppError } from '../../kernel/index.ts';
import { type RpcResponse, resultOf } from '../protocol/message.ts';
import type { CallFacts, CallOutcome } from '../ports/call-audit.ts';
import type { CallRef } from '../ports/cell-calls.ts';
import { find, slice } from '../protocol/raw-json.ts';

/** How a call ended, without how long it took. */
export type Ending = Omit<CallOutcome, 'durationMs'>;

/** Of a call whose end is not known: a mistake of the gateway's own. */
export const UNKNOWN_ENDING: Ending = { outcome: 'failed', code: 'internal_error' };
const OK: Ending = { outcome: 'ok' };
/** Of a server's error code, which may be any number. */
const CODE_CHARS_MAX = 20;

/** The operator at the local socket is a user of the machine, not one of ours. */
export const callRef = (
  { id, tool, principal: { actor, agent } }: CallFacts,
  readOnly: boolean,
): CallRef => ({
  id,
  tool,
  readOnly,
  actor: actor.id,
  token: actor.kind === 'token' ? actor.id : null,
  user: actor.kind === 'user' ? actor.id : null,
  agent,
});

/** As its server answered it. */
export function answeredEnding(response: RpcResponse): Ending {
  const error = response.members.get('error');
  if (error !== undefined) {
    const code = find(response.text, error.start, ['code']);
    return {
      outcome: 'error',
      ...(code === null ? {} : { code: slice(response.text, code).slice(0, CODE_CHARS_MAX) }),
    };
  }
  // Where neither its letters are nor an escape that could be one of them, there is no such member.
  if (!response.text.includes('isError') && !response.text.includes('\\')) return OK;
  const result = resultOf(response);
  const isError = result === null ? null : find(response.text, result.start, ['isError']);
  return isError !== null && slice(response.text, isError) === 'true' ? { outcome: 'tool_error' } : OK;
}

/** As it failed on the way; null where that is a mistake of the gateway's own. */
export const failedEnding = (error: unknown): Ending | null =>
  error instanceof AppError
    ? { outcome: error.code === 'mcp_cancelled' ? 'cancelled' : 'failed', code: error.code }
    : null;
