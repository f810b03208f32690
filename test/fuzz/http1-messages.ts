/** What a parser saw of a connection's bytes, in a form that two parsers can be compared in. */

export type Kind = 'request' | 'response';

export interface Message {
  /** `method target 1.x`, or `status phrase 1.x`. */
  readonly start: string;
  /** `name=value`, in order. */
  readonly fields: readonly string[];
  /** Latin-1. */
  readonly body: string;
  readonly trailers: readonly string[];
}

export interface Seen {
  /** Complete ones, in order. */
  readonly messages: readonly Message[];
  /** Why the rest was refused. */
  readonly error: string | null;
}
