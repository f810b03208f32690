/** What a session may ask for and a server of revision 2026-07-28 does not know: answered here, in its place. */
import type { ClientSession } from '../client/client-session.ts';
import type { ClientRequest } from '../client/client-request.ts';
import { requiredParam } from '../protocol/params.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

/** The server that a request is for. */
interface Answering {
  readonly server: ProfileServer;
  readonly upstream: OpenUpstream;
}

/**
 * @param uri the server's own of the resource that the request is about
 * @returns the `result`; null where the request is the server's to answer
 * @throws AppError `mcp_params_invalid`, `policy_…`, `limit_exceeded`, `upstream_…`
 */
export async function standIn(
  session: ClientSession,
  { server, upstream }: Answering,
  request: ClientRequest,
  uri?: string,
): Promise<string | null> {
  const { message } = request;
  if (upstream.hello.era === 'session') return null;
  switch (message.method) {
    case 'logging/setLevel':
      // It goes with each request from now on.
      session.levels.set(requiredParam(message, 'level'));
      return '{}';
    case 'resources/subscribe': {
      const own = uri ?? requiredParam(message, 'uri');
      await session.gate.watch(session.target(server, request), own, request, () =>
        watchHere(session, upstream, own),
      );
      return '{}';
    }
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
