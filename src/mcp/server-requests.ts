/**
 * Requests that go the other way: a server asks the client (sampling, elicitation, roots). A stdio server does
 * not say which call its request belongs to, so it is forwarded only when there is exactly one client that it
 * can be for; otherwise the server is told why not.
 */
import { limits } from '../kernel/index.ts';
import {
  paramSpan,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  resultText,
  rewritten,
} from './message.ts';
import { slice } from './raw-json.ts';
import { errorText, rpcCode } from './rpc-error.ts';

/** A client session as an upstream connection sees it. */
export interface Attachment {
  /** Whether a request could be delivered now. */
  reachable(): boolean;
  /** Whether the client said that it answers this method. */
  answers(method: string): boolean;
  /** Least severe log level that the client asked for; null where it did not say. */
  logLevel(): string | null;
  /** Forwards a server's request; `reply` gets the client's answer, id unchanged, once. Returns the way to cancel. */
  ask(request: RpcRequest, reply: (response: RpcResponse) => void): (notification: RpcNotification) => void;
  /**
   * A notification of the server.
   *
   * @param relatedIdText the client's request that it is about, where that is known
   */
  notified(notification: RpcNotification, relatedIdText: string | null): void;
  /** A progress notification with the client's own token, for the client's request with this id. */
  progressed(text: string, idText: string): void;
  /** The server is gone. */
  gone(error: Error): void;
}

export interface ServerRequests {
  /** @returns false: refused without anybody's having been asked */
  received(request: RpcRequest): boolean;
  cancelled(notification: RpcNotification): void;
  /** A session left: what it was asked is answered with an error. */
  dropped(attachment: Attachment): void;
  closed(): void;
}

interface Asked {
  readonly attachment: Attachment;
  readonly cancel: (notification: RpcNotification) => void;
}

interface Deps {
  readonly slug: string;
  attached(): ReadonlySet<Attachment>;
  write(text: string): void;
}

export function createServerRequests(deps: Deps): ServerRequests {
  const asked = new Map<string, Asked>();

  const refuse = (request: RpcRequest, code: number, reason: string, message: string): false => {
    deps.write(errorText(request.idText, code, { code: reason, message }));
    return false;
  };

  function forward(request: RpcRequest): boolean {
    const reachable = [...deps.attached()].filter((attachment) => attachment.reachable());
    const [attachment] = reachable;
    if (attachment === undefined)
      return refuse(request, rpcCode.server, 'client_absent', 'No client is connected that could answer.');
    if (reachable.length > 1) {
      const why = 'Several clients share this server, so it cannot be told which of them is meant.';
      return refuse(request, rpcCode.server, 'client_ambiguous', why);
    }
    if (!attachment.answers(request.method)) {
      const why = `The client does not answer ${request.method}.`;
      return refuse(request, rpcCode.methodNotFound, 'client_unsupported', why);
    }
    const reply = (response: RpcResponse): void => {
      if (asked.delete(request.idText)) deps.write(rewritten(response, request.idText));
    };
    const cancel = attachment.ask(request, reply);
    asked.set(request.idText, { attachment, cancel });
    return true;
  }

  return {
    received(request) {
      if (request.method === 'ping') {
        deps.write(resultText(request.idText, '{}'));
        return true;
      }
      if (asked.has(request.idText))
        return refuse(
          request,
          rpcCode.invalidRequest,
          'id_in_use',
          'A request with this id is waiting already.',
        );
      if (asked.size < limits.mcpServerRequestsMax) return forward(request);
      return refuse(
        request,
        rpcCode.server,
        'too_many_requests',
        'Too many requests are waiting for the client.',
      );
    },
    cancelled(notification) {
      const span = paramSpan(notification, 'requestId');
      const idText = span === null ? null : slice(notification.text, span);
      const entry = idText === null ? undefined : asked.get(idText);
      if (idText === null || entry === undefined) return;
      asked.delete(idText);
      entry.cancel(notification);
    },
    dropped(attachment) {
      for (const [idText, entry] of asked) {
        if (entry.attachment !== attachment) continue;
        asked.delete(idText);
        deps.write(
          errorText(idText, rpcCode.server, { code: 'client_absent', message: 'The client went away.' }),
        );
      }
    },
    closed: () => asked.clear(),
  };
}
