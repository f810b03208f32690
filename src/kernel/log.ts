import type { Json } from './json.ts';

/** Structured fields of a log line. Secrets cannot be among them: `Secret` is not `Json`. */
export type LogFields = { readonly [key: string]: Json | undefined };

/** The operational log (not the audit log): one line per event, never a secret, never a request body. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Drops everything. For tests and one-shot commands. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
