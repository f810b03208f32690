/**
 * One request and its answer. It runs the steps over the head, has the body judged, makes the intent durable,
 * has credentials put in, finds an upstream, and relays the answer. Whatever goes wrong ends in exactly one of:
 * an answer that says so, or, once an answer has begun, a cut connection. Exactly one outcome is recorded.
 */
import { limits, type Random, type Secret } from '../kernel/index.ts';
import type { BodyFraming, BodySink, Fields, ResponseHead } from '../wire/index.ts';
import { Answer, type AnswerCarrier } from './answer.ts';
import { type Binder, bindTrailers } from './inject/bind.ts';
import type { CellOverhead } from './cell-overhead.ts';
import { judgeAgain, judgeMore, judgeUses } from './correlate.ts';
import { CredentialOpener, type OpenerHost } from './credential-opener.ts';
import { ExchangeRecord, type RecordHost } from './exchange-record.ts';
import { buildRequest } from './inject/inject.ts';
import type { AnswerHead, BodyMemory, ExchangeClient, Reach, RequestStream } from './message.ts';
import type { CredentialBinding, RequestLimits, RequestRules } from './ports.ts';
import { Refusal, toWireRefusal } from './refusals.ts';
import { type Arrival, EgressRequest, type Incoming } from './request.ts';
import { bodyTooLarge, CollectedBody, judgeBody, StreamedBody } from './inject/request-body.ts';
import type { ScrubHit, ScrubSet } from './scrub/index.ts';
import { judgeHead } from './steps.ts';
import { type LegCarrier, UpstreamLeg } from './upstream/leg.ts';
import type { UpstreamPool } from './upstream/pool.ts';
import { Opening } from './websocket/opening.ts';
import { countRequest } from './owner-limits.ts';
import { type RelayCarrier, WebSocketRelay } from './websocket/relay.ts';

/** What a cell lends to each of its requests. */
export interface ExchangeHost extends Binder, RecordHost, OpenerHost {
  readonly pool: UpstreamPool;
  readonly bodies: BodyMemory;
  /** Answers that the cell has not read. */
  readonly answers: BodyMemory;
  readonly random: Random;
  readonly rules: RequestRules;
  readonly limits: RequestLimits;
  /** Streams that are open on all HTTP/2 connections of the cell. */
  readonly streams: { open: number };
  readonly overhead: CellOverhead;
  /** What goes on with a credential in it. */
  readonly holders: Set<CredentialHolder>;
  /** Whether the credential had a value when that was loaded last. */
  isSet(credential: string): boolean;
  nextRequestId(): string;
}

/** A request that was given credentials, for as long as it goes on. */
export interface CredentialHolder {
  /** Ends it if it was given such a credential. */
  withdraw(which: (credential: string) => boolean): void;
}

const SWITCHING_PROTOCOLS = 101;

export class Exchange implements LegCarrier, AnswerCarrier, RelayCarrier, CredentialHolder {
  readonly #host: ExchangeHost;
  readonly #client: ExchangeClient;
  readonly #request: EgressRequest;
  readonly #record: ExchangeRecord;
  readonly #opener: CredentialOpener;
  readonly #leg: UpstreamLeg;
  #body: CollectedBody | StreamedBody | null = null;
  #bodyDone = false;
  #answer: Answer | null = null;
  /** The handshake with both sides, where the request asks to become a WebSocket. */
  #opening: Opening | null = null;
  /** In place of an answer, once it has become one. */
  #relay: WebSocketRelay | null = null;
  #over = false;
  /** Names of the credentials that it was given. */
  readonly #held = new Set<string>();
  /** How it ended, where that was before an answer had begun. */
  #ended: { readonly status: number | null; readonly code: string } | null = null;

  constructor(host: ExchangeHost, client: ExchangeClient, arrival: Arrival, incoming: Incoming) {
    this.#host = host;
    this.#client = client;
    this.#request = new EgressRequest(host.nextRequestId(), arrival, incoming);
    this.#record = new ExchangeRecord(host, this.#request);
    this.#opener = new CredentialOpener(host, this.#request, this.#record);
    this.#leg = new UpstreamLeg(host.pool, this.#request, this);
  }

