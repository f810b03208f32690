/**
 * A connection that speaks HTTPS or HTTP, from its first byte to the point where requests can be read from it. Who is
 * calling and what name was looked up is known before (G4). The allowlist is asked before a certificate is made, and
 * who is refused then gets the TLS alert that says so.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type JsonObject, limits } from '../kernel/index.ts';
import { matchEgress } from '../policy/index.ts';
import { type ClientHello, parseClientHello } from '../wire/index.ts';
import type { ConnectionHost, Conversation, Place } from './connection.ts';
import { refusalAnswer } from './head-refusal.ts';
import { Http1Downstream } from './http1/downstream.ts';
import { Http2Downstream } from './http2/downstream.ts';
import { Refusal, toWireRefusal } from './refusals.ts';
import type { Arrival } from './request.ts';

const TLS_HANDSHAKE = 22;
const UPPER_A = 65;
const UPPER_Z = 90;
/** Fatal `unrecognized_name` (RFC 6066 section 3), in a record that every version of TLS understands. */
const UNRECOGNIZED_NAME = Buffer.of(21, 3, 1, 0, 2, 2, 112);

/** Follows a connection; `sweep` ends it when it takes too long. */
export class Accepted implements Conversation {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #place: Place;
  readonly #startedAt: number;
  #first: Buffer = Buffer.alloc(0);
  #downstream: Http1Downstream | Http2Downstream | null = null;

  constructor(socket: Socket, place: Place, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#place = place;
    this.#startedAt = host.clock.monotonic();
    socket.on('data', this.#sniff);
    socket.on('end', this.#left);
    socket.resume();
  }

  /** @param now monotonic milliseconds */
  sweep(now: number): void {
    if (this.#downstream !== null) this.#downstream.sweep(now);
    else if (now - this.#startedAt >= limits.egressHeadTimeoutMs) this.#socket.destroy();
  }

  /** Ends everything now: the cell is closed. */
  close(): void {
    this.#downstream?.close();
    this.#socket.destroy();
  }

  /** TLS and HTTP requests are told apart by their first byte; nothing else may leave a cell. */
  readonly #sniff = (bytes: Buffer): void => {
    this.#first = this.#first.length === 0 ? bytes : Buffer.concat([this.#first, bytes]);
    const type = this.#first[0] ?? 0;
    if (type === TLS_HANDSHAKE) this.#hello();
    else if (type >= UPPER_A && type <= UPPER_Z) this.#plain();
    else this.#refuse(Refusal.of('egress_protocol_unknown'), null);
  };

  /** It has not even begun. */
  readonly #left = (): void => void this.#socket.destroy();

  #plain(): void {
    if (this.#place.tunnelled) {
      const refusal = Refusal.of('egress_tunnel_plain');
      this.#socket.write(refusalAnswer(toWireRefusal(refusal)));
      this.#refuse(refusal, null);
      return;
    }
    this.#socket.off('data', this.#sniff).off('end', this.#left);
    this.#downstream = new Http1Downstream(this.#socket, this.#host, this.#arrival('http', null));
    this.#downstream.feed(this.#first);
    this.#first = Buffer.alloc(0);
  }

  #hello(): void {
    const hello = parseClientHello(this.#first);
    if (!hello.ok) {
      if (hello.error === 'client_hello_incomplete') return;
      this.#refuse(Refusal.of('egress_protocol_unknown', { reason: hello.error }), null);
      return;
    }
    const name = this.#allowedName(hello.value);
    if (name instanceof Refusal) {
      this.#socket.write(UNRECOGNIZED_NAME);
      this.#refuse(name, hello.value.sni);
    } else {
      this.#admit(name);
    }
  }

  /** What follows costs a signature: it waits for its turn. */
  #admit(name: string): void {
    const socket = this.#socket;
    socket.off('data', this.#sniff).off('end', this.#left);
    socket.pause();
    const mayWait = this.#host.handshakes.pass(() => {
      if (socket.destroyed) return false;
      this.#handshake(name);
      return true;
    });
    if (!mayWait) this.#cut('egress_handshakes_limit', name);
  }

  /** Address, SNI and allowlist, in this order: each is only worth asking when the one before agrees. */
  #allowedName({ sni }: ClientHello): string | Refusal {
    const { names, port } = this.#place;
    if (names === undefined) return Refusal.bareAddress({});
    if (sni === null || !names.has(sni)) {
      return Refusal.of('egress_name_mismatch', {}, { names: [...names].slice(0, limits.refusalNamesMax) });
    }
    const decision = matchEgress(this.#host.spec.rules, { host: sni, port, protocol: 'https' });
    return decision.allow ? sni : Refusal.byPolicy(decision);
  }

  #handshake(name: string): void {
    const socket = this.#socket;
    socket.unshift(this.#first); // TLSSocket takes what is buffered before it reads on
    this.#first = Buffer.alloc(0);
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#host.contextFor(name),
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    /* Whoever hangs up until then, and has said nothing, does not like the certificate. */
    let looksUntil = Number.POSITIVE_INFINITY;
    const left = (reason: string): void => {
      if (secure.bytesRead === 0 && this.#host.clock.monotonic() < looksUntil) this.#untrusted(name, reason);
    };
    secure.on('error', (error) => {
      left('code' in error && typeof error.code === 'string' ? error.code : 'failed');
      socket.destroy();
    });
    secure.once('end', () => left('closed'));
    secure.on('close', () => socket.destroy());
    secure.once('secure', () => {
      looksUntil = this.#host.clock.monotonic() + limits.clientTlsDoubtMs;
      const Downstream = secure.alpnProtocol === 'h2' ? Http2Downstream : Http1Downstream;
      this.#downstream = new Downstream(secure, this.#host, this.#arrival('https', name));
    });
  }

  /**
   * The program did not go through with TLS, or left right behind it, as some do that look at certificates only then: it
   * pins one, or does not know the cell's authority.
   */
  #untrusted(host: string, reason: string): void {
    const { port } = this.#place;
    const data = { code: 'egress_client_tls', host, port, reason };
    void this.#host.trail.refused('connection', 'egress.refused', `${host}:${port}`, data);
  }

  #cut(code: string, host: string): void {
    const { port } = this.#place;
    void this.#host.trail.refused('connection', 'egress.refused', '', { code, host, port });
    this.#socket.destroy();
  }

  #arrival(scheme: Arrival['scheme'], sni: string | null): Arrival {
    const { port, address, names } = this.#place;
    return { scheme, port, address, names, sni };
  }

  #refuse(refusal: Refusal, sni: string | null): void {
    this.#socket.off('data', this.#sniff).off('end', this.#left);
    const { port, address, names } = this.#place;
    const host = sni ?? [...(names ?? [])][0] ?? address;
    const data: JsonObject = { ...refusal.detail, code: refusal.code, host, port, address, sni };
    const reason = refusal.facts.reason;
    void this.#host.trail.refused(
      'connection',
      'egress.refused',
      `${host}:${port}`,
      reason === undefined ? data : { ...data, reason },
    );
    this.#socket.resume();
    this.#socket.destroySoon();
  }
}
