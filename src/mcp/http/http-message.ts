/**
 * What the front needs of an HTTP request and its response, whoever has them off the connection: Node's own server, or
 * `posts/`. Both of Node are of these shapes as they are.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { BodyShare } from './body-room.ts';
import type { Soon } from '../soon.ts';

export interface FrontRequest {
  readonly method?: string | undefined;
  /** The target as received; a token in it is taken off. */
  url?: string | undefined;
  /** By name in lower case, as Node has them. */
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

export interface FrontResponse {
  readonly headersSent: boolean;
  /** The connection is gone. */
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  /** All of it was handed to the operating system. */
  readonly writableFinished: boolean;
  /** Bytes that the client has not taken yet. */
  readonly writableLength: number;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers?: Readonly<Record<string, string | number>>): FrontResponse;
  flushHeaders(): void;
  write(text: string): unknown;
  end(text?: string): unknown;
  destroy(): unknown;
  /** Told once: it is finished, or the client is gone. */
  once(event: 'close', listener: () => void): unknown;
}

/** One request, and what is needed to answer it. */
export interface HttpVisit {
  readonly req: FrontRequest;
  readonly res: FrontResponse;
  /**
   * The whole body as bytes.
   *
   * @param share told of what comes of one that is not there at once
   * @throws AppError `mcp_message_too_large`, `mcp_bodies_too_large`, `mcp_body_incomplete`
   */
  readonly body: (share: BodyShare) => Soon<Buffer>;
}
