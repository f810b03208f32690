/** What a journal needs from outside: files in which it is written and read. */

/** The file that a journal is being written to. A journal is a row of such files, its segments. */
export interface JournalFile {
  /** Bytes of the segment that is written to now. */
  readonly bytes: number;
  /**
   * Adds to the end, all or nothing: what a failed call left behind is gone before the next one writes. On return it
   * outlives the end of this process.
   *
   * @throws whatever the operating system says
   */
  append(bytes: Uint8Array): void;
  /** Goes on in a new segment. @throws whatever the operating system says */
  rotate(): void;
  /** Resolves when everything that was appended before the call is on the disk, the names of its files included. */
  sync(): Promise<void>;
  close(): void;
}

/** The same files for who reads them. Synchronous: reading is what the reader's thread is for. */
export interface JournalSource {
  /** Numbers of the segments that there are, in order. */
  segments(): readonly number[];
  /** At most `length` bytes; fewer only where the segment ends. */
  read(segment: number, offset: number, length: number): Buffer;
  /** No error where there is none. */
  remove(segment: number): void;
}

/** All journals of a home. */
export interface JournalFolder {
  /** Whether a journal can have this id. About others nothing is asked: an id that the database was given could name any file. */
  isName(journal: string): boolean;
  /** Ids of the journals that there are, in the order in which they were begun. */
  journals(): readonly string[];
  source(journal: string): JournalSource;
  /** Null while the process that writes it is alive; else nobody else has it until `release`. */
  claim(journal: string): { release(): void } | null;
  /** Keeps what cannot be taken over where somebody can look at it. @returns the name of what was kept; null where there was nothing */
  setAside(journal: string): string | null;
}
