/** What the audit log gets to know of one request: the facts once it was judged, its refusal, its one outcome. */
import { type Clock, type JsonObject, limits } from '../kernel/index.ts';
import type { CallCorrelation, CellEgressSpec, RequestFacts } from './ports.ts';
import { Refusal, refusalCode } from './refusals.ts';
import type { EgressRequest } from './request.ts';
import { type ScrubHit, type ScrubSet, scrubText } from './scrub/index.ts';
import { requestData, textOf, type Trail } from './trail.ts';

export interface RecordHost {
  readonly spec: CellEgressSpec;
  readonly clock: Clock;
  readonly calls: CallCorrelation;
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
}

export class ExchangeRecord {
  /** Whether the intent is on record: then there has to be an outcome too. */
  intended = false;
  readonly #host: RecordHost;
  readonly #request: EgressRequest;
  readonly #startedAt: number;
  readonly #hits: ScrubHit[] = [];
  #facts: RequestFacts | null = null;
  #hasEnded = false;

  constructor(host: RecordHost, request: EgressRequest) {
    this.#host = host;
    this.#request = request;
    this.#startedAt = host.clock.monotonic();
  }

  /** The head was judged: from now on there are facts, not only claims. */
  judged(): void {
    this.#facts = this.#makeFacts();
  }

  get facts(): RequestFacts {
    this.#facts ??= this.#makeFacts();
    return this.#facts;
  }

  hit(hit: ScrubHit): void {
    this.#hits.push(hit);
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
    if (this.#hits.length > 0) trail.masked(this.facts, this.#hits);
    trail.finished({
      ...ending,
      request: this.facts,
      ms: clock.monotonic() - this.#startedAt,
      credentials: [...new Set(this.#request.injections.map(({ binding }) => binding.name))],
    });
  }

  #known(): JsonObject {
    if (this.#facts !== null) return requestData(this.#facts);
    const { arrival, head, host, id } = this.#request;
    const { port, scheme, sni } = arrival;
    return { request: id, scheme, host: host || sni, port, method: head.method };
  }

  #makeFacts(): RequestFacts {
    const { arrival, head, host, id, port, target } = this.#request;
    const { calls, scrubSet, spec } = this.#host;
    const inFlight = calls.inFlight(spec.identity.cell);
    return {
      requestId: id,
      scheme: arrival.scheme,
      host,
      port,
      method: head.method,
      path: scrubText(scrubSet, target.path),
      calls: inFlight.slice(0, limits.requestCallsMax),
      callsInFlight: inFlight.length,
    };
  }
}

function detailOf(reason: unknown): JsonObject {
  if (!(reason instanceof Refusal)) return {};
  const { detail, facts } = reason;
  return facts.reason === undefined ? detail : { ...detail, reason: facts.reason };
}

function eventOf(code: string): 'credential.refused' | 'placeholder.foreign' | 'egress.refused' {
  if (code === 'egress_placeholder_foreign') return 'placeholder.foreign';
  return code === 'egress_placeholder_misplaced' ? 'credential.refused' : 'egress.refused';
}
