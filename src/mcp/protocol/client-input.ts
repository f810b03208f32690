/** What a client sends, read strictly: JSON with one reading only, then the envelope. */
import { AppError, err, limits, ok, type Result } from '../../kernel/index.ts';
import { checkJson, isWithinMeasure } from '../../wire/index.ts';
import { hasVariant, type KnownNames, knownNames } from './member-names.ts';
import { type MessageFault, type RpcMessage, readEnvelope } from './message.ts';
import { metaKey } from './protocol.ts';
import { elementsOf, membersOf, slice, type Span } from './raw-json.ts';
import { errorText, rpcCode } from './rpc-error.ts';

export interface ClientInput {
  readonly messages: readonly RpcMessage[];
  /** Whether they came as an array (revision 2025-03-26): the answers go back as one. */
  readonly batch: boolean;
}

/** Of `params`, by which something is decided, or which are replaced on the way. */
const PARAMS = knownNames([
  '_meta',
  'arguments',
  'capabilities',
  'clientInfo',
  'cursor',
  'inputResponses',
  'level',
  'name',
  'notifications',
  'progressToken',
  'protocolVersion',
  'ref',
  'requestId',
  'requestState',
  'uri',
]);
const MEASURE = { depthMax: limits.jsonDepthMax, valuesMax: limits.mcpMessageValuesMax };
const META = knownNames(['progressToken', ...Object.values(metaKey)]);

/** @param raw bytes must be UTF-8 */
export function readClientInput(raw: string | Uint8Array): Result<ClientInput, MessageFault> {
  // Before anything else is made of it: it costs the least.
  if (!isInMeasure(raw))
    return err({ reason: 'not_json', detail: 'not acceptable JSON (json_overdone)', idText: null });
  const checked = checkJson(raw, { charsMax: limits.mcpMessageBytesMax });
  if (!checked.ok) {
    return err({ reason: 'not_json', detail: `not acceptable JSON (${checked.error})`, idText: null });
  }
  const text = checked.value.trim();
  const elements = elementsOf(text, { start: 0, end: text.length });
  if (elements === null) {
    const message = readOne(text);
    return message.ok ? ok({ messages: [message.value], batch: false }) : message;
  }
  if (elements.length === 0 || elements.length > limits.mcpBatchMax) {
    const detail = `a batch must hold 1 to ${limits.mcpBatchMax} messages`;
    return err({ reason: 'not_a_message', detail, idText: null });
  }
  const messages: RpcMessage[] = [];
  for (const element of elements) {
    const message = readOne(slice(text, element));
    if (!message.ok) return message;
    messages.push(message.value);
  }
  return ok({ messages, batch: true });
}

/** Whether a text, once it is parsed, is not more than a client may send. */
export const isInMeasure = (raw: string | Uint8Array): boolean =>
  raw.length <= limits.mcpMeasuredCharsMin || isWithinMeasure(asciiOf(raw), MEASURE);

/** What JSON is made of is ASCII; whatever else is there stays something else. */
const asciiOf = (raw: string | Uint8Array): string =>
  typeof raw === 'string' ? raw : Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1');

/** One message, whose parameters are the same to every reader: also to one that does not mind upper and lower case. */
function readOne(text: string): Result<RpcMessage, MessageFault> {
  const read = readEnvelope(text);
  if (!read.ok || read.value.kind === 'response') return read;
  const { members } = read.value;
  const params = members.get('params');
  if (params === undefined) return read;
  const given = namedOnce(text, params, PARAMS);
  const meta = given?.get('_meta');
  if (
    given !== null &&
    (meta === undefined || text[meta.start] !== '{' || namedOnce(text, meta, META) !== null)
  )
    return read;
  const idText = read.value.kind === 'request' ? read.value.idText : null;
  return err({ reason: 'not_a_message', detail: 'parameters in two cases, in another, or too many', idText });
}

/** The members at a span; null where one of them has two readings, or there are more than anybody has use for. */
function namedOnce(text: string, { start }: Span, known: KnownNames): ReadonlyMap<string, Span> | null {
  const members = membersOf(text, start);
  const isUsable =
    members !== null && members.size <= limits.mcpParamsMax && !hasVariant(members.keys(), known);
  return isUsable ? members : null;
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
