/** One tool call outside any session, for the command line: the same gate, and the server's own answer. */
import { AppError } from '../../kernel/index.ts';
import { checkJson } from '../../wire/index.ts';
import { NOTHING_CARRIED, UNKNOWN_CLIENT } from '../client/client-facts.ts';
import type { Gate } from './gate.ts';
import { ownRequest, resultOf, type RpcResponse } from '../protocol/message.ts';
import type { Principal } from '../ports/callers.ts';
import type { Tape } from '../ports/recorder.ts';
import { slice } from '../protocol/raw-json.ts';
import { RequestControl } from '../client/request-control.ts';
import { failureText } from '../protocol/rpc-error.ts';
import { upstreamFailure } from '../upstream/upstream-failure.ts';

export interface DirectCall {
  readonly principal: Principal;
  readonly profile: string | null;
  readonly slug: string;
  readonly tool: string;
  readonly argumentsJson: string;
}

/** @param tape where it is recorded. @returns the `result` exactly as the server gave it */
export async function callOnce(gate: Gate, call: DirectCall, tape?: Tape): Promise<string> {
  const { principal, profile, slug, tool } = call;
  const checked = checkJson(call.argumentsJson);
  const argumentsText = checked.ok ? checked.value.trim() : '';
  if (!argumentsText.startsWith('{')) {
    throw new AppError('mcp_arguments_invalid', 'The arguments must be one JSON object.', {
      kind: 'invalid',
      hint: `For example: sallyport call ${slug} ${tool} '{"name":"value"}'`,
      detail: { reason: checked.ok ? 'not_an_object' : checked.error },
    });
  }
  if (principal.profile !== null && principal.profile !== profile) {
    throw new AppError('mcp_profile_mismatch', 'This caller may use another profile only.', {
      kind: 'denied',
    });
  }
  const server = await gate.server(principal, profile, slug);
  const target = { principal, profile, server };
  const upstream = await gate.open(target, UNKNOWN_CLIENT, { subject: 'tool', name: tool });
  const message = ownRequest('tools/call', `{"name":${JSON.stringify(tool)},"arguments":${argumentsText}}`);
  const taped = tape?.request(message);
  let answer: string | null = null;
  let response: RpcResponse;
  try {
    response = await gate.call(target, upstream, tool, {
      message,
      client: UNKNOWN_CLIENT,
      carried: NOTHING_CARRIED,
      owner: null,
      control: new RequestControl(),
      ...(taped === undefined ? {} : { taped }),
    });
    answer = response.text;
  } catch (error) {
    answer = failureText(message.idText, error);
    throw error;
  } finally {
    taped?.answered(answer);
  }
  const result = resultOf(response);
  if (result === null) throw upstreamFailure(slug, response);
  return slice(response.text, result);
}
