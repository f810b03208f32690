/**
 * A WebSocket between a program and an upstream, after both have agreed to it: messages both ways, and one end. Either
 * side's Close is passed on, and the other has a while to answer it; what may not be relayed ends both sides with a
 * Close that says why to the program, and no more than a code to the upstream (RFC 6455 section 7).
 */
import { limits, type Random } from '../../kernel/index.ts';
import { type BodySink, encodeClose, Fields, OPCODE, parseClose } from '../../wire/index.ts';
import type { WebSocketEnding } from '../exchange-record.ts';
import type { ExchangeClient, RequestStream } from '../message.ts';
import { Refusal, toWireRefusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import { closeCodeFor } from './close-code.ts';
import { FrameOutput, MaskingKeys } from './frame-output.ts';
import { ReceivedMessages } from './received-messages.ts';
import { SentMessages, type SentMessagesCarrier, type SentMessagesHost } from './sent-messages.ts';
import type { ScrubSource } from './message-scrubber.ts';

export interface RelayHost extends SentMessagesHost {
  readonly random: Random;
}

/** Both ends, and what they were opened with. */
export interface RelayEnds {
  readonly client: Pick<ExchangeClient, 'data' | 'resumeInput'>;
  readonly upstream: RequestStream;
  readonly request: EgressRequest;
}

/** Who owns the relay. */
export interface RelayCarrier extends ScrubSource, Pick<SentMessagesCarrier, 'open'> {
  /** It must not go on: `refuse` is next, once that is on record. */
  onBroken(reason: unknown): void;
  /** Nothing more comes or goes. @param code why, where it was not closed as it should be */
  onRelayEnd(code: 'client_closed' | 'egress_upstream_closed' | null): void;
}

const NO_TRAILERS = new Fields();

export class WebSocketRelay implements BodySink {
  readonly #host: RelayHost;
  readonly #ends: RelayEnds;
  readonly #carrier: RelayCarrier;
  readonly #toClient: FrameOutput;
  readonly #toUpstream: FrameOutput;
  readonly #sent: SentMessages;
  readonly #received: ReceivedMessages;
  #closeCode: number | null = null;
  #closedBy: WebSocketEnding['closedBy'] = null;
  /** Monotonic milliseconds of the first Close. */
  #closingSince: number | null = null;

  constructor(ends: RelayEnds, host: RelayHost, carrier: RelayCarrier) {
    const { client, upstream, request } = ends;
    this.#ends = ends;
    this.#host = host;
    this.#carrier = carrier;
    this.#toClient = new FrameOutput((data) => client.data(data), null);
    this.#toUpstream = new FrameOutput((data) => upstream.write(data), new MaskingKeys(host.random));
    this.#sent = new SentMessages(request, host, this.#toUpstream, {
      open: (binding) => carrier.open(binding),
      onSentRoom: () => {
        this.#endWhenClosed();
        client.resumeInput();
      },
      onSentClose: (payload) => this.#closed('client', payload),
      onSentEnd: () => {
        /* After a Close it may still read what the upstream has to say. */
        if (!this.#isClosing) carrier.onRelayEnd('client_closed');
      },
      onBroken: (reason) => carrier.onBroken(reason),
    });
    this.#received = new ReceivedMessages(host, this.#toClient, {
      get scrubSet() {
        return carrier.scrubSet;
      },
      onHit: (hit) => carrier.onHit(hit),
      onPing: (payload) => this.#sent.pinged(payload),
      onReceivedClose: (payload) => this.#closed('upstream', payload),
      onBroken: (reason) => carrier.onBroken(reason),
    });
  }

  /** Where bytes of the program go now; null while they have to wait. */
  get sink(): BodySink | null {
    return this.#sent.isFull ? null : this;
  }

  /** Bytes of the program. */
  onBody(data: Buffer): void {
    this.#guard(() => this.#sent.read(data));
  }

  get sentBytes(): number {
    return this.#sent.bytes;
  }

  get receivedBytes(): number {
    return this.#toClient.bytes;
  }

  /** How far it came. */
  get ending(): WebSocketEnding {
    return {
      sent: this.#sent.messages,
      received: this.#received.messages,
      closeCode: this.#closeCode,
      closedBy: this.#closedBy,
      credentials: this.#sent.credentials,
    };
  }

  /** Bytes of the upstream. */
  received(data: Buffer): void {
    this.#guard(() => this.#received.read(data));
    if (this.#toClient.isFull) this.#ends.upstream.pause();
    this.#endWhenClosed();
  }

  /** After bytes of the program. */
  sentAdvanced(): void {
    this.#endWhenClosed();
  }

  /** The program's side of the connection has ended. */
  clientEnded(): void {
    this.#sent.end();
  }

  upstreamEnded(): void {
    this.#carrier.onRelayEnd(this.#isClosing ? null : 'egress_upstream_closed');
  }

  clientDrained(): void {
    this.#toClient.isFull = false;
    this.#ends.upstream.resume();
  }

  upstreamDrained(): void {
    this.#sent.drained();
  }

  /**
   * @param now monotonic milliseconds
   * @param lastActive of either end
   */
  checkDeadline(now: number, lastActive: number): void {
    const { withdrawn } = this.#sent;
    if (withdrawn !== null) this.#carrier.onBroken(withdrawn);
    else if (this.#closingSince !== null) {
      if (now - this.#closingSince >= limits.webSocketCloseTimeoutMs) this.#carrier.onRelayEnd(null);
    } else if (now - lastActive >= limits.webSocketIdleTimeoutMs) {
      this.#carrier.onBroken(Refusal.of('egress_timeout'));
    }
  }

  /** Nothing more is taken from either end. */
  stop(): void {
    this.#sent.stop();
    this.#received.stop();
  }

  /** Tells both ends that it is over, and the program why. */
  refuse(reason: unknown): void {
    const { code, message } = toWireRefusal(reason);
    const closeCode = closeCodeFor(reason);
    if (!this.#isClosing) this.#markClosed('gateway', closeCode);
    this.#toClient.control(OPCODE.close, encodeClose(closeCode, `${code}: ${message}`));
    this.#toUpstream.control(OPCODE.close, encodeClose(closeCode, ''));
    this.#toClient.flush();
    this.#toUpstream.flush();
  }

  /** Lets the upstream take what is written for it, and no more. */
  endUpstream(): void {
    this.#ends.upstream.end(NO_TRAILERS);
  }

  /** A mistake of ours is one more reason to end this, and none to take the others along. */
  #guard(pass: () => void): void {
    try {
      pass();
    } catch (error) {
      this.#carrier.onBroken(error);
    }
  }

  get #isClosing(): boolean {
    return this.#closingSince !== null;
  }

  #closed(by: 'client' | 'upstream' | 'gateway', payload: Buffer): void {
    const status = parseClose(payload);
    if (!this.#isClosing) this.#markClosed(by, status.ok ? status.value.code : null);
  }

  #markClosed(by: 'client' | 'upstream' | 'gateway', code: number | null): void {
    this.#closedBy = by;
    this.#closeCode = code;
    this.#closingSince = this.#host.clock.monotonic();
  }

  #endWhenClosed(): void {
    if (this.#toClient.isClosed && this.#toUpstream.isClosed) this.#carrier.onRelayEnd(null);
  }
}
