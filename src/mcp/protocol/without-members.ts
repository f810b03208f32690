import { paramSpan, readEnvelope, type RpcRequest, rewritten } from './message.ts';
import { type Edit, keepMembers, membersOf, slice, splice } from './raw-json.ts';

/** What is sent of a request: its text, and what is changed of it on the way. */
interface Sent {
  readonly message: RpcRequest;
  readonly edits?: readonly Edit[];
}

/** The request without some of its parameters, with all else that is to be changed of it. */
export function withoutMembers<T extends Sent>(sent: T, names: readonly string[]): T {
  if (names.every((name) => paramSpan(sent.message, name) === null)) return sent;
  const edited = envelope(rewritten(sent.message, null, sent.edits));
  const params = edited.members.get('params');
  const members = params === undefined ? null : membersOf(edited.text, params.start);
  if (params === undefined || members === null) return sent;
  const text = keepMembers(edited.text, members, (name) => !names.includes(name));
  const message = envelope(splice(edited.text, [{ ...params, text }]));
  return { ...sent, message, edits: [] };
}

/**
 * The request with only some members of its `_meta`, and with all else that is to be changed of it.
 *
 * @param isKept told the name and the value, a JSON text
 */
export function keepingOfMeta<T extends Sent>(sent: T, isKept: (name: string, text: string) => boolean): T {
  const before = paramSpan(sent.message, '_meta');
  if (before === null) return sent;
  const members = metaOf(sent.message);
  if (members !== null && [...members].every(([name, span]) => isKept(name, slice(sent.message.text, span))))
    return sent;
  const edited = envelope(rewritten(sent.message, null, sent.edits));
  const meta = paramSpan(edited, '_meta');
  if (meta === null) return sent;
  const text = keepMembers(edited.text, metaOf(edited) ?? new Map(), isKept);
  const message = envelope(splice(edited.text, [{ ...meta, text }]));
  return { ...sent, message, edits: [] };
}

/** What JSON-RPC has in a request. */
const OWN: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);

/** The request without what stands beside its parameters, with all else that is to be changed of it. */
export function withoutOthers<T extends Sent>(sent: T): T {
  if ([...sent.message.members.keys()].every((name) => OWN.has(name))) return sent;
  const { text, members } = envelope(rewritten(sent.message, null, sent.edits));
  return { ...sent, message: envelope(keepMembers(text, members, (name) => OWN.has(name))), edits: [] };
}

/** Null for what is no object, or one with names that two readers take for one. */
function metaOf(message: RpcRequest): ReturnType<typeof membersOf> {
  const meta = paramSpan(message, '_meta');
  return meta === null ? null : membersOf(message.text, meta.start);
}

function envelope(text: string): RpcRequest {
  const parsed = readEnvelope(text);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('a changed request is no request');
  return parsed.value;
}
