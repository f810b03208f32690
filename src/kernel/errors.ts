/**
 * The one error class of the project. Rich inside, dull outside: `message` and `hint` may be shown to
 * whoever asked; `detail` and `cause` are for the log and the audit, never for the wire.
 */
import type { JsonObject } from './json.ts';

/** What sort of failure it is; decides the HTTP status and the exit code. */
export type AppErrorKind =
  | 'invalid' /** the input is wrong: 400, exit 2 */
  | 'unauthenticated' /** who are you: 401, exit 1 */
  | 'denied' /** policy, kill switch or binding says no: 403, exit 3 */
  | 'not_found' /** 404, exit 1 */
  | 'conflict' /** already there, or in another state: 409, exit 1 */
  | 'limited' /** too much, too often: 429, exit 1 */
  | 'unavailable' /** something outside did not answer as it should: 502, exit 1 */
  | 'failed'; /** our side could not do it: 500, exit 1 */

/** The one table from kinds to HTTP statuses. */
export const httpStatus = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  not_found: 404,
  conflict: 409,
  limited: 429,
  unavailable: 502,
  failed: 500,
} as const satisfies Record<AppErrorKind, number>;

export interface AppErrorOptions {
  readonly kind: AppErrorKind;
  /** What to do next, in one sentence. */
  readonly hint?: string;
  /** When to try again, in whole seconds. */
  readonly retryAfterSeconds?: number;
  /** Facts for the log and the audit only. */
  readonly detail?: JsonObject;
  readonly cause?: unknown;
}

/** The public form of an error, in HTTP answers and with `--json`. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly retryAfterSeconds?: number;
}

export class AppError extends Error {
  override readonly name = 'AppError';
  /** Stable, snake_case, prefixed by the module: `vault_credential_missing`. Tests and users rely on it. */
  readonly code: string;
  readonly kind: AppErrorKind;
  readonly hint: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly detail: JsonObject | undefined;

  /** @param message what happened and why, in a sentence that may be shown to the caller */
  constructor(code: string, message: string, options: AppErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = options.kind;
    this.hint = options.hint;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.detail = options.detail;
  }
}

export const isAppError = (error: unknown): error is AppError => error instanceof AppError;

/** What an outsider may know of any thrown value. Anything that is not an `AppError` becomes `internal_error`. */
export function toWire(error: unknown): WireError {
  if (!isAppError(error)) {
    return {
      code: 'internal_error',
      message: 'Something went wrong inside Sallyport.',
      hint: "The gateway's log has the details.",
    };
  }
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
  };
}
