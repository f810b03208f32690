/** What a client sends, read strictly: JSON with one reading only, then the envelope. */
import { AppError, err, limits, ok, type Result } from '../kernel/index.ts';
import { checkJson } from '../wire/index.ts';
import { type MessageFault, type RpcMessage, readEnvelope } from './message.ts';
import { elementsOf, slice } from './raw-json.ts';
import { errorText, rpcCode } from './rpc-error.ts';

export interface ClientInput {
  readonly messages: readonly RpcMessage[];
  /** Whether they came as an array (revision 2025-03-26): the answers go back as one. */
  readonly batch: boolean;
}

/** @param raw bytes must be UTF-8 */
export function readClientInput(raw: string | Uint8Array): Result<ClientInput, MessageFault> {
  const checked = checkJson(raw, { charsMax: limits.mcpMessageBytesMax });
  if (!checked.ok) {
    return err({ reason: 'not_json', detail: `not acceptable JSON (${checked.error})`, idText: null });
  }
  const text = checked.value.trim();
  const elements = elementsOf(text, { start: 0, end: text.length });
  if (elements === null) {
    const message = readEnvelope(text);
    return message.ok ? ok({ messages: [message.value], batch: false }) : message;
  }
  if (elements.length === 0 || elements.length > limits.mcpBatchMax) {
    const detail = `a batch must hold 1 to ${limits.mcpBatchMax} messages`;
    return err({ reason: 'not_a_message', detail, idText: null });
  }
  const messages: RpcMessage[] = [];
  for (const element of elements) {
    const message = readEnvelope(slice(text, element));
    if (!message.ok) return message;
    messages.push(message.value);
  }
  return ok({ messages, batch: true });
}

/** The answer to something that is no message. */
export function faultText(fault: MessageFault): string {
  const notJson = fault.reason === 'not_json';
  const [code, reason] = notJson
    ? [rpcCode.parseError, 'Parse error']
    : [rpcCode.invalidRequest, 'Invalid request'];
  return errorText(fault.idText, code, {
    code: `mcp_${fault.reason}`,
    message: `${reason}: ${fault.detail}`,
  });
}

/** A message larger than any that is read. */
export const tooLarge = (): AppError =>
  new AppError(
    'mcp_message_too_large',
    `A message may have at most ${limits.mcpMessageBytesMax / limits.MIB} MiB.`,
    {
      kind: 'limited',
    },
  );
