/**
 * What a program sends on a WebSocket, on its way to the upstream. Every frame is read strictly and searched; a message
 * with a placeholder is filled in where the manifest declares it for messages, and ends the connection anywhere else,
 * before it is complete at the upstream. A text in which a place is declared is held until all of it is there; anything
 * else passes as it comes. No key goes into a message before its use is on record.
 */
import { type Clock, limits, type Secret } from '../../kernel/index.ts';
import { type FrameHead, FrameReader, type FrameSink, OPCODE } from '../../wire/index.ts';
import { bindWebSocketText, injectWebSocketText, type MessageInjection } from '../inject/bind-websocket.ts';
import { BodyScan } from '../inject/body-scan.ts';
import { turn } from '../inject/body-slices.ts';
import { boundCredentials } from '../inject/bound-credentials.ts';
import type { CellOverhead } from '../cell-overhead.ts';
import { type Binder, covers } from '../inject/claim.ts';
import { type CorrelationHost, judgeUses } from '../correlate.ts';
import type { Injection } from '../inject/injection.ts';
import type { BodyMemory } from '../message.ts';
import type { CredentialBinding } from '../ports.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import { bodyTooLarge, CollectedBody } from '../inject/request-body.ts';
import { ControlGate } from './control-gate.ts';
import type { FrameOutput } from './frame-output.ts';
import { SentControls } from './sent-controls.ts';
import { SmallFrames } from './small-frames.ts';

export interface SentMessagesHost extends Binder, CorrelationHost {
  readonly clock: Clock;
  readonly bodies: BodyMemory;
  readonly overhead: Pick<CellOverhead, 'draw'>;
  /** Whether the credential still has a value. */
  isSet(credential: string): boolean;
}

/** Who carries the messages. */
export interface SentMessagesCarrier {
  /** Opens a credential, once its use is on record. The value is the caller's to destroy. */
  open(binding: CredentialBinding): Promise<Secret>;
  /** More may be read. */
  onSentRoom(): void;
  /** The program has said that it sends no more. @param payload of its Close */
  onSentClose(payload: Buffer): void;
  /** It has sent its last byte, and all of it is written. */
  onSentEnd(): void;
  /** Nothing may be sent any more. */
  onBroken(reason: unknown): void;
}

interface Piece {
  readonly head: FrameHead;
  readonly data: Buffer;
  readonly isLast: boolean;
}

const MESSAGE = 'a WebSocket message';

export class SentMessages implements FrameSink {
  /** Bytes that came, frame heads included. */
  bytes = 0;
  messages = 0;
  /** Names of the credentials that went into messages. */
  readonly credentials = new Set<string>();
  readonly #request: EgressRequest;
  readonly #host: SentMessagesHost;
  readonly #carrier: SentMessagesCarrier;
  readonly #output: FrameOutput;
  readonly #gate: ControlGate;
  readonly #controls: SentControls;
  readonly #smallFrames: SmallFrames;
  readonly #reader = new FrameReader({ from: 'client', payloadBytesMax: limits.webSocketFrameBytesMax });
  /** Whether a text may have a credential in it. */
  readonly #isDeclared: boolean;
  /** What the connection was opened with, and what went into messages since: whoever sends more makes use of it. */
  readonly #uses: Pick<Injection, 'binding'>[];
  #frame: FrameHead | null = null;
  #isWithinMessage = false;
  /** The text that is held. */
  #text: CollectedBody | null = null;
  /** Texts that take memory until the upstream has taken them. */
  #unsent: CollectedBody[] = [];
  /** The search through a message that passes as it comes. */
  #scan: BodyScan | null = null;
  /** While a text is searched, or credentials for it are opened; what came behind it waits. */
  #isBusy = false;
  #waiting: Piece[] = [];
  #hasEnded = false;
  #isStopped = false;

