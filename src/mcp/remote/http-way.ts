/** How messages travel to a server over HTTP, in one of the two forms that there are: `HttpLink` chooses. */
import type { AppError } from '../../kernel/index.ts';
import type { LinkRequest } from '../upstream/upstream-link.ts';

export interface HttpWaySink {
  /** As `LinkSink.message`. */
  message(text: string, about?: string): boolean;
  failed(idText: string | null, error: AppError): void;
  /** As `LinkSink.paused`. */
  paused(idText: string, retryMs: number, again: () => void): void;
  /** Whether anybody waits for the answer to this request. */
  waits(idText: string): boolean;
}

export interface HttpWay {
  readonly backlogBytes: number;
  /** Whether the server keeps a session for this connection. */
  readonly hasSession: boolean;
  request(request: LinkRequest): void;
  send(text: string): void;
  cancel(idText: string, notification: string | null): void;
  /** Tells the server that it is not needed any more. */
  farewell(): Promise<void>;
  /** Ends everything that is on its way. */
  close(): void;
}
