/**
 * The recorder: takes what sessions say, and hands it to whoever masks, seals and writes it, a little at a time and one batch
 * after the other. Whoever speaks does not wait for it, unless the operator wants no request to go on that is not on record.
 * What finds no room, or is lost on the way, is counted, and said.
 *
 * A text whose masking is uncertain is not kept: stored values that cannot be known are no reason to keep what may hold them.
 */
import {
  AppError,
  type Clock,
  limits,
  newId,
  type Random,
  Secret,
  type WorkspaceId,
} from '../kernel/index.ts';
import { KEY_BYTES } from './chunk.ts';
import type { SessionFacts } from './entry.ts';
import type { Batch, BatchOutcome, Part, Written } from './handover.ts';
import { higher, type RecordingLevel } from './level.ts';
import type { RecordingPorts } from './ports.ts';
import { type Draft, type Reel, Tape } from './tape.ts';

export interface RecorderDeps {
  readonly ports: RecordingPorts;
  /** Whether a request waits until it is on record, and is refused where it cannot be. */
  readonly required: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** Who says something. */
export interface Speaker extends Omit<SessionFacts, 'id' | 'startedAt'> {
  readonly workspace: WorkspaceId;
}

/** What is known of a session of which something is kept. */
interface Reeled {
  readonly secret: Secret;
  readonly dataKey: Buffer;
  written: Written;
}

interface Waiting {
  readonly tape: Tape;
  readonly draft: Draft;
  /** What it counts for among what waits, in characters. */
  readonly chars: number;
  /** What the profile was recorded at when it was said. It never rejects. */
  readonly base: RecordingLevel | Promise<RecordingLevel>;
}

/** What could not be kept of a session. */
interface Lost {
  messages: number;
  /** When it ended, if that was among it. */
  endedMs: number | null;
}

/** What is on its way, and whose it is. */
interface Handed {
  readonly batch: Batch;
  readonly tapes: readonly Tape[];
  readonly chars: number;
}

interface Spool {
  readonly spoken: Part['spoken'][number][];
  endedMs: number | null;
}

/** What a batch is made of. */
interface Batched {
  readonly spools: ReadonlyMap<Tape, Spool>;
  readonly losses: ReadonlyMap<Tape, Lost>;
  readonly chars: number;
}

type Gone = Pick<Part, 'spoken' | 'endedMs'> & { readonly lost: Pick<Lost, 'messages'> | null };

/** Where a level cannot be read: what passed stays on record, and none of what was said. */
const UNREAD: RecordingLevel = 'metadata';

const NOTHING: Written = { chunks: 0, entries: 0, calls: 0, dropped: 0 };

export class SessionRecorder {
  readonly #deps: RecorderDeps;
  #queue: Waiting[] = [];
  /** Of all that waits or is on its way. */
  #waitingChars = 0;
  /** How many drafts were ever put, and taken from the queue. */
  #put = 0;
  #taken = 0;
  #lost = new Map<Tape, Lost>();
  readonly #reeled = new Map<Tape, Reeled>();
  /** Sessions of which something was taken, and that go on. */
  readonly #heard = new Set<Tape>();
  /** What the store has not taken yet. It comes before everything else. */
  #handed: Handed | null = null;
  /** The values that whoever writes was told of. */
  readonly #told = new Map<WorkspaceId, string>();
  #turn: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** What callers without a session asked a moment ago. */
  readonly #pausing = new Map<string, Tape>();
  readonly #pauseTimer: NodeJS.Timeout;
  #failing = false;
  #closed = false;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
    this.#pauseTimer = setInterval(() => this.#endPaused(), limits.recordingPauseCheckMs).unref();
  }

  /** A session of its own, for one connection; or the one that this caller's requests belong to at present. */
  begin(speaker: Speaker): Tape {
    if (speaker.via === 'session') return this.#tape(speaker);
    const { workspace, profile, server, actor, agent } = speaker;
    const key = JSON.stringify([workspace, profile, server, actor, agent]);
    const known = this.#pausing.get(key);
    if (known !== undefined) return known;
    const tape = this.#tape(speaker);
    this.#pausing.set(key, tape);
    return tape;
  }

