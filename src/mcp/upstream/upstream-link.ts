/**
 * The seam between what is said to a server and how it travels: `UpstreamConnection` decides the one, a link does the
 * other. A link knows bytes, and which of them belong to which request; ids, sessions and their clients it never sees.
 */
import type { AppError } from '../../kernel/index.ts';
import type { Carried } from '../client/client-facts.ts';
import type { UpstreamExit } from '../ports/upstreams.ts';

/** A request on its way to the server. */
export interface LinkRequest {
  /** The connection's own id, as it stands in `text`; digits. */
  readonly idText: string;
  readonly text: string;
  /** As it stands in `text`. */
  readonly method: string;
  /** Of which kind of revision it is: where a transport says so beside the message, it says this. */
  readonly era: 'session' | 'stateless';
  /** What the client sent beside it, for a transport that has a place for that. */
  readonly carried: Carried;
}

export interface UpstreamLink {
  /** Bytes that the server has not taken yet. */
  readonly backlogBytes: number;
  /** What arrives from now on goes to the sink. Called once, before anything is sent. */
  listen(sink: LinkSink): void;
  /** The answer comes to `sink.message`, or to `sink.failed` why there is none. */
  request(request: LinkRequest): void;
  /** A notification, or the answer to a request of the server's own. */
  send(text: string): void;
  /**
   * Nobody waits for the answer to this request any more.
   *
   * @param notification what tells a server so, for links on which only a message can; null where none may be sent
   */
  cancel(idText: string, notification: string | null): void;
  /** What the server said before it failed, as it came, where its transport has a place for that; empty: nothing. */
  lastWords(): string;
}

export interface LinkSink {
  /**
   * A message as the server wrote it; nobody has looked at it yet.
   *
   * @param about id of the request that it came in answer to, where the transport tells; else it may be about any
   * @returns false: nobody wanted it, and it was dropped; a link may read on more slowly
   */
  message(text: string, about?: string): boolean;
  /** No answer to this request will come. `idText` null: to one of those that wait, and it cannot be told to which. */
  failed(idText: string | null, error: AppError): void;
  /**
   * The server ended the stream of this request before it answered, as it may: the link comes back for the rest.
   *
   * @param retryMs when
   * @param again has it come back at once: its client has, and waits
   */
  paused(idText: string, retryMs: number, again: () => void): void;
  /** Whether anybody waits for the answer to this request: until it was handed up, or given up. */
  waits(idText: string): boolean;
  /** The server is gone. Told once, after its last message. */
  exited(exit: UpstreamExit): void;
}
