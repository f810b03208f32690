/**
 * How the API speaks HTTP: errors in one form, validation in words, progress as JSON Lines.
 * The one place that turns an error into an answer.
 */
import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { AppError, type AppErrorKind, isAppError, type Log, toWire } from '../kernel/index.ts';
import { ErrorBody } from './schemas.ts';

const STATUS: Record<AppErrorKind, 400 | 401 | 403 | 404 | 409 | 429 | 500 | 502> = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  not_found: 404,
  conflict: 409,
  limited: 429,
  unavailable: 502,
  failed: 500,
};

/** A router that refuses a body or parameter of the wrong shape with an error that names the field. */
export function router(): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook(result) {
      if (result.success) return;
      const [issue] = result.error.issues;
      const field = issue?.path.join('.') || 'body';
      throw new AppError(
        'api_input_invalid',
        `The field \`${field}\` is wrong: ${issue?.message ?? 'unknown'}.`,
        {
          kind: 'invalid',
          hint: 'The API describes itself at /api/v1/openapi.json.',
        },
      );
    },
  });
}

/** Answers every thrown value; only an `AppError` may say what happened. */
export function errorResponse(error: unknown, log: Log): Response {
  if (error instanceof HTTPException) {
    return Response.json({ error: { code: 'http_error', message: error.message } }, { status: error.status });
  }
  if (!isAppError(error))
    log.error('api.unexpected', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  return Response.json({ error: toWire(error) }, { status: isAppError(error) ? STATUS[error.kind] : 500 });
}

/** What a route may answer, for the OpenAPI document. */
export function answers<T extends z.ZodType>(description: string, schema: T) {
  return {
    200: { description, content: { 'application/json': { schema } } },
    default: {
      description: 'What went wrong, and what to do next',
      content: { 'application/json': { schema: ErrorBody } },
    },
  } as const;
}

export function jsonBody<T extends z.ZodType>(schema: T) {
  return { body: { content: { 'application/json': { schema } }, required: true } } as const;
}

/**
 * Long work as JSON Lines: `{"progress":"…"}` as it goes, then one `{"result":…}` or `{"error":{…}}`.
 * The status is 200 either way, because it is sent before the outcome is known.
 */
export function progressResponse(
  work: (tell: (message: string) => void) => Promise<unknown>,
  log: Log,
): Response {
  return linesResponse(async (write) => {
    try {
      write({ result: await work((message) => write({ progress: message })) });
    } catch (error) {
      if (!isAppError(error))
        log.error('api.unexpected', {
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      write({ error: { ...toWire(error), kind: isAppError(error) ? error.kind : 'failed' } });
    }
  });
}

/** JSON Lines for as long as `produce` runs; `signal` says when the reader is gone. */
export function linesResponse(
  produce: (write: (line: unknown) => void, signal: AbortSignal) => Promise<void>,
): Response {
  const gone = new AbortController();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const write = (line: unknown): void => {
        if (!gone.signal.aborted) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      };
      try {
        await produce(write, gone.signal);
        if (!gone.signal.aborted) controller.close();
      } catch (error) {
        if (!gone.signal.aborted) controller.error(error);
      }
    },
    cancel() {
      gone.abort();
    },
  });
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } });
}
