/** What the audit log gets to know of one request: the facts once it was judged, its refusal, its one outcome. */
import { type Clock, type Json, type JsonObject, limits } from '../kernel/index.ts';
import type { Correlation, Occasion } from './correlation.ts';
import { HitTally } from './hit-tally.ts';
import type { CellEgressSpec, RequestFacts } from './ports.ts';
import { Refusal, refusalCode } from './refusals.ts';
import type { EgressRequest } from './request.ts';
import { type ScrubHit, type ScrubSet, scrubText } from './scrub/index.ts';
import { textOf, type Trail } from './trail.ts';

export interface RecordHost {
  readonly spec: CellEgressSpec;
  readonly clock: Clock;
  readonly correlation: Correlation;
  readonly trail: Trail;
  readonly scrubSet: ScrubSet;
}

/** How a request ended, as seen by whoever carried it. */
export interface Ending {
  /** Status that the cell was given; null when it was given none. */
  readonly status: number | null;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Why it did not end as it should; null when it did. */
  readonly code: string | null;
  /** Of a WebSocket. */
  readonly webSocket?: WebSocketEnding;
}

/** How a WebSocket ended. */
export interface WebSocketEnding {
  /** Messages from the cell, and to it. */
  readonly sent: number;
  readonly received: number;
  /** Of the first Close; null where there was none, or none in it. */
  readonly closeCode: number | null;
  /** Who sent the first Close. */
  readonly closedBy: 'client' | 'upstream' | 'gateway' | null;
  /** Credentials that went into messages. */
  readonly credentials: ReadonlySet<string>;
}

export class ExchangeRecord {
  /** Whether the intent is on record: then there has to be an outcome too. */
  intended = false;
  readonly #host: RecordHost;
  readonly #request: EgressRequest;
  readonly #startedAt: number;
  /** What was found and is not on record yet. */
  #hits: HitTally | null = null;
  /** Monotonic milliseconds. */
  #hitsToldAt = -Infinity;
  #facts: RequestFacts | null = null;
  #factsOf: Occasion | null = null;
  #factsUnexpected: EgressRequest['unexpected'] = null;
  #factsAlerts: EgressRequest['alerts'] | null = null;
  #hasEnded = false;

  constructor(host: RecordHost, request: EgressRequest) {
    this.#host = host;
    this.#request = request;
    this.#startedAt = host.clock.monotonic();
  }

  /** Made when somebody asks first, and anew only where other calls were in flight when the request was judged last. */
  get facts(): RequestFacts {
    const { alerts, occasion, unexpected } = this.#request;
    const isSame = this.#factsOf === occasion && this.#factsUnexpected === unexpected;
    if (this.#facts === null || !isSame || this.#factsAlerts !== alerts) {
      this.#facts = this.#makeFacts();
      this.#factsOf = occasion;
      this.#factsUnexpected = unexpected;
      this.#factsAlerts = alerts;
    }
    return this.#facts;
  }

  hit(hit: ScrubHit): void {
    this.#hits ??= new HitTally();
    this.#hits.add(hit);
  }

