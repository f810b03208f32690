/**
 * Error -32042 of revision 2025-11-25: a request cannot be answered before its client has been to some address. Since
 * 2026-07-28 that is a question like any other, and the code means nothing any more.
 */
import { isAnswered } from './client-abilities.ts';
import type { ClientFacts } from './client-facts.ts';
import { readEnvelope, type RpcResponse } from '../protocol/message.ts';
import { elementsOf, find, slice } from '../protocol/raw-json.ts';

const CODE = '-32042';

/** The answer as a stateless client understands it; as it is where it is no such error, or not for this client. */
export function elicitationRequired(response: RpcResponse, client: ClientFacts): RpcResponse {
  if (!response.failed) return response;
  const code = find(response.text, 0, ['error', 'code']);
  const list = find(response.text, 0, ['error', 'data', 'elicitations']);
  const elements = list === null ? null : elementsOf(response.text, list);
  if (code === null || slice(response.text, code) !== CODE || elements === null || elements.length === 0) {
    return response;
  }
  const questions = elements.map((element, index) => {
    const params = slice(response.text, element);
    return { key: `address${index + 1}`, text: `{"method":"elicitation/create","params":${params}}` };
  });
  const allowed = questions.every(({ text }) => {
    const parsed = readEnvelope(`{"jsonrpc":"2.0","id":0,${text.slice(1)}`);
    return parsed.ok && parsed.value.kind === 'request' && isAnswered(client, parsed.value);
  });
  const requests = questions.map(({ key, text }) => `"${key}":${text}`).join(',');
  const parsed = readEnvelope(
    `{"jsonrpc":"2.0","id":0,"result":{"resultType":"input_required","inputRequests":{${requests}}}}`,
  );
  return allowed && parsed.ok && parsed.value.kind === 'response' ? parsed.value : response;
}
