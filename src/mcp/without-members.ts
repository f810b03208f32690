import { paramSpan, readEnvelope, type RpcRequest, rewritten } from './message.ts';
import { type Edit, membersOf, slice, splice } from './raw-json.ts';

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
  const kept = [...members]
    .filter(([name]) => !names.includes(name))
    .map(([name, span]) => `${JSON.stringify(name)}:${slice(edited.text, span)}`);
  const message = envelope(splice(edited.text, [{ ...params, text: `{${kept.join(',')}}` }]));
  return { ...sent, message, edits: [] };
}

function envelope(text: string): RpcRequest {
  const parsed = readEnvelope(text);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('a changed request is no request');
  return parsed.value;
}
