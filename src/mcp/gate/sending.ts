/** A request on its last steps to a server, once it may go: what its definition wants beside it, and questions in between. */
import { askBack } from './ask-back.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { Forwarded } from './forwarded.ts';
import { paramSpan, type RpcResponse } from '../protocol/message.ts';
import { paramHeadersOf } from '../protocol/param-headers.ts';
import { type Edit, find, slice } from '../protocol/raw-json.ts';
import { rpcCode } from '../protocol/rpc-error.ts';
import type { ListedTool } from '../upstream/tool-catalog.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

/** @throws AppError why it was cancelled, `upstream_…` */
export function send(upstream: OpenUpstream, request: Forwarded): Promise<RpcResponse> {
  const sent = sendOnce(upstream, request);
  const mayBeAsked = upstream.hello.era === 'stateless' && request.client.era === 'session';
  return mayBeAsked ? askedBack(upstream, request, sent) : sent;
}

/**
 * A call of a tool as its server lists it.
 *
 * @param found null: it lists none of that name
 * @param listedAnew the tool as the server lists it by now, under the same rules as before; null: it may not be called
 */
export function sendCall(
  upstream: OpenUpstream,
  found: ListedTool | null,
  request: Forwarded,
  listedAnew: () => Promise<ListedTool | null>,
): Promise<RpcResponse> {
  if (found === null) return send(upstream, request);
  const sent = send(upstream, repeating(found, request));
  return upstream.hello.era === 'stateless'
    ? sentAgain(upstream, found, request, { sent, listedAnew })
    : sent;
}

/** The parameters of a call, as its client wrote them; null where it has none. */
export function argumentsOf({ message }: Pick<ClientRequest, 'message'>): string | null {
  const given = paramSpan(message, 'arguments');
  return given === null ? null : slice(message.text, given);
}

function sendOnce(upstream: OpenUpstream, request: Forwarded): Promise<RpcResponse> {
  const { control } = request;
  control.assertGoing();
  const pending = upstream.connection.request(request);
  control.bind(pending);
  return pending.response;
}

/** What a stateless server asks in its answer, a client with a session is asked on the way. */
async function askedBack(
  upstream: OpenUpstream,
  request: Forwarded,
  sent: Promise<RpcResponse>,
): Promise<RpcResponse> {
  const { message, owner, control } = request;
  const again = (edits: readonly Edit[]): Promise<RpcResponse> =>
    sendOnce(upstream, { ...request, edits: [...(request.edits ?? []), ...edits] });
  const errand = { slug: upstream.connection.slug, message, owner, control, send: again };
  return askBack(errand, await sent);
}

/** Where the server turned it away for the headers beside it, once more, with those of its definition by now, and no oftener. */
async function sentAgain(
  upstream: OpenUpstream,
  found: ListedTool,
  request: Forwarded,
  {
    sent,
    listedAnew,
  }: { readonly sent: Promise<RpcResponse>; readonly listedAnew: () => Promise<ListedTool | null> },
): Promise<RpcResponse> {
  const answer = await sent;
  if (!wantsOtherHeaders(answer)) return answer;
  const now = await listedAnew();
  // The server did nothing yet: that is what this answer says.
  return now === null || now.text === found.text ? answer : send(upstream, repeating(now, request));
}

/** What the definition wants repeated beside the call is the gateway's to say: few clients have a place for it. */
function repeating({ text }: ListedTool, request: Forwarded): Forwarded {
  const repeated = paramHeadersOf(text, argumentsOf(request));
  if (repeated.size === 0) return request;
  const paramHeaders = new Map([...request.carried.paramHeaders, ...repeated]);
  return { ...request, carried: { ...request.carried, paramHeaders } };
}

/** Whether a server elsewhere turned a call away for the headers beside it: its definition asks for others by now. */
function wantsOtherHeaders({ failed, text, members }: RpcResponse): boolean {
  const error = members.get('error');
  if (!failed || error === undefined) return false;
  const code = find(text, error.start, ['code']);
  return code !== null && slice(text, code) === String(rpcCode.headerMismatch);
}
