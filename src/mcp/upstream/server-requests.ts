/**
 * Requests that go the other way: a server asks the client (sampling, elicitation, roots). A stdio server does
 * not say which call its request belongs to, so it is forwarded only when there is exactly one client that it
 * can be for: the one whose calls it is busy with, or the only one that there is; otherwise the server is told why not.
 */
import { limits } from '../../kernel/index.ts';
import { withdrawal } from '../protocol/cancellation.ts';
import {
  paramSpan,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  resultText,
  rewritten,
} from '../protocol/message.ts';
import { slice } from '../protocol/raw-json.ts';
import { errorText, rpcCode } from '../protocol/rpc-error.ts';

/** Calls of one caller: whichever of them is asked, it is the same one who answers. */
export interface Kin {
  readonly caller: string;
  /** Of several, the highest is the one to ask. */
  readonly rank: number;
}

/** A client session as an upstream connection sees it, or one call of a client that has none. */
export interface Attachment {
  /** Set for one call of a client that has no session: its others may be asked in its place. */
  readonly kin?: Kin;
  /** Whether a request could be delivered now. */
  reachable(): boolean;
  /** Whether the client said that it answers such. */
  answers(request: RpcRequest): boolean;
  /** Least severe log level that the client asked for; null where it did not say. */
  logLevel(): string | null;
  /**
   * Forwards a server's request. Returns the way to cancel it.
   *
   * @param reply gets the client's answer, once; its id is not the server's
   * @param relatedIdText the client's request that it is about, where that is known
   */
  ask(
    request: RpcRequest,
    reply: (response: RpcResponse) => void,
    relatedIdText: string | null,
  ): (notification: RpcNotification) => void;
  /**
   * A notification of the server.
   *
   * @param relatedIdText the client's request that it is about, where that is known
   */
  notified(notification: RpcNotification, relatedIdText: string | null): void;
  /** A progress notification with the client's own token, for the client's request with this id. */
  progressed(text: string, idText: string): void;
  /** The server has its stream for the client's request with this id closed until `retryMs` from now, or until `again`. */
  paused?(idText: string, retryMs: number, again: () => void): void;
  /** The server is gone. */
  gone(error: Error): void;
}

export interface ServerRequests {
  /**
   * @param about the connection's own request that it came in answer to, where the transport tells
   * @returns false: refused without anybody's having been asked
   */
  received(request: RpcRequest, about: string | null): boolean;
  cancelled(notification: RpcNotification): void;
  /** A session left: what it was asked is answered with an error. */
  dropped(attachment: Attachment): void;
  /** The server is gone: nobody waits for what it asked. */
  closed(): void;
}

type Candidate = readonly [Attachment | null, string | null];

/** The only candidate, or the first of those that stand for each other; null where it cannot be told. */
function theOne(candidates: readonly Candidate[]): Candidate | null {
  const [first, ...others] = candidates;
  const caller = first?.[0]?.kin?.caller;
  if (first === undefined || others.length === 0) return first ?? null;
  if (caller === undefined || others.some(([each]) => each?.kin?.caller !== caller)) return null;
  const rank = ([each]: Candidate): number => each?.kin?.rank ?? 0;
  return candidates.reduce((best, each) => (rank(each) > rank(best) ? each : best));
}

type Unaddressed = 'client_absent' | 'client_ambiguous';

const UNADDRESSED: Readonly<Record<Unaddressed, string>> = {
  client_absent: 'No client is connected that could answer.',
  client_ambiguous: 'Several clients share this server, so it cannot be told which of them is meant.',
};

interface Asked {
  readonly attachment: Attachment;
  cancel(notification: RpcNotification): void;
}

interface Deps {
  readonly slug: string;
  attached(): ReadonlySet<Attachment>;
  /** Who may be meant by a request that came at this point; null stands for somebody without a session. */
  busyWith(about: string | null): ReadonlyMap<Attachment | null, string | null>;
  /** It is busy with a question, or has its answer: the time that somebody takes to answer is not the server's. */
  touched(attachment: Attachment): void;
  write(text: string): void;
}

export function createServerRequests(deps: Deps): ServerRequests {
  const asked = new Map<string, Asked>();

  const refuse = (request: RpcRequest, code: number, reason: string, message: string): false => {
    deps.write(errorText(request.idText, code, { code: reason, message }));
    return false;
  };

  /** The one who is meant, with its request; or why it cannot be told. */
  function addressee(about: string | null): readonly [Attachment, string | null] | Unaddressed {
    const busy = deps.busyWith(about);
    // Whoever is being worked for may be meant, also one that cannot be reached now.
    const candidates: readonly Candidate[] =
      busy.size > 0
        ? [...busy]
        : [...deps.attached()].filter((each) => each.reachable()).map((each) => [each, null] as const);
    const [attachment, idText] = theOne(candidates) ?? [null, null];
    if (attachment === null && candidates.length > 1) return 'client_ambiguous';
    return attachment?.reachable() === true ? [attachment, idText] : 'client_absent';
  }

  function forward(request: RpcRequest, about: string | null): boolean {
    const found = addressee(about);
    if (typeof found === 'string') return refuse(request, rpcCode.server, found, UNADDRESSED[found]);
    const [attachment, relatedIdText] = found;
    if (!attachment.answers(request)) {
      const why = `The client does not answer ${request.method}.`;
      return refuse(request, rpcCode.methodNotFound, 'client_unsupported', why);
    }
    const reply = (response: RpcResponse): void => {
      if (!asked.delete(request.idText)) return;
      deps.touched(attachment);
      deps.write(rewritten(response, request.idText));
    };
    deps.touched(attachment);
    const entry: Asked = { attachment, cancel: () => undefined };
    // Before it is asked: what cannot reach its client is answered at once.
    asked.set(request.idText, entry);
    entry.cancel = attachment.ask(request, reply, relatedIdText);
    return true;
  }

  return {
    received(request, about) {
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
      if (asked.size < limits.mcpServerRequestsMax) return forward(request, about);
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
    closed() {
      for (const entry of asked.values()) entry.cancel(withdrawal('The server that asked is gone.'));
      asked.clear();
    },
  };
}