  get scrubSet(): ScrubSet {
    return this.#host.scrubSet;
  }

  get unread(): BodyMemory {
    return this.#host.answers;
  }

  get scrubs(): boolean {
    return this.#host.scrubSet.table !== null || this.#host.spec.credentials.length > 0;
  }

  /** How the body is delimited; null when that is uncertain, and nothing after the head may be read. */
  get framing(): BodyFraming | null {
    return this.#request.framing;
  }

  /** Where body bytes go now; null while they have to wait. */
  get bodySink(): BodySink | null {
    if (this.#relay !== null) return this.#over ? null : this.#relay.sink;
    return this.#over || (this.#body instanceof StreamedBody && this.#body.isFull) ? null : this.#body;
  }

  start(): void {
    const refused = this.#judge();
    if (refused !== null) {
      void this.#refuse(refused);
      return;
    }
    const { bodyMode, framing } = this.#request;
    if (bodyMode === 'whole') {
      if (framing?.kind === 'length' && framing.bytes > limits.requestBodyBufferBytesMax) {
        void this.#refuse(bodyTooLarge());
        return;
      }
      this.#body = new CollectedBody(this.#host.bodies, this.#request.signatures);
      if (this.#request.head.fields.count('expect') > 0) this.#client.continue();
    } else {
      void this.#proceed(null);
    }
  }

  /** A mistake of ours in a step is one more reason to refuse this request, and none to take the others along. */
  #judge(): unknown {
    try {
      return judgeHead(this.#request, this.#host);
    } catch (error) {
      return error;
    }
  }

  /** After each piece of the body. */
  bodyAdvanced(): void {
    if (this.#relay !== null) {
      if (!this.#over) this.#relay.sentAdvanced();
      return;
    }
    const body = this.#body;
    if (body instanceof CollectedBody && body.tooLarge) {
      void this.#refuse(bodyTooLarge());
    } else if (body instanceof StreamedBody && body.refused !== null) {
      void this.#refuse(body.refused);
    }
  }

  bodyEnded(trailers: Fields): void {
    if (this.#over) return;
    if (this.#relay !== null) {
      this.#relay.clientEnded();
      return;
    }
    this.#bodyDone = true;
    const refused = bindTrailers(trailers, this.#request, this.#host);
    if (refused !== null) void this.#refuse(refused);
    else if (this.#body instanceof CollectedBody) void this.#proceed(this.#body.take());
    else if (this.#body instanceof StreamedBody) this.#body.end(trailers);
  }

  bodyMalformed(reason: string): void {
    void this.#refuse(Refusal.of('egress_request_malformed', { reason }));
  }

  /** The client is gone, or has to go. @param code why */
  abandon(code: 'client_closed' | 'cell_closed'): void {
    if (this.#over) return;
    this.#close();
    this.#ended = { status: null, code };
    this.#leg.stop();
    this.#answer?.drop();
    this.#leg.stream?.destroy();
    this.#finished(this.#begunStatus, code);
  }

  /** Ends it when nothing has moved for too long. @param clientActive monotonic milliseconds of the client's last byte */
  checkDeadline(now: number, clientActive: number): void {
    const upstream = this.#leg.stream;
    if (this.#over) return;
    this.#record.tellHits(now);
    const active = Math.max(clientActive, upstream?.lastActive ?? 0);
    if (this.#relay !== null) {
      this.#relay.checkDeadline(now, active);
    } else if (this.#answer !== null) {
      if (now - active >= limits.egressBodyIdleTimeoutMs)
        void this.#refuse(Refusal.of('egress_timeout', this.#leg.destination));
    } else if (this.#request.bodyMode !== 'none' && !this.#bodyDone) {
      if (now - active >= limits.egressBodyIdleTimeoutMs)
        void this.#refuse(Refusal.of('egress_request_timeout'));
    } else if (upstream !== null && now - upstream.lastActive >= limits.upstreamHeadTimeoutMs) {
      void this.#refuse(Refusal.of('egress_timeout', this.#leg.destination));
    }
  }

  /** The client has read what was written. */
  clientDrained(): void {
    this.#answer?.drained();
    this.#relay?.clientDrained();
  }

  /* ---- towards the upstream ---- */

  async #proceed(body: Buffer | null): Promise<void> {
    const opened = new Map<string, Secret>();
    try {
      const isPlain = body === null && this.#request.signatures.length === 0;
      const judged = isPlain ? null : await judgeBody(body, this.#request, this.#host);
      const { webSocket } = this.#request;
      if (webSocket !== null) this.#opening = await Opening.prepare(webSocket, this.#host.random);
      if (this.#over) return; // decoding takes its time, and nobody waits for the answer any more
      const refused = judgeUses(this.#request, this.#host);
      if (refused !== null) throw refused;
      await this.#host.trail.during(this.#intend(opened));
      if (this.#over) return;
      const message = buildRequest(this.#request, opened, judged, this.scrubs);
      await this.#leg.send(this.#opening?.requestOf(message) ?? message);
    } catch (error) {
      await this.#refuse(error);
    } finally {
      for (const secret of opened.values()) secret.destroy();
    }
  }

  /** What ends meanwhile has left an intent, which needs its outcome all the same. */
  async #intend(opened: Map<string, Secret>): Promise<void> {
    try {
      const names = this.#request.injections.map(({ binding }) => binding.name);
      await countRequest(this.#request, this.#host, [...new Set(names)]);
      if (this.#over) return;
      this.#hold(names);
      await this.#opener.openAll(opened);
    } finally {
      if (this.#ended !== null) this.#finished(this.#ended.status, this.#ended.code);
    }
  }

  /** One more, for a place that was found in a body, or a message, on its way. */
  async open(binding: CredentialBinding): Promise<Secret> {
    const refused = judgeUses(this.#request, this.#host, [{ binding }]);
    if (refused !== null) throw refused;
    await countRequest(this.#request, this.#host, [binding.name], true);
    this.#hold([binding.name]);
    return this.#host.trail.during(this.#opener.open(binding));
  }

  /** Before they are opened: what is withdrawn from now on, it finds. */
  #hold(names: readonly string[]): void {
    if (names.length === 0 || this.#over) return;
    for (const name of names) this.#held.add(name);
    this.#host.holders.add(this);
  }

  withdraw(which: (credential: string) => boolean): void {
    for (const credential of this.#held)
      if (which(credential))
        void this.#refuse(Refusal.of('egress_credential_killed', { credential }, { credential }));
  }

  judgeLate(): Refusal | null {
    return judgeAgain(this.#request, this.#host);
  }

  onSent(upstream: RequestStream): void {
    if (this.#request.bodyMode !== 'stream') return;
    const { spec, placeholders } = this.#host;
    this.#body = new StreamedBody(upstream, this.#request, {
      spec,
      placeholders,
      judge: () => judgeMore(this.#request, this.#host),
      open: (binding) => this.open(binding),
      onBodyRoom: () => this.#client.resumeInput(),
      onBodyFailure: (reason) => void this.#refuse(reason),
    });
    this.#client.resumeInput();
  }

  onUpstreamDrain(): void {
    if (this.#body instanceof StreamedBody) this.#body.drained();
    else if (!this.#over) this.#relay?.upstreamDrained();
  }

  onUpstreamFailure(refusal: Refusal, reach: Reach): void {
    if (this.#relay !== null) {
      if (!this.#over) this.#relay.upstreamEnded();
      return;
    }
    if (this.#over || !this.#leg.mayRetry(reach)) void this.#refuse(this.#located(refusal));
    else this.#leg.retry().catch((error: unknown) => this.#refuse(error));
  }

  /* ---- back to the client ---- */

  onInterim(head: AnswerHead): void {
    /* The body was asked for already where it had to be read whole. */
    if (this.#over || (head.status === 100 && this.#request.bodyMode !== 'stream')) return;
    try {
      new Answer(this.#client, this).interim(head);
    } catch (error) {
      this.onBroken(error);
    }
  }

  onAnswerHead(head: AnswerHead, framing: BodyFraming, whole: boolean): void {
    this.#leg.begun();
    this.#answer = new Answer(this.#client, this);
    try {
      this.#answer.head(head, framing, whole);
    } catch (error) {
      this.onBroken(error);
    }
  }

  /** Whatever goes wrong while an answer is written, here or in the client's codec, is about this request alone. */
  onBody(data: Buffer): void {
    if (this.#over) return;
    try {
      if (this.#relay === null) this.#answer?.body(data);
      else this.#relay.received(data);
    } catch (error) {
      this.onBroken(error);
    }
  }

  onAnswerEnd(trailers: Fields): void {
    if (this.#over) return;
    if (this.#relay !== null) {
      this.#relay.upstreamEnded();
      return;
    }
    this.#leg.answered();
    try {
      this.#answer?.end(trailers);
    } catch (error) {
      this.onBroken(error);
    }
  }

  onUpgraded(head: ResponseHead): void {
    const [opening, upstream] = [this.#opening, this.#leg.stream];
    if (this.#over || opening === null || upstream === null) return;
    const disagreed = opening.judge(head);
    const shown = new Answer(this.#client, this).upgraded(head);
    if (disagreed !== null) {
      void this.#refuse(this.#located(disagreed));
    } else if (this.#client.upgrade?.(opening.agreementOf(shown)) === true) {
      this.#relay = new WebSocketRelay(
        { client: this.#client, upstream, request: this.#request },
        this.#host,
        this,
      );
    } else {
      void this.#refuse(Refusal.of('egress_websocket_malformed', { reason: 'upgrade_not_awaited' }));
    }
  }

  onRelayEnd(code: 'client_closed' | 'egress_upstream_closed' | null): void {
    if (this.#over) return;
    this.#close();
    this.#finished(this.#begunStatus, code);
    if (this.#relay !== null) this.#endRelay(this.#relay);
  }

  onWritten(): void {
    if (this.#over) return;
    this.#close();
    this.#finished(this.#answer?.status ?? null, null);
    this.#client.answered();
  }

  onBroken(reason: unknown): void {
    void this.#refuse(reason instanceof Refusal ? this.#located(reason) : reason);
  }

  onHit(hit: ScrubHit): void {
    this.#record.hit(hit);
  }

  holdUpstream(hold: boolean): void {
    if (hold) this.#leg.stream?.pause();
    else this.#leg.stream?.resume();
  }

  /* ---- the end ---- */

  async #refuse(reason: unknown): Promise<void> {
    if (this.#over) return;
    this.#close();
    this.#leg.stop();
    this.#answer?.drop();
    if (this.#relay === null) this.#leg.stream?.destroy();
    const wire = toWireRefusal(reason);
    this.#ended = wire;
    await this.#record.refused(reason);
    const begun = this.#begunStatus;
    try {
      this.#relay?.refuse(reason);
      this.#finished(begun ?? wire.status, wire.code);
      if (this.#relay !== null) this.#endRelay(this.#relay);
      else if (begun !== null) this.#client.cut();
      else this.#client.refuse(wire, this.#request.head.method);
    } catch (error) {
      /* Nobody waits for this: what is wrong with one client must not be everybody's. */
      this.#host.trail.failed(error, this.#request.id);
      this.#client.cut();
    }
  }

  /** Status of the answer that the client has begun to read; null when there is none. */
  get #begunStatus(): number | null {
    if (this.#relay !== null) return SWITCHING_PROTOCOLS;
    return this.#answer?.begun === true ? this.#answer.status : null;
  }

  #endRelay(relay: WebSocketRelay): void {
    relay.endUpstream();
    this.#client.answered();
  }

  #close(): void {
    this.#over = true;
    this.#host.holders.delete(this);
    this.#request.isOver = true;
    this.#relay?.stop();
    if (this.#body instanceof CollectedBody) this.#body.release();
    else this.#body?.stop();
  }

  #finished(status: number | null, code: string | null): void {
    const relay = this.#relay;
    if (relay !== null) {
      const { sentBytes, receivedBytes, ending } = relay;
      const bytes = { requestBytes: sentBytes, responseBytes: receivedBytes };
      this.#record.finished({ status, ...bytes, code, webSocket: ending });
      return;
    }
    const [requestBytes, responseBytes] = [this.#body?.bytes ?? 0, this.#answer?.bytes ?? 0];
    this.#record.finished({ status, requestBytes, responseBytes, code });
  }

  #located(refusal: Refusal): Refusal {
    return refusal.at(this.#leg.destination);
  }
}