  /** Some answers go on for days: nobody should have to wait for their end to hear what was found. @param now monotonic milliseconds */
  tellHits(now: number): void {
    if (this.#hits === null || now - this.#hitsToldAt < limits.hitsToldIntervalMs) return;
    this.#host.trail.masked(this.facts, this.#hits);
    this.#hits = null;
    this.#hitsToldAt = now;
  }

  /** Resolves when the refusal is on record, or cannot be. */
  async refused(reason: unknown): Promise<void> {
    const { trail } = this.#host;
    const code = refusalCode(reason);
    if (code === 'internal_error') trail.failed(reason, this.#request.id);
    const detail = detailOf(reason);
    const { host, port } = this.#request;
    const key = `${host}:${port} ${textOf(detail, 'credential')}`;
    await trail.refused('request', eventOf(code), key, { ...this.#known(), ...detail, code });
  }

  /** The outcome, once, where there was an intent. */
  finished(ending: Ending): void {
    if (!this.intended || this.#hasEnded) return;
    this.#hasEnded = true;
    const { clock, trail } = this.#host;
    if (this.#hits !== null) trail.masked(this.facts, this.#hits);
    trail.finished(this.#outcome(ending, clock.monotonic() - this.#startedAt));
  }

  /**
   * Every request comes by here: as with the facts, one object in the order in which it is recorded.
   *
   * @param ms from the end of the request's head
   */
  #outcome({ status, requestBytes, responseBytes, code, webSocket }: Ending, ms: number): JsonObject {
    const { host, method, path, port, requestId, scheme } = this.facts;
    const { identity } = this.#host.spec;
    const { attribution, calls } = this.#request.occasion.data;
    const data: Record<string, Json> = {
      attribution,
      calls,
      credentials: this.#credentials(webSocket),
      host,
      method,
      ms: Math.round(ms * 1_000) / 1_000,
      owner: identity.owner,
      path,
      port,
      profile: identity.profile,
      request: requestId,
      requestBytes,
      responseBytes,
      scheme,
      status,
    };
    if (code !== null) data['code'] = code;
    if (webSocket !== undefined) data['webSocket'] = shown(webSocket);
    return this.#withRarities(data);
  }

  /** The names of those that went in. */
  #credentials(webSocket: WebSocketEnding | undefined): readonly string[] {
    const names = this.#request.injections.map(({ binding }) => binding.name);
    if (webSocket === undefined && names.length <= 1) return names;
    return [...new Set([...names, ...(webSocket?.credentials ?? [])])];
  }

  #known(): JsonObject {
    const { arrival, head, host, id, occasion, scheme, target } = this.#request;
    /* Once there is a normalised path, everything before it is agreed on too. */
    if (target.path !== '') return this.facts.data;
    const { port, sni } = arrival;
    const { owner, profile } = this.#host.spec.identity;
    return {
      request: id,
      scheme,
      host: host || sni,
      port,
      method: head.method,
      profile,
      owner,
      ...occasion.data,
    };
  }

  #makeFacts(): RequestFacts {
    const { head, host, id, occasion, port, scheme, target } = this.#request;
    const { scrubSet, spec } = this.#host;
    const { method } = head;
    const path = scrubText(scrubSet, target.path);
    const { owner, profile } = spec.identity;
    const { attribution, calls } = occasion.data;
    /* Every request comes by here: one object, in the order in which it is recorded, and what is rare is added to it. */
    const data = { attribution, calls, host, method, owner, path, port, profile, request: id, scheme };
    return { requestId: id, scheme, host, port, method, path, data: this.#withRarities(data) };
  }

  #withRarities(data: Record<string, Json>): JsonObject {
    const { alerts, occasion, unexpected } = this.#request;
    const { callsInFlight } = occasion.data;
    if (alerts.length > 0) data['alerts'] = alerts.map(({ rule, severity }) => ({ rule, severity }));
    if (callsInFlight !== undefined) data['callsInFlight'] = callsInFlight;
    if (unexpected !== null) data['unexpected'] = unexpected;
    if (this.#host.spec.identity.proxy !== undefined) data['via'] = 'proxy';
    return data;
  }
}

const shown = ({ closeCode, closedBy, received, sent }: WebSocketEnding): JsonObject => ({
  closeCode,
  closedBy,
  received,
  sent,
});

function detailOf(reason: unknown): JsonObject {
  if (!(reason instanceof Refusal)) return {};
  const { detail, facts } = reason;
  return facts.reason === undefined ? detail : { ...detail, reason: facts.reason };
}

/** Refusals that are about a credential. */
const OF_CREDENTIALS: ReadonlySet<string> = new Set([
  'egress_placeholder_misplaced',
  'egress_credential_outside_call',
]);

function eventOf(code: string): 'credential.refused' | 'placeholder.foreign' | 'egress.refused' {
  if (code === 'egress_placeholder_foreign') return 'placeholder.foreign';
  return OF_CREDENTIALS.has(code) ? 'credential.refused' : 'egress.refused';
}