  /** @param request that the connection was opened with */
  constructor(
    request: EgressRequest,
    host: SentMessagesHost,
    output: FrameOutput,
    carrier: SentMessagesCarrier,
  ) {
    this.#request = request;
    this.#host = host;
    this.#output = output;
    this.#carrier = carrier;
    this.#gate = new ControlGate(host.clock);
    this.#controls = new SentControls(request, host, this.#gate);
    this.#smallFrames = new SmallFrames(host.overhead);
    this.#uses = [...request.injections];
    this.#isDeclared = [...boundCredentials(host.spec).byName.values()].some(
      ({ binding, messages, messagePointers }) =>
        messages.length + messagePointers.size > 0 && covers(binding, request).allow,
    );
  }

  /** Nothing more can be taken for now. */
  get isFull(): boolean {
    return this.#isBusy || this.#output.isFull;
  }

  read(data: Buffer): void {
    if (this.#isStopped || this.#reader.isClosed) return;
    this.bytes += data.length;
    this.#reader.read(data, 0, this);
    this.#flush();
    if (!this.#smallFrames.mayGoOn()) this.#broken(Refusal.of('egress_websocket_flood'));
    else if (!this.#isBusy) this.#judgeEnd();
  }

  /** Only once everything before has gone its way: the same bytes end the same way, however they are cut. */
  #judgeEnd(): void {
    const { error, isClosed } = this.#reader;
    /* What stands behind a Close is nobody's. */
    if (error !== null && !isClosed)
      this.#broken(Refusal.of('egress_websocket_malformed', { reason: error }));
  }

  onFrame(head: FrameHead): void {
    this.#frame = head;
    this.#smallFrames.count(head);
  }

  onPayload(data: Buffer, isLast: boolean): void {
    const head = this.#frame;
    if (head === null || this.#isStopped) return;
    const piece = { head, data, isLast };
    if (this.#isBusy) this.#waiting.push(piece);
    else this.#pass(piece);
  }

  /** The program's side of the connection has ended. */
  end(): void {
    this.#hasEnded = true;
    if (!this.#isBusy && !this.#isStopped) this.#carrier.onSentEnd();
  }

  /** The upstream was given room to ask: its payload may come back. */
  pinged(payload: Buffer): void {
    this.#controls.pinged(payload);
  }

  /** The upstream has taken what it got. */
  drained(): void {
    this.#output.isFull = false;
    this.#releaseSent();
    if (!this.isFull && !this.#isStopped) this.#carrier.onSentRoom();
  }

  /** The connection is over, whatever becomes of it. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
    this.#text?.release();
    this.#text = null;
    for (const text of this.#unsent.splice(0)) text.release();
  }

  #flush(): void {
    this.#output.flush();
    this.#releaseSent();
  }

  #releaseSent(): void {
    if (this.isFull) return;
    for (const text of this.#unsent.splice(0)) text.release();
  }

  #broken(reason: unknown): void {
    if (!this.#isStopped) this.#carrier.onBroken(reason);
  }

  #pass({ head, data, isLast }: Piece): void {
    if (head.message === null) {
      this.#passControl(head, data);
      return;
    }
    if (head.length === 0 && !head.fin && !this.#gate.pass()) {
      this.#broken(Refusal.of('egress_websocket_flood'));
      return;
    }
    if (!this.#mayGoOn()) return;
    if (!this.#isWithinMessage && head.message === 'text' && this.#isDeclared)
      this.#text = new CollectedBody(this.#host.bodies);
    const isEnd = isLast && head.fin;
    this.#isWithinMessage = !isEnd;
    if (this.#text !== null) this.#hold(this.#text, data, isEnd);
    else if (this.#isClean(data, isEnd))
      this.#output.piece(head.message, data, isEnd ? 'message' : isLast ? 'frame' : 'nothing');
    if (isEnd) this.messages += 1;
  }

  /** A credential that was given to the upstream, and that the operator has deleted since. */
  get withdrawn(): Refusal | null {
    const gone = this.#uses.find(({ binding }) => !this.#host.isSet(binding.name));
    if (gone === undefined) return null;
    const credential = gone.binding.name;
    return Refusal.of('egress_credential_withdrawn', { credential }, { credential });
  }

  /**
   * Tools may have begun or ended since, within a message too, which can go on for ever: rules are asked anew for each
   * piece, and whether the keys that were given are for now.
   */
  #mayGoOn(): boolean {
    const refused = judgeUses(this.#request, this.#host, this.#uses) ?? this.withdrawn;
    if (refused !== null) this.#broken(refused);
    return refused === null;
  }

  /** Searches a message that passes as it comes; its last piece is withheld where a placeholder ends in it. */
  #isClean(data: Buffer, isEnd: boolean): boolean {
    if (this.#scan === null && isEnd && data.length < this.#host.placeholders.shortest) return true;
    this.#scan ??= new BodyScan(this.#request, this.#host, MESSAGE);
    const refused = this.#scan.push(data) ?? (isEnd ? this.#scan.end() : null);
    if (isEnd) this.#scan = null;
    if (refused !== null) this.#broken(refused);
    return refused === null;
  }

  #hold(held: CollectedBody, data: Buffer, isEnd: boolean): void {
    held.onBody(data);
    if (held.tooLarge) {
      this.#broken(bodyTooLarge());
      return;
    }
    if (!isEnd) return;
    this.#text = null;
    this.#unsent.push(held);
    const bytes = held.take();
    const text = bytes.toString('utf8');
    const binding = bindWebSocketText(text, this.#request, this.#host);
    const first = binding.next();
    if (first.done !== true) this.#wait(() => this.#prepare(bytes, text, binding));
    else if (first.value instanceof Refusal) this.#broken(first.value);
    else if (first.value.length === 0) this.#output.piece('text', bytes, 'message');
    else {
      const places = first.value;
      this.#wait(() => this.#fill(text, places));
    }
  }

  /** What comes behind the text waits until it is ready. */
  #wait(prepare: () => Promise<Buffer>): void {
    this.#isBusy = true;
    prepare()
      .then((ready) => {
        this.#isBusy = false;
        if (this.#isStopped || !this.#mayGoOn()) return;
        this.#output.piece('text', ready, 'message');
        this.#passWaiting();
      })
      .catch((error: unknown) => this.#broken(error));
  }

  /** A long text is searched in turns with everybody else. */
  async #prepare(
    bytes: Buffer,
    text: string,
    binding: ReturnType<typeof bindWebSocketText>,
  ): Promise<Buffer> {
    let next = binding.next();
    while (next.done !== true && !this.#isStopped) {
      await turn();
      next = binding.next();
    }
    if (next.done !== true) return bytes; // nobody waits for it any more
    if (next.value instanceof Refusal) throw next.value;
    return next.value.length === 0 ? bytes : this.#fill(text, next.value);
  }

  /** Every credential once, however many places of the message it goes to. */
  async #fill(text: string, places: readonly MessageInjection[]): Promise<Buffer> {
    const opened = new Map<string, Secret>();
    try {
      for (const { binding } of places) {
        if (opened.has(binding.name)) continue;
        opened.set(binding.name, await this.#carrier.open(binding));
        if (!this.credentials.has(binding.name)) this.#uses.push({ binding });
        this.credentials.add(binding.name);
      }
      return Buffer.from(injectWebSocketText(text, places, opened), 'utf8');
    } finally {
      for (const secret of opened.values()) secret.destroy();
    }
  }

  /** What waited for a text, as far as the next one that takes time. */
  #passWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, piece] of waiting.entries()) {
      if (this.#isStopped) return;
      if (this.#isBusy) {
        this.#waiting = waiting.slice(index);
        break;
      }
      this.#pass(piece);
    }
    this.#flush();
    if (this.#isBusy || this.#isStopped) return;
    this.#judgeEnd();
    if (this.#isStopped) return;
    if (this.#hasEnded) this.#carrier.onSentEnd();
    else if (!this.isFull) this.#carrier.onSentRoom();
  }

  #passControl({ opcode }: FrameHead, payload: Buffer): void {
    const said = this.#controls.judge(opcode, payload);
    if (said instanceof Refusal) {
      this.#broken(said);
      return;
    }
    this.#output.control(opcode, said);
    if (opcode === OPCODE.close) this.#carrier.onSentClose(said);
  }
}