  /** Ids of sessions that may still grow. */
  growing(): ReadonlySet<string> {
    return new Set([...this.#heard].map(({ facts }) => facts.id));
  }

  /** Has what waits written. Resolves when it is written, or cannot be: see `ports.failed`. */
  flush(): Promise<void> {
    // Whoever comes before it begins shares it.
    this.#next ??= this.#turn = this.#turn.then(async () => {
      this.#next = null;
      try {
        await this.#drain();
      } catch (error) {
        // The turns after it go on.
        this.#failing = true;
        this.#deps.ports.failed('store', codeOf(error));
        this.#flushSoon();
      }
    });
    return this.#next;
  }

  async close(): Promise<void> {
    clearInterval(this.#pauseTimer);
    for (const tape of this.#pausing.values()) tape.end();
    this.#pausing.clear();
    for (const tape of this.#heard) tape.end();
    await this.flush();
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#deps.ports.link.close();
    for (const { secret } of this.#reeled.values()) secret.destroy();
    this.#reeled.clear();
  }

  #tape({ workspace, ...speaker }: Speaker): Tape {
    const { clock, random } = this.#deps;
    const facts = { ...speaker, id: newId<'recording'>('ses', random), startedAt: clock.now() };
    const reel: Reel = {
      wants: (tape) => this.#levelOf(tape) !== 'off',
      put: (tape, draft) => this.#take(tape, draft),
      settled: (tape) => this.#settled(tape),
    };
    return new Tape(workspace, facts, reel, clock);
  }

  /** Handled where it is asked for: it may wait for a while before anybody looks at it. */
  #levelOf({ workspace, facts }: Tape): RecordingLevel | Promise<RecordingLevel> {
    const { ports } = this.#deps;
    const unread = (error: unknown): RecordingLevel => {
      ports.failed('level', codeOf(error));
      return UNREAD;
    };
    try {
      const level = ports.levelOf(workspace, facts.profile);
      return typeof level === 'string' ? level : level.catch(unread);
    } catch (error) {
      return unread(error);
    }
  }

  #take(tape: Tape, draft: Draft): void {
    if (this.#closed) return;
    // Most sessions are not recorded: what is known to be so costs nothing.
    const base = this.#levelOf(tape);
    const isOff = base === 'off' && draft.raised === 'off';
    if (isOff && (draft.kind !== 'end' || !this.#heard.has(tape))) return;
    if (draft.kind === 'end') this.#heard.delete(tape);
    else this.#heard.add(tape);
    this.#flushSoon();
    const chars = charsOf(draft);
    if (draft.kind !== 'end' && this.#waitingChars + chars > limits.recordingQueueCharsMax) {
      this.#lose(tape, draft);
      return;
    }
    this.#waitingChars += chars;
    this.#put += 1;
    this.#queue.push({ tape, draft, chars, base });
    // Handed over in small batches, none of which holds anybody up.
    if (this.#waitingChars >= limits.recordingBatchCharsMax && !this.#failing) void this.flush();
  }

  #flushSoon(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.flush();
    }, limits.recordingFlushIntervalMs).unref();
  }

  #lose(tape: Tape, draft: Draft): void {
    const lost = this.#lost.get(tape) ?? { messages: 0, endedMs: null };
    if (draft.kind === 'end') lost.endedMs = draft.ms;
    else lost.messages += 1;
    this.#lost.set(tape, lost);
  }

  async #settled(tape: Tape): Promise<void> {
    if (!this.#deps.required) return;
    if (!this.#heard.has(tape)) return;
    const isLost = this.#lost.has(tape);
    await this.flush();
    if (isLost || this.#failing || this.#lost.has(tape))
      throw new AppError('recording_unavailable', 'The recording of this session cannot be written.', {
        kind: 'unavailable',
        hint: 'The gateway is set to let nothing go on that is not recorded (recording.required). Its log says why.',
      });
  }

  /** What was put until now, and what did not get through before. */
  async #drain(): Promise<void> {
    const until = this.#put;
    while (this.#handed !== null || this.#taken < until || this.#lost.size > 0) {
      const isWhole = this.#handed !== null || (await this.#hand());
      const isWritten = this.#handed === null || (await this.#write(this.#handed));
      this.#failing = !isWhole || !isWritten;
      if (!this.#failing) continue;
      // Not at once: what is in the way may be gone by then.
      this.#flushSoon();
      return;
    }
  }

  /** Makes the next batch, if anything of what it would hold is to be kept. @returns whether every session could begin */
  async #hand(): Promise<boolean> {
    const taken = this.#batched();
    const chars = taken.reduce((sum, one) => sum + one.chars, 0);
    const workspace = taken[0]?.tape.workspace ?? this.#lost.keys().next().value?.workspace;
    if (workspace === undefined) return true;
    const spools = new Map<Tape, Spool>();
    for (const { tape, draft, base } of taken) {
      // What it was when it was said.
      const level = higher(typeof base === 'string' ? base : await base, draft.raised);
      const spool = spools.get(tape) ?? { spoken: [], endedMs: null };
      if (draft.kind === 'end') spool.endedMs = draft.ms;
      else if (level !== 'off') spool.spoken.push({ said: draft, level });
      else continue;
      spools.set(tape, spool);
    }
    const losses = this.#queue.length === 0 ? this.#lossesOf(workspace) : new Map<Tape, Lost>();
    for (const tape of losses.keys()) if (!spools.has(tape)) spools.set(tape, { spoken: [], endedMs: null });
    return this.#handOver(workspace, { spools, losses, chars });
  }

  /** @returns whether every session could begin */
  async #handOver(workspace: WorkspaceId, { spools, losses, chars }: Batched): Promise<boolean> {
    const { ports, clock } = this.#deps;
    const parts: Part[] = [];
    const tapes: Tape[] = [];
    let failure: unknown = null;
    for (const [tape, { spoken, endedMs }] of spools) {
      const lost = losses.get(tape);
      if (!this.#reeled.has(tape) && spoken.length === 0 && lost === undefined) continue;
      try {
        const { secret, dataKey, written } = this.#reeled.get(tape) ?? (await this.#begun(tape));
        const isLost = lost !== undefined && lost.messages > 0;
        parts.push({
          facts: tape.facts,
          secret,
          dataKey,
          from: written,
          spoken,
          lost: isLost ? { messages: lost.messages, ms: tape.now() } : null,
          endedMs: endedMs ?? lost?.endedMs ?? null,
        });
        tapes.push(tape);
      } catch (error) {
        failure = error;
        this.#loseAll(tape, { spoken, endedMs, lost: lost ?? null });
      }
    }
    if (failure !== null) ports.failed('store', codeOf(failure));
    if (parts.length === 0) this.#waitingChars -= chars;
    else {
      const areValuesKnown = await this.#tell(workspace);
      this.#handed = { batch: { workspace, at: clock.now(), areValuesKnown, parts }, tapes, chars };
    }
    return failure === null;
  }

  /** What comes next, of one workspace. */
  #batched(): readonly Waiting[] {
    const workspace = this.#queue[0]?.tape.workspace;
    let chars = 0;
    let count = 0;
    for (const one of this.#queue) {
      chars += one.chars;
      if (one.tape.workspace !== workspace || (count > 0 && chars > limits.recordingBatchCharsMax)) break;
      count += 1;
    }
    this.#taken += count;
    return this.#queue.splice(0, count);
  }

  #lossesOf(workspace: WorkspaceId): ReadonlyMap<Tape, Lost> {
    const losses = new Map([...this.#lost].filter(([tape]) => tape.workspace === workspace));
    let messages = 0;
    for (const [tape, lost] of losses) {
      this.#lost.delete(tape);
      messages += lost.messages;
    }
    if (messages > 0) this.#deps.ports.failed('full', `${messages} messages`);
    return losses;
  }

  /** @returns whether it is written. What is not stays, unless it is lost */
  async #write(handed: Handed): Promise<boolean> {
    const { ports } = this.#deps;
    const { batch, tapes, chars } = handed;
    let outcome: BatchOutcome | null = null;
    try {
      outcome = await ports.link.write(batch);
    } catch (error) {
      ports.failed('writer', codeOf(error));
    }
    if (outcome?.ok === false) {
      ports.failed('store', outcome.why);
      return false;
    }
    this.#handed = null;
    this.#waitingChars -= chars;
    const removed: [Tape, Part][] = [];
    for (const [index, tape] of tapes.entries()) {
      const part = batch.parts[index];
      const written = outcome?.written[index];
      if (part === undefined) continue;
      if (written === undefined) this.#loseAll(tape, part);
      else if (written === null) removed.push([tape, part]);
      else this.#wrote(tape, written, part.endedMs !== null);
    }
    const isAnew = await this.#beginAnew(batch.workspace, removed);
    return outcome !== null && isAnew;
  }

  /**
   * What is said from now on is kept as before, of sessions whose recordings somebody removed, too: they begin with what was not
   * taken. One of which nothing is left but its end has ended.
   *
   * @returns whether all could begin
   */
  async #beginAnew(workspace: WorkspaceId, removed: readonly (readonly [Tape, Part])[]): Promise<boolean> {
    const spools = new Map<Tape, Spool>();
    const losses = new Map<Tape, Lost>();
    for (const [tape, { spoken, lost, endedMs }] of removed) {
      this.#deps.ports.failed('removed', tape.facts.id);
      this.#reeled.get(tape)?.secret.destroy();
      this.#reeled.delete(tape);
      spools.set(tape, { spoken: [...spoken], endedMs });
      if (lost !== null) losses.set(tape, { messages: lost.messages, endedMs: null });
    }
    return this.#handOver(workspace, { spools, losses, chars: 0 });
  }

