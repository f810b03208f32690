/** The requests of one connection while their answers are waited for, and who of those who sent them is meant by what the server says meanwhile. */
import type { AppError } from '../../kernel/index.ts';
import type { Carried, ClientFacts } from '../client/client-facts.ts';
import { mayAsk } from '../client/input-required.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../protocol/message.ts';
import type { UpstreamEra } from '../ports/upstreams.ts';
import type { Edit } from '../protocol/raw-json.ts';
import type { Attachment } from './server-requests.ts';

export interface OutgoingRequest {
  readonly message: RpcRequest;
  /** Changes besides the id and the progress token. */
  readonly edits?: readonly Edit[];
  /** The session that asked; null for the gateway's own requests. */
  readonly owner: Attachment | null;
  /** What asked; absent for the gateway's own requests. */
  readonly client?: ClientFacts;
  /** What came beside it. */
  readonly carried?: Carried;
  /** Ends after this long without an answer or progress. */
  readonly idleMs?: number;
  /** Where it must not be that of the connection. */
  readonly era?: UpstreamEra;
  /** For a subscription, which stays open for as long as the server likes: what comes on it. */
  readonly changes?: (notification: RpcNotification) => void;
}

/** A request that was written to the server. */
export interface PendingRequest {
  /** @throws AppError `upstream_…` when no answer comes */
  readonly response: Promise<RpcResponse>;
  /**
   * Gives up: the server is told, and a late answer is dropped.
   *
   * @param notification the client's own `notifications/cancelled`, forwarded with the id replaced
   */
  cancel(error: AppError, notification?: RpcNotification): void;
}

/** One that is not answered yet. */
export interface WaitingRequest {
  readonly request: OutgoingRequest;
  /** The client's progress token as written; null where it wants no progress. */
  readonly progressToken: string | null;
  readonly resolve: (response: RpcResponse) => void;
  readonly reject: (error: AppError) => void;
  /** Null for what may take any time. */
  readonly timer: NodeJS.Timeout | null;
}

/** Those who asked for log messages, with the request of theirs that such a message is about: null where it may be several. */
export function hearers(waiting: Iterable<WaitingRequest>): ReadonlyMap<Attachment, string | null> {
  const found = new Map<Attachment, string | null>();
  for (const { request } of waiting) {
    const { owner, client, message } = request;
    if (owner === null || client === undefined || client.logLevel === null) continue;
    found.set(owner, found.has(owner) ? null : message.idText);
  }
  return found;
}

/**
 * For whom the server works, with the request of theirs that this is about: null where it may be several. What can have
 * questions of its own counts first; requests of the gateway's own stand under null.
 */
export function busyWith(waiting: Iterable<WaitingRequest>): ReadonlyMap<Attachment | null, string | null> {
  const asking = new Map<Attachment | null, string | null>();
  const other = new Map<Attachment | null, string | null>();
  for (const { request } of waiting) {
    const { owner, message } = request;
    const found = mayAsk(message.method) ? asking : other;
    if (owner === null && found === other) continue;
    found.set(owner, found.has(owner) ? null : message.idText);
  }
  return asking.size > 0 ? asking : other;
}
