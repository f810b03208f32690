/**
 * The servers that one client misses: left out of a list that it asked for, or not there to listen to. It is told once
 * when an outage begins and once when it is over, and that its lists changed when there is more to see.
 */
import { AppError, limits, type Log } from '../../kernel/index.ts';
import { isSevere } from '../protocol/log-levels.ts';
import { notificationText } from '../protocol/message.ts';
import type { Missing, Retries } from './retries.ts';

/** The request that something is missing from the answer of. */
export interface Asking {
  readonly idText: string;
  /** Least severe log level that its client wants; null: none. */
  readonly logLevel: string | null;
}

/** Something that a server did not say. */
export interface Gap {
  readonly slug: string;
  /** What: one gap for each of these is kept. */
  readonly what: string;
  /** Null where no request waits for it. */
  readonly asking: Asking | null;
  /** Asks for it again. @returns the changes to announce, by their methods @throws AppError */
  readonly again: () => Promise<readonly string[]>;
}

/** What an outage needs of the client's session. */
export interface OutageClient {
  /** Whose tries its tries are. */
  readonly caller: string;
  readonly log: Log;
  /** Whether it hears of changes now. */
  readonly listens: boolean;
  /** Whether a message of this level may be sent to it outside of a request. */
  wantsLog(level: string): boolean;
  announce(method: string): void;
  /** @param idText the request that it is about; null: none */
  send(text: string, idText: string | null): void;
}

interface Outage {
  readonly gaps: Map<string, Gap['again']>;
  readonly missing: Missing;
  isTold: boolean;
  /** Whether it is worth asking again. */
  isTried: boolean;
}

/** A person has to agree first; that somebody did is told in a way of its own. */
const NEEDS_CONSENT = 'definitions_unapproved';
/** The profile does not have it any more. */
const GONE: ReadonlySet<string> = new Set(['server_unknown', 'server_not_selected']);

export class Outages {
  readonly #client: OutageClient;
  readonly #retries: Retries;
  readonly #bySlug = new Map<string, Outage>();
  #closed = false;

  constructor(client: OutageClient, retries: Retries) {
    this.#client = client;
    this.#retries = retries;
  }

  /** It takes longer than anybody waits; it may answer yet. */
  isLate(gap: Gap): void {
    if (this.#closed) return;
    const seconds = limits.mcpListMs / 1_000;
    this.#tell(this.#note(gap), gap, 'deadline', `It did not answer within ${seconds} s.`);
  }

  hasFailed(gap: Gap, error: unknown): void {
    if (this.#closed) return;
    const outage = this.#note(gap);
    const known = error instanceof AppError ? error : null;
    this.#tell(outage, gap, known?.code ?? 'internal_error', known?.message ?? 'Something went wrong here.');
    outage.isTried = known?.code !== NEEDS_CONSENT;
    if (outage.isTried) this.#retries.want(outage.missing);
  }

  /** It answered a request of the client; what else was missing may be there again too. */
  hasAnswered(slug: string, what: string): void {
    const outage = this.#bySlug.get(slug);
    if (outage === undefined) return;
    outage.gaps.delete(what);
    if (outage.gaps.size === 0) this.#over(slug, outage);
  }

  /** What came too late for its request. */
  cameLate(slug: string, what: string, changes: readonly string[]): void {
    if (this.#closed) return;
    this.hasAnswered(slug, what);
    for (const change of changes) this.#client.announce(change);
  }

  /** The client listens again. */
  resume(): void {
    for (const { missing, isTried } of this.#bySlug.values()) if (isTried) this.#retries.want(missing);
  }

  close(): void {
    this.#closed = true;
    for (const { missing } of this.#bySlug.values()) this.#retries.leave(missing);
    this.#bySlug.clear();
  }

  #note({ slug, what, again }: Gap): Outage {
    const known = this.#bySlug.get(slug);
    const outage = known ?? {
      gaps: new Map<string, Gap['again']>(),
      missing: this.#missing(slug),
      isTold: false,
      isTried: false,
    };
    this.#bySlug.set(slug, outage);
    outage.gaps.set(what, again);
    return outage;
  }

  #missing(slug: string): Missing {
    return {
      key: JSON.stringify([this.#client.caller, slug]),
      listens: () => this.#client.listens,
      ask: () => this.#ask(slug),
    };
  }

  async #ask(slug: string): Promise<boolean> {
    const outage = this.#bySlug.get(slug);
    if (outage === undefined) return true;
    const changes = new Set<string>();
    try {
      for (const [what, again] of outage.gaps) {
        for (const change of await again()) changes.add(change);
        outage.gaps.delete(what);
      }
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'internal_error';
      this.#client.log.debug('mcp.list.still_missing', { server: slug, code });
      outage.isTried = code !== NEEDS_CONSENT && !GONE.has(code);
      return !outage.isTried;
    } finally {
      if (this.#bySlug.get(slug) === outage) for (const change of changes) this.#client.announce(change);
    }
    if (this.#bySlug.get(slug) === outage) this.#over(slug, outage);
    return true;
  }

  #over(slug: string, outage: Outage): void {
    this.#bySlug.delete(slug);
    this.#retries.leave(outage.missing);
    const level = 'notice';
    if (!outage.isTold || !this.#client.wantsLog(level)) return;
    const message = `The server "${slug}" answers again.`;
    this.#client.send(logText(level, { server: slug, message }), null);
  }

  /**
   * A client with a session hears of an outage once. To one without, each request stands for itself, and is told what is
   * missing from its own answer.
   */
  #tell(outage: Outage, { slug, asking }: Gap, code: string, why: string): void {
    const level = 'warning';
    if (asking === null || asking.logLevel === null || !isSevere(level, asking.logLevel)) return;
    const hasSession = this.#client.wantsLog(level);
    if (hasSession && outage.isTold) return;
    outage.isTold = true;
    const message = `The server "${slug}" is missing from this list. ${why}`;
    this.#client.send(logText(level, { server: slug, code, message }), asking.idText);
  }
}

const logText = (level: string, data: object): string =>
  notificationText('notifications/message', JSON.stringify({ level, logger: 'sallyport', data }));