  #wrote(tape: Tape, written: Written, isEnded: boolean): void {
    const reeled = this.#reeled.get(tape);
    if (reeled === undefined) return;
    reeled.written = written;
    if (!isEnded) return;
    this.#reeled.delete(tape);
    reeled.secret.destroy();
    this.#deps.ports.ended(tape.workspace, tape.facts.id, written.chunks - 1);
  }

  #loseAll(tape: Tape, { spoken, endedMs, lost }: Gone): void {
    const known = this.#lost.get(tape) ?? { messages: 0, endedMs: null };
    const messages = known.messages + spoken.length + (lost?.messages ?? 0);
    this.#lost.set(tape, { messages, endedMs: endedMs ?? known.endedMs });
  }

  /** Whoever writes is to know what to mask. @returns whether that can be known now */
  async #tell(workspace: WorkspaceId): Promise<boolean> {
    const { link, values } = this.#deps.ports;
    try {
      const version = `${link.epoch} ${await values.version(workspace)}`;
      if (this.#told.get(workspace) === version) return true;
      this.#told.delete(workspace);
      const secrets = await values.open(workspace);
      try {
        link.learn(workspace, secrets);
      } finally {
        for (const secret of secrets) secret.destroy();
      }
      this.#told.set(workspace, version);
      return true;
    } catch {
      return false;
    }
  }

  async #begun(tape: Tape): Promise<Reeled> {
    const secret = Secret.fromBytes(this.#deps.random.bytes(KEY_BYTES));
    const dataKey = await this.#deps.ports.begin(tape.workspace, tape.facts, secret);
    const reeled = { secret, dataKey, written: NOTHING };
    this.#reeled.set(tape, reeled);
    return reeled;
  }

  #endPaused(): void {
    const before = this.#deps.clock.monotonic() - limits.recordingPauseMs;
    for (const [key, tape] of this.#pausing) {
      if (tape.busy || tape.lastUsedMs > before) continue;
      this.#pausing.delete(key);
      tape.end();
    }
  }
}

const codeOf = (error: unknown): string => (error instanceof AppError ? error.code : String(error));

/** What a draft is in memory beside its texts. */
const DRAFT_CHARS = 200;

function charsOf(draft: Draft): number {
  if (draft.kind === 'said') return DRAFT_CHARS + draft.text.length;
  if (draft.kind !== 'judged') return DRAFT_CHARS;
  const { args, annotations } = draft.asked;
  return DRAFT_CHARS + (args?.length ?? 0) + (annotations?.length ?? 0);
}
