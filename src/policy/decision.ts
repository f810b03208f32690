/** What every policy function answers: yes, or no with a reason that a person can act on. */

/** A refusal that explains itself. `message` and `hint` may be shown to whoever asked. */
export interface Refusal<Code extends string> {
  readonly allow: false;
  /** Stable: tests, audit and users rely on it. */
  readonly code: Code;
  /** What was refused and which rule did it. */
  readonly message: string;
  /** What would allow it. */
  readonly hint: string;
}

export interface Permission {
  readonly allow: true;
}

export const refuse = <Code extends string>(code: Code, message: string, hint: string): Refusal<Code> => ({
  allow: false,
  code,
  message,
  hint,
});

/** `GET, POST and PUT`, or `nothing` for an empty list. */
export function listed(items: readonly (string | number)[]): string {
  if (items.length === 0) return 'nothing';
  const last = String(items.at(-1));
  return items.length === 1 ? last : `${items.slice(0, -1).join(', ')} and ${last}`;
}
