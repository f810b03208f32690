/** How answers and other messages get to a client, whatever it is connected by. */
export interface ClientChannel {
  /** The answer to a request; null when there is none to come, because the client gave up. */
  answer(idText: string, text: string | null): void;
  /** A notification or a server's request. @param relatedIdText the client's request that it belongs to, if known */
  send(text: string, relatedIdText: string | null): void;
  /** Whether a server's request would reach the client now. */
  reachable(): boolean;
  /**
   * What has this request's answer is not heard before `retryMs` from now, or before it is asked `again`, because the client
   * waits. Absent: that is no matter to the client.
   */
  pause?(idText: string, retryMs: number, again: () => void): void;
  /** Whether headers beside its messages repeat their parameters; absent: they do not. */
  readonly mirrored?: boolean;
}
