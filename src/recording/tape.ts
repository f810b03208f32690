/**
 * One session while it is recorded: what was said is handed on at once, with the time, and made into entries later. Nothing here
 * waits or throws but where a request may not go on before it is on record.
 */
import type { Clock, WorkspaceId } from '../kernel/index.ts';
import type { RuleDecision, RuleRequest } from '../policy/index.ts';
import type { MessageEntry, SessionFacts } from './entry.ts';
import type { Spoken } from './handover.ts';
import { higher, type RecordingLevel } from './level.ts';
import type { Asked, Called, Said } from './render.ts';

/** Something that is to be recorded. */
export type Draft = {
  /** What rules raise the level to. */
  readonly raised: RecordingLevel;
} & (Spoken | { readonly kind: 'end'; readonly ms: number });

/** What a tape hands its drafts to. */
export interface Reel {
  /** Whether anything of the session is kept, without what rules want. */
  wants(tape: Tape): boolean;
  put(tape: Tape, draft: Draft): void;
  /**
   * Resolves when what was put so far need not be waited for, or is written.
   * @throws AppError `recording_unavailable` where it must be, and cannot
   */
  settled(tape: Tape): Promise<void>;
}

export interface TapedMessage {
  readonly text: string;
}

export class Tape {
  readonly workspace: WorkspaceId;
  readonly facts: SessionFacts;
  readonly #reel: Reel;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #inFlight = new Set<TapedRequest>();
  #requests = 0;
  #ended = false;
  lastUsedMs: number;

  constructor(workspace: WorkspaceId, facts: SessionFacts, reel: Reel, clock: Clock) {
    this.workspace = workspace;
    this.facts = facts;
    this.#reel = reel;
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
    this.lastUsedMs = this.#startedMs;
  }

  get busy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Since it began, in milliseconds. */
  now(): number {
    this.lastUsedMs = this.#clock.monotonic();
    return Math.round((this.lastUsedMs - this.#startedMs) * 1_000) / 1_000;
  }

  /** A request of the client. */
  request({ text }: TapedMessage): TapedRequest {
    this.#requests += 1;
    const request = new TapedRequest(this, this.#requests, text);
    this.#inFlight.add(request);
    return request;
  }

  /** Anything else that the client said. */
  received({ text }: TapedMessage): void {
    this.#said('client', text, 'off');
  }

  /** Anything but an answer that the gateway said. @param about the request that it belongs to, if known */
  sent(text: string, about: Pick<TapedRequest, 'number' | 'raised'> | null): void {
    if (about === null) this.#said('gateway', text, 'off');
    else this.put({ kind: 'said', from: 'gateway', ms: this.now(), text, ...ofRequest(about) });
  }

  /** Whether requests are kept whatever rules say. */
  get wants(): boolean {
    return this.#reel.wants(this);
  }

  /** The connection is gone. What one caller asks without one goes on. */
  hangUp(): void {
    if (this.facts.via === 'session') this.end();
  }

  end(): void {
    if (this.#ended) return;
    for (const request of this.#inFlight) request.answered(null);
    this.#ended = true;
    this.#reel.put(this, { kind: 'end', ms: this.now(), raised: 'off' });
  }

  put(draft: Draft): void {
    if (!this.#ended) this.#reel.put(this, draft);
  }

  settled(): Promise<void> {
    return this.#reel.settled(this);
  }

  finished(request: TapedRequest): void {
    this.#inFlight.delete(request);
  }

  #said(from: MessageEntry['from'], text: string, raised: RecordingLevel): void {
    this.put({ kind: 'said', from, ms: this.now(), text, raised });
  }
}

/** One request of a client, from its arrival to its answer. */
export class TapedRequest {
  /** 1, 2, 3 … within the session. */
  readonly number: number;
  readonly #tape: Tape;
  /** Null once it was handed on. */
  #arrival: Said | null;
  raised: RecordingLevel = 'off';

  constructor(tape: Tape, number: number, text: string) {
    this.#tape = tape;
    this.number = number;
    this.#arrival = { from: 'client', ms: tape.now(), text };
  }

  /** Whether it is kept whatever rules say. */
  get wanted(): boolean {
    return this.#tape.wants;
  }

  /**
   * What the owner's rules said of it. It goes on when this resolves.
   *
   * @throws AppError `recording_unavailable`
   */
  judged(asked: RuleRequest, decision: RuleDecision): Promise<void> {
    for (const { level } of decision.records) this.raised = higher(this.raised, level);
    this.#arrived();
    const { subject } = asked;
    if (subject !== 'egress') {
      const { outcome, decisive } = decision;
      const rule = decisive?.rule.id ?? null;
      this.#put({ kind: 'judged', ms: this.#tape.now(), asked: factsOf(asked, subject), outcome, rule });
    }
    return this.#tape.settled();
  }

  /** It goes to its server as this call. */
  called(call: Omit<Called, 'ms' | 'request'>): void {
    this.#put({ kind: 'called', ms: this.#tape.now(), ...call });
  }

  /** It goes to its server, and is no call. */
  asked(of: { readonly cell: string; readonly server: string }): void {
    this.#put({ kind: 'asked', ms: this.#tape.now(), ...of });
  }

  /** @param text null: the client gave up, and gets no answer */
  answered(text: string | null): void {
    this.#arrived();
    const ms = this.#tape.now();
    if (text === null) this.#put({ kind: 'cancelled', ms });
    else this.#put({ kind: 'said', from: 'gateway', ms, text });
    this.#tape.finished(this);
  }

  #arrived(): void {
    const arrival = this.#arrival;
    if (arrival === null) return;
    this.#arrival = null;
    this.#put({ kind: 'said', ...arrival });
  }

  #put(draft: OfRequest): void {
    this.#tape.put({ ...draft, ...ofRequest(this) });
  }
}

/** Nothing but what is recorded of it. */
function factsOf(asked: RuleRequest, subject: Asked['subject']): Asked {
  const { server, name, users, agents, tokens, now, clientIp, usage, args, annotations } = asked;
  return {
    subject,
    server,
    name,
    users,
    agents,
    tokens,
    now,
    ...(clientIp === undefined ? {} : { clientIp }),
    ...(usage === undefined ? {} : { usage }),
    ...(args === undefined ? {} : { args }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

const ofRequest = ({ number, raised }: Pick<TapedRequest, 'number' | 'raised'>) => ({
  request: number,
  raised,
});

type OfRequest = DistributiveOmit<Exclude<Draft, { kind: 'end' }>, 'raised' | 'request'>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
