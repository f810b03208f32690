/** One request on its way through the pipeline. Steps fill it in; what a later step uses, an earlier one checked. */
import type { Result } from '../kernel/index.ts';
import type { DecidedAlert, ToolRefusalCode } from '../policy/index.ts';
import type { BodyFraming, RequestHead, Target, WebSocketRequest } from '../wire/index.ts';
import { NO_OCCASION, type Occasion } from './correlation.ts';
import { methodsOf } from './overrides.ts';
import { type BodyReading, OPAQUE } from './inject/body-reading.ts';
import type { Injection } from './inject/injection.ts';
import type { MethodWatch } from './inject/method-watch.ts';
import type { RequestFacts } from './ports.ts';
import type { SigningClaim } from './inject/signer.ts';

const NO_ALERTS: readonly DecidedAlert[] = [];

/** What is known of a connection before its first request: decided by the kernel and by TLS, not by the sender. */
export interface Arrival {
  readonly scheme: 'https' | 'http';
  /** Port that was connected to. */
  readonly port: number;
  /** Address that was connected to. */
  readonly address: string;
  /** Names that the cell's resolver gave this address for; undefined when it never did. */
  readonly names: ReadonlySet<string> | undefined;
  /** The name of the certificate; null without TLS. */
  readonly sni: string | null;
}

/** A head as its codec read it. `chunked` stands for every body that says itself where it ends. */
export interface Incoming {
  readonly head: RequestHead;
  readonly framing: Result<BodyFraming, string>;
}

/** A body is read whole where a credential may go into it, or where it is small; otherwise it streams. */
export type BodyMode = 'none' | 'stream' | 'whole';

const NO_TARGET: Target = { path: '', query: null, raw: '' };

export class EgressRequest {
  readonly id: string;
  readonly arrival: Arrival;
  readonly head: RequestHead;
  /** Where the body ends, or why that is uncertain: what the codec made of the head. */
  readonly declared: Result<BodyFraming, string>;
  /** What it is recorded as. */
  readonly scheme: RequestFacts['scheme'];
  /** Null until it is certain. */
  framing: BodyFraming | null = null;
  /** Canonical name, agreed by address, TLS and Host. */
  host = '';
  target: Target = NO_TARGET;
  bodyMode: BodyMode = 'none';
  /** The handshake, where it asks to become a WebSocket. */
  webSocket: WebSocketRequest | null = null;
  /** What the body is read as. */
  reading: BodyReading = OPAQUE;
  /** The calls that it may belong to. */
  occasion: Occasion = NO_OCCASION;
  /** Why no tool that runs should send it, where that is only to be told. */
  unexpected: ToolRefusalCode | null = null;
  /** The owner's rules that want somebody to be told of it. */
  alerts: readonly DecidedAlert[] = NO_ALERTS;
  /** Where credentials go, found by the placeholders that stand there. */
  readonly injections: Injection[] = [];
  /** Signatures in the head that may have been made with placeholders. */
  readonly signatures: SigningClaim[] = [];
  /** Looks for another method in the body; null where there is none to be found. */
  methodWatch: MethodWatch | null = null;
  /** Nobody waits for an answer any more: its body is searched no further. */
  isOver = false;
  #methods: readonly string[] | null = null;

  /** @param scheme where that is not the one of its arrival */
  constructor(
    id: string,
    arrival: Arrival,
    { head, framing }: Incoming,
    scheme: RequestFacts['scheme'] = arrival.scheme,
  ) {
    this.id = id;
    this.arrival = arrival;
    this.scheme = scheme;
    this.head = head;
    this.declared = framing;
  }

  /** Every method that an upstream may take it for: rules have to allow each. */
  get methods(): readonly string[] {
    this.#methods ??= methodsOf(this.head);
    return this.#methods;
  }

  /** Its body says that it is one with these methods, too. */
  alsoMeans(methods: readonly string[]): void {
    this.#methods = [...new Set([...this.methods, ...methods])];
  }

  get port(): number {
    return this.arrival.port;
  }
}
