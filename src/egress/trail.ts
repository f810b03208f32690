/**
 * What the data plane writes to the audit log about one cell, or one program that comes through the proxy. Names, numbers and codes; never a header, a
 * body, a query, or a value. Intents are awaited before anything happens; outcomes are on their way when the
 * answer is, and `settled` waits for them.
 */
import type { Actor, AuditEvent, AuditEventType, AuditLog } from '../audit/index.ts';
import { type Clock, type JsonObject, limits, type Log, type WorkspaceId } from '../kernel/index.ts';
import { type Counted, FloodGate, type GateRules } from './flood-gate.ts';
import type { HitTally } from './hit-tally.ts';
import type { CellIdentity, RequestFacts } from './ports.ts';

/** Whose events they are. */
export interface TrailSource {
  readonly workspace: WorkspaceId;
  readonly actor: Actor;
  /** The server's slug, where one is known. */
  readonly server?: string;
  /** What every event says. */
  readonly data: JsonObject;
}

/** Events of a cell are the cell's own; those of a program outside are those of its token. */
export function sourceOf({ workspace, cell, server, profile, owner, proxy }: CellIdentity): TrailSource {
  return proxy === undefined
    ? { workspace, actor: { kind: 'cell', id: cell }, server, data: { profile, owner } }
    : {
        workspace,
        actor: { kind: 'token', id: proxy.token },
        server,
        data: { profile, owner, via: 'proxy', agent: proxy.agent, session: cell },
      };
}

/** What a refusal is about. Each has a gate of its own, so that a flood of one hides none of another. */
export type RefusalSubject = 'name' | 'connection' | 'request';

interface RefusedEvent {
  readonly type: AuditEventType;
  readonly data: JsonObject;
}

const GATES: Readonly<Record<RefusalSubject, GateRules>> = {
  name: { eachMax: 1, firstsMax: 0 }, // every other name is another kind
  connection: { eachMax: 1, firstsMax: limits.cellRefusalFirstsMax },
  request: { eachMax: limits.cellRefusalRepeatsMax, firstsMax: limits.cellRefusalFirstsMax },
};

/** A field of an event that may be missing. */
export function textOf(data: JsonObject, field: string): string {
  const value = data[field];
  return typeof value === 'string' ? value : '';
}

/** @param suppressed like ones before it that were only counted */
const counted = (data: JsonObject, suppressed: number): JsonObject =>
  suppressed === 0 ? data : { ...data, suppressed };

export class Trail {
  readonly #audit: Pick<AuditLog, 'record' | 'note'>;
  readonly #source: TrailSource;
  readonly #saidKeys: readonly string[];
  readonly #gates: Readonly<Record<RefusalSubject, FloodGate<RefusedEvent>>>;
  readonly #log: Log;
  /** What `settled` waits for. */
  #open = 0;
  #settled: PromiseWithResolvers<void> | null = null;
  /** What the last outcome waits for. */
  #noted: Promise<void> | null = null;

  constructor(deps: {
    audit: Pick<AuditLog, 'record' | 'note'>;
    source: TrailSource;
    clock: Clock;
    log: Log;
  }) {
    this.#audit = deps.audit;
    this.#source = deps.source;
    this.#saidKeys = Object.keys(deps.source.data);
    this.#gates = {
      name: new FloodGate(deps.clock, GATES.name),
      connection: new FloodGate(deps.clock, GATES.connection),
      request: new FloodGate(deps.clock, GATES.request),
    };
    this.#log = deps.log;
  }

  /** A request without a credential is about to leave. @throws AppError `audit_unavailable`: then it must not */
  async intent(request: RequestFacts): Promise<void> {
    await this.#audit.record(this.#event('egress.request', request.data));
  }

  /** How a request ended. */
  finished(data: JsonObject): void {
    this.#later('egress.finished', data);
  }

  /** Keys were found in an answer and masked. */
  masked(request: RequestFacts, { credentials, encodings, hits }: HitTally): void {
    this.#later('egress.masked', {
      ...request.data,
      credentials: [...credentials],
      encodings: [...encodings],
      hits,
    });
  }

  /**
   * Something was refused; of many repetitions some are only counted. Resolves when that is recorded, or cannot
   * be: a refusal stands either way.
   *
   * @param key what makes two refusals with the same code the same
   */
  async refused(about: RefusalSubject, type: AuditEventType, key: string, data: JsonObject): Promise<void> {
    const sort = `${type} ${textOf(data, 'code')}`;
    const suppressed = this.#gates[about].pass(sort, key, { type, data });
    if (suppressed !== null) {
      const event = this.#event(type, counted(data, suppressed));
      await this.during(this.#audit.record(event).catch(this.#unrecorded(type)));
    }
  }

  /** Something of ours went wrong: for whoever reads the log. */
  failed(error: unknown, request: string): void {
    this.#log.error('egress.failed', {
      request,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }

  /** Now and then: tells what was only counted in the meantime. */
  sweep(): void {
    for (const gate of Object.values(this.#gates)) this.#tell(gate.overdue());
  }

  /** Nothing more is refused: tells what was only counted. */
  close(): void {
    for (const gate of Object.values(this.#gates)) this.#tell(gate.rest());
  }

  /** Has `settled` wait for something that will end in an event. @returns the same promise */
  during<T>(doing: Promise<T>): Promise<T> {
    this.#open += 1;
    doing.then(this.#done, this.#done);
    return doing;
  }

  /** Resolves when everything that was handed in is recorded or has failed. */
  async settled(): Promise<void> {
    while (this.#open > 0) {
      this.#settled ??= Promise.withResolvers();
      await this.#settled.promise;
    }
  }

  readonly #done = (): void => {
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#settled?.resolve();
    this.#settled = null;
  };

  #event(type: AuditEventType, data: JsonObject): AuditEvent {
    return { ...this.#source, type, data: this.#saysAll(data) ? data : { ...data, ...this.#source.data } };
  }

  /** Whether it has what every event says, as those about requests do. */
  #saysAll(data: JsonObject): boolean {
    const { data: said } = this.#source;
    return this.#saidKeys.every((key) => data[key] === said[key]);
  }

  #unrecorded(type: AuditEventType): (error: unknown) => void {
    return (error) =>
      this.#log.error('egress.audit_failed', {
        type,
        error: error instanceof Error ? error.message : String(error),
      });
  }

  #tell(refusals: readonly Counted<RefusedEvent>[]): void {
    for (const { event, suppressed } of refusals) this.#later(event.type, counted(event.data, suppressed));
  }

  #later(type: AuditEventType, data: JsonObject): void {
    const recorded = this.#audit.note(this.#event(type, data));
    /* Outcomes that are written together share a promise: most of them find it waited for already. */
    if (recorded === this.#noted) return;
    this.#noted = recorded;
    void this.during(recorded.catch(this.#unrecorded(type)));
  }
}
