/**
 * Recordings read back. It trusts nothing of what the store returns: each chunk must open in its place, the row must say what
 * the sealed beginning says, and the end must be where the entries say. What does not is named, and what is sound is shown.
 */
import { AppError, type Secret, type WorkspaceId } from '../kernel/index.ts';
import { chunkContext, entriesIn, openChunk } from './chunk.ts';
import type { Entry, SessionFacts } from './entry.ts';

/** As the store has it. */
export interface StoredChunk {
  readonly sequence: number;
  readonly sealed: Uint8Array;
}

/** Something that is not as it was written. */
export interface RecordingFault {
  /**
   * `chunk_missing`: one or several were taken out. `chunk_altered`: it was changed, or is another's. `begin_altered`: what
   * the list says of the session is not what it began with. `end_missing`: it was ended, and its end is gone; `end_wrong`:
   * entries in front of the end are gone.
   */
  readonly code: 'chunk_missing' | 'chunk_altered' | 'begin_altered' | 'end_missing' | 'end_wrong';
  /** The chunk that it is about, if any. */
  readonly chunk: number | null;
}

/** What one session's chunks hold, as far as they were read. */
export class RecordingReader {
  readonly faults: RecordingFault[] = [];
  readonly #workspace: WorkspaceId;
  readonly #facts: SessionFacts;
  readonly #secret: Secret;
  #next = 0;
  #count = 0;
  #part: Buffer[] = [];
  #hasEnd = false;

  /** @param facts what the row says. @param secret the session's data key, which stays the caller's */
  constructor(workspace: WorkspaceId, facts: SessionFacts, secret: Secret) {
    this.#workspace = workspace;
    this.#facts = facts;
    this.#secret = secret;
  }

  /** Entries that are complete with this chunk. Chunks come in their order. */
  read({ sequence, sealed }: StoredChunk): readonly Entry[] {
    if (sequence !== this.#next) {
      this.faults.push({ code: 'chunk_missing', chunk: this.#next });
      this.#part = [];
    }
    this.#next = sequence + 1;
    try {
      const { lines, goesOn } = openChunk(
        sealed,
        this.#secret,
        chunkContext(this.#workspace, this.#facts.id, sequence),
      );
      if (goesOn) {
        this.#part.push(lines);
        return [];
      }
      const entries = this.#whole(Buffer.concat([...this.#part, lines]));
      this.#part = [];
      for (const entry of entries) this.#seen(entry);
      return entries;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#part = [];
      this.faults.push({ code: 'chunk_altered', chunk: sequence });
      return [];
    }
  }

  /**
   * After the last chunk.
   *
   * @param shouldEnd whether the session is said to be over
   * @returns whether its end is there
   */
  finish(shouldEnd: boolean): boolean {
    if (!this.#hasEnd && shouldEnd) this.faults.push({ code: 'end_missing', chunk: null });
    return this.#hasEnd;
  }

  /** What is left of an entry whose first part is gone is none. */
  #whole(lines: Buffer): Entry[] {
    try {
      return entriesIn(lines);
    } catch {
      return entriesIn(lines.subarray(lines.indexOf(0x0a) + 1));
    }
  }

  #seen(entry: Entry): void {
    if (entry.kind === 'session' && !isSame(entry.facts, this.#facts))
      this.faults.push({ code: 'begin_altered', chunk: null });
    if (entry.kind === 'end') {
      this.#hasEnd = true;
      if (entry.entries !== this.#count) this.faults.push({ code: 'end_wrong', chunk: null });
    }
    this.#count += 1;
  }
}

const isSame = (one: SessionFacts, other: SessionFacts): boolean =>
  one.id === other.id &&
  one.profile === other.profile &&
  one.server === other.server &&
  one.actor === other.actor &&
  one.agent === other.agent &&
  one.via === other.via &&
  one.startedAt === other.startedAt;
