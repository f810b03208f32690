/** Recordings of sessions, as the front feeds them. */
import type { RuleDecision, RuleRequest } from '../../policy/index.ts';
import type { CallFacts } from './call-audit.ts';
import type { Principal } from './callers.ts';

/** What is kept of what clients and servers say. Nothing of it throws, or waits, but where it says so. */
export interface Recorder {
  begin(client: RecordedClient): Tape;
}

interface RecordedClient {
  readonly principal: Principal;
  readonly profile: string | null;
  /** The only server of its endpoint; null: all of the profile. */
  readonly server: string | null;
  /** Whether it is a connection, or each request comes by itself. */
  readonly via: 'session' | 'requests';
}

/** What is recorded of one client. */
export interface Tape {
  request(message: { readonly text: string }): TapedRequest;
  /** Anything else that the client said. */
  received(message: { readonly text: string }): void;
  /** Anything but an answer that it was sent. @param about the request that it belongs to, if known */
  sent(text: string, about: TapedRequest | null): void;
  /** The client is gone. */
  hangUp(): void;
}

/** What is recorded of one request. */
export interface TapedRequest {
  readonly number: number;
  readonly raised: 'off' | 'metadata' | 'arguments' | 'full';
  /** Whether it is kept, whatever rules say of it. */
  readonly wanted: boolean;
  /** Resolves when it may go on. @throws AppError `recording_unavailable` */
  judged(asked: RuleRequest, decision: RuleDecision): Promise<void>;
  called(call: Pick<CallFacts, 'server' | 'tool' | 'cell'> & { readonly call: string }): void;
  /** It goes to its server, and is no call. */
  asked(of: Pick<CallFacts, 'server' | 'cell'>): void;
  /** @param text null: none, because the client gave up */
  answered(text: string | null): void;
}
