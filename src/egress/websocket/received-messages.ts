/**
 * What an upstream sends on a WebSocket, on its way to the program: frames are read strictly, and messages scrubbed of
 * every known key, in all encodings and across fragments; programs put messages of one kind together, so a key that
 * began in one is looked for in the next. A ping or pong with a key in it is not passed on, since its
 * answer would have to repeat it; a Close with one in its reason passes without the reason.
 */
import { type Clock, limits } from '../../kernel/index.ts';
import { type FrameHead, FrameReader, type FrameSink, OPCODE } from '../../wire/index.ts';
import type { CellOverhead } from '../cell-overhead.ts';
import { Refusal } from '../refusals.ts';
import { ControlGate } from './control-gate.ts';
import type { FrameOutput } from './frame-output.ts';
import { MessageScrubber, type ScrubSource } from './message-scrubber.ts';
import { SmallFrames } from './small-frames.ts';

interface ReceivedMessagesHost {
  readonly clock: Clock;
  readonly overhead: Pick<CellOverhead, 'draw'>;
}

/** Who carries the messages. */
export interface ReceivedMessagesCarrier extends ScrubSource {
  /** A ping was passed on, to be answered. */
  onPing(payload: Buffer): void;
  /** The upstream has said that it sends no more. @param payload of its Close */
  onReceivedClose(payload: Buffer): void;
  /** Nothing may be passed on any more. */
  onBroken(reason: unknown): void;
}

const EMPTY: Buffer = Buffer.alloc(0);
const CLOSE_CODE_BYTES = 2;

export class ReceivedMessages implements FrameSink {
  messages = 0;
  readonly #carrier: ReceivedMessagesCarrier;
  readonly #output: FrameOutput;
  readonly #gate: ControlGate;
  readonly #smallFrames: SmallFrames;
  readonly #reader = new FrameReader({ from: 'server', payloadBytesMax: limits.webSocketFrameBytesMax });
  #frame: FrameHead | null = null;
  #scrubber: MessageScrubber | null = null;
  /** Of the last message of each kind: what a key may have begun with. */
  readonly #rests = { text: EMPTY, binary: EMPTY };
  #isStopped = false;

  constructor(
    { clock, overhead }: ReceivedMessagesHost,
    output: FrameOutput,
    carrier: ReceivedMessagesCarrier,
  ) {
    this.#gate = new ControlGate(clock);
    this.#smallFrames = new SmallFrames(overhead);
    this.#output = output;
    this.#carrier = carrier;
  }

  read(data: Buffer): void {
    if (this.#isStopped || this.#reader.isClosed) return;
    this.#reader.read(data, 0, this);
    this.#output.flush();
    if (!this.#smallFrames.mayGoOn()) {
      this.#broken(Refusal.of('egress_upstream_websocket', { reason: 'small_frames_too_many' }));
      return;
    }
    const { error, isClosed } = this.#reader;
    if (error !== null && !isClosed) this.#broken(Refusal.of('egress_upstream_websocket', { reason: error }));
  }

  onFrame(head: FrameHead): void {
    this.#frame = head;
    this.#smallFrames.count(head);
  }

  onPayload(data: Buffer, isLast: boolean): void {
    const head = this.#frame;
    if (head === null || this.#isStopped) return;
    if (head.message === null) this.#passControl(head, data);
    else this.#pass(head, head.message, data, isLast);
  }

  /** The connection is over, whatever becomes of it. */
  stop(): void {
    this.#isStopped = true;
  }

  #broken(reason: Refusal): void {
    if (!this.#isStopped) this.#carrier.onBroken(reason);
  }

  #pass(head: FrameHead, kind: 'text' | 'binary', data: Buffer, isLast: boolean): void {
    if (head.length === 0 && !head.fin && !this.#gate.pass()) {
      this.#broken(Refusal.of('egress_upstream_websocket', { reason: 'empty_fragments_too_many' }));
      return;
    }
    this.#scrubber ??= new MessageScrubber(this.#carrier, this.#rests[kind]);
    const passed = this.#scrubber.push(data);
    if (!isLast || !head.fin) {
      this.#output.piece(kind, passed, isLast ? 'frame' : 'nothing');
      return;
    }
    this.#output.piece(kind, passed, 'nothing');
    this.#output.piece(kind, this.#scrubber.end(), 'message');
    this.#rests[kind] = this.#scrubber.rest;
    this.#scrubber = null;
    this.messages += 1;
  }

  #passControl({ opcode }: FrameHead, payload: Buffer): void {
    if (!this.#gate.pass()) {
      this.#broken(Refusal.of('egress_upstream_websocket', { reason: 'control_frames_too_many' }));
      return;
    }
    const isClean = this.#isClean(payload);
    if (opcode === OPCODE.close) {
      const shown = isClean ? payload : payload.subarray(0, CLOSE_CODE_BYTES);
      this.#output.control(opcode, shown);
      this.#carrier.onReceivedClose(shown);
    } else if (isClean) {
      this.#output.control(opcode, payload);
      if (opcode === OPCODE.ping) this.#carrier.onPing(payload);
    }
  }

  #isClean(payload: Buffer): boolean {
    let isClean = true;
    const scrubber = new MessageScrubber({
      scrubSet: this.#carrier.scrubSet,
      onHit: (hit) => {
        isClean = false;
        this.#carrier.onHit(hit);
      },
    });
    scrubber.push(payload);
    scrubber.end();
    return isClean;
  }
}
