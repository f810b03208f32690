/**
 * Pings, pongs and Closes of a program. They have room for a few bytes each, and are therefore searched and held to what
 * the tools that run may send, like messages. What only keeps a connection alive, or ends it, is for any time.
 */
import { limits } from '../../kernel/index.ts';
import { OPCODE, type Opcode } from '../../wire/index.ts';
import { scanBody } from '../inject/body-scan.ts';
import type { Binder } from '../inject/claim.ts';
import { type CorrelationHost, judgeMore } from '../correlate.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import type { ControlGate } from './control-gate.ts';

interface SentControlsHost extends Binder, CorrelationHost {}

const CONTROL = 'a WebSocket ping, pong or close frame';
const CLOSE_CODE_BYTES = 2;

export class SentControls {
  readonly #request: EgressRequest;
  readonly #host: SentControlsHost;
  readonly #gate: ControlGate;
  /** Payloads of pings that wait for their answer, which says nothing but what the upstream had said. */
  readonly #pings: Buffer[] = [];

  /**
   * @param request that the connection was opened with
   * @param gate shared with whatever else carries no message
   */
  constructor(request: EgressRequest, host: SentControlsHost, gate: ControlGate) {
    this.#request = request;
    this.#host = host;
    this.#gate = gate;
  }

  /** The upstream's ping was passed on: its payload may come back. */
  pinged(payload: Buffer): void {
    this.#pings.push(payload);
    if (this.#pings.length > limits.webSocketPingsKept) this.#pings.shift();
  }

  /** @returns what may be sent of the payload; or why the connection has to end */
  judge(opcode: Opcode, payload: Buffer): Buffer | Refusal {
    if (!this.#gate.pass()) return Refusal.of('egress_websocket_flood');
    const isShort = payload.length < this.#host.placeholders.shortest;
    const refused = isShort ? null : scanBody(payload, this.#request, this.#host, CONTROL);
    if (refused !== null) return refused;
    if (payload.length === 0 || (opcode === OPCODE.pong && this.#isAnswer(payload))) return payload;
    const held = judgeMore(this.#request, this.#host, []);
    if (held === null) return payload;
    /* That it ends may always be said; why is for a reader, as a message is. */
    return opcode === OPCODE.close ? payload.subarray(0, CLOSE_CODE_BYTES) : held;
  }

  /** To a ping, and with it to those before (RFC 6455 section 5.5.3). */
  #isAnswer(payload: Buffer): boolean {
    const at = this.#pings.findIndex((ping) => ping.equals(payload));
    this.#pings.splice(0, at + 1);
    return at >= 0;
  }
}
