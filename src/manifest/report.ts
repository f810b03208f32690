/**
 * What a parser of this folder found wrong, collected so that one run shows every mistake of a file.
 * Messages quote the manifest, which is not a secret; nothing else may go into them.
 */

import { limits } from '../kernel/index.ts';

/** A place in the text. Both count from 1; columns count UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One mistake, where it stands, and what would be right. */
export interface ManifestError extends Position {
  readonly file: string;
  /** Path of the value: `credentials[0].hosts[1]`; empty for the document itself. */
  readonly field: string;
  /** Stable, snake_case, prefixed `manifest_`, `toolspec_` or `policy_`. */
  readonly code: string;
  /** What is wrong, without the field's name. */
  readonly message: string;
  /** What would be right, fit to follow the word "expected"; empty where the message says it all. */
  readonly expected: string;
}

/** Code, message and expectation of a rule, still without a place. */
export interface Complaint {
  readonly code: string;
  readonly message: string;
  readonly expected: string;
}

export class Report {
  readonly file: string;
  readonly #kind: string;
  readonly #errors: ManifestError[] = [];
  readonly #warnings: ManifestError[] = [];

  /**
   * @param file name shown in every finding
   * @param kind of document, which codes begin with
   */
  constructor(file: string, kind: 'manifest' | 'policy' = 'manifest') {
    this.file = file;
    this.#kind = kind;
  }

  error(at: Position, field: string, complaint: Complaint): void {
    if (this.#errors.length < limits.manifestFindingsMax)
      this.#errors.push(this.#place(at, field, complaint));
  }

  warn(at: Position, field: string, complaint: Complaint): void {
    if (this.#warnings.length < limits.manifestFindingsMax)
      this.#warnings.push(this.#place(at, field, complaint));
  }

  get failed(): boolean {
    return this.#errors.length > 0;
  }

  /** No further error will be kept, so a caller need not look for more. */
  get full(): boolean {
    return this.#errors.length === limits.manifestFindingsMax;
  }

  /** In the order of the text. */
  get errors(): readonly ManifestError[] {
    return this.#errors.toSorted(byPosition);
  }

  get warnings(): readonly ManifestError[] {
    return this.#warnings.toSorted(byPosition);
  }

  #place(at: Position, field: string, { code, message, expected }: Complaint): ManifestError {
    const place = { file: this.file, line: at.line, column: at.column, field: cut(field) };
    const own = code.replace(/^manifest_/, `${this.#kind}_`);
    return { ...place, code: own, message: cut(message), expected: cut(expected) };
  }
}

/** What a finding quotes may be as long as the file, and every finding may quote the same. */
function cut(text: string): string {
  const max = limits.manifestFindingCharsMax;
  return text.length <= max ? text : `${text.slice(0, max).toWellFormed()}…`;
}

const byPosition = (a: Position, b: Position): number => a.line - b.line || a.column - b.column;
