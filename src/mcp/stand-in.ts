/** What a session may ask for and a server of revision 2026-07-28 does not know: answered here, in its place. */
import type { ClientSession } from './client-session.ts';
import type { RpcRequest } from './message.ts';
import { requiredParam } from './params.ts';
import type { OpenUpstream } from './upstream-directory.ts';

/**
 * @param uri the server's own of the resource that the request is about
 * @returns the `result`; null where the request is the server's to answer
 * @throws AppError `mcp_params_invalid`, `upstream_…`
 */
export async function standIn(
  session: ClientSession,
  upstream: OpenUpstream,
  message: RpcRequest,
  uri?: string,
): Promise<string | null> {
  if (upstream.hello.era === 'session') return null;
  switch (message.method) {
    case 'logging/setLevel':
      // It goes with each request from now on.
      session.levels.set(requiredParam(message, 'level'));
      return '{}';
    case 'resources/subscribe':
      await watchHere(session, upstream, uri ?? requiredParam(message, 'uri'));
      return '{}';
    case 'resources/unsubscribe': {
      const attachment = session.attachment(upstream);
      if (attachment !== null) upstream.watchers.remove(uri ?? requiredParam(message, 'uri'), attachment);
      await upstream.watchers.settle();
      return '{}';
    }
    default:
      return null;
  }
}

/** Has a stateless server report what becomes of a resource. @throws AppError `upstream_…` */
export async function watchHere(session: ClientSession, upstream: OpenUpstream, uri: string): Promise<void> {
  const attachment = session.attachment(upstream);
  if (attachment === null) return;
  upstream.watchers.add(uri, attachment);
  try {
    await upstream.watchers.settle();
  } catch (error) {
    upstream.watchers.remove(uri, attachment);
    throw error;
  }
}
