/**
 * How the API speaks HTTP: errors in one form, validation in words, progress as JSON Lines.
 * The one place that turns an error into an answer.
 */
import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { AppError, httpStatus, isAppError, type Log, toWire } from '../kernel/index.ts';
import { Mailbox } from './mailbox.ts';
import { ErrorBody } from './schemas.ts';

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
  if (!isAppError(error)) logUnexpected(error, log);
  const seconds = isAppError(error) ? error.retryAfterSeconds : undefined;
  return Response.json(
    { error: toWire(error) },
    {
      status: isAppError(error) ? httpStatus[error.kind] : 500,
      headers: seconds === undefined ? {} : { 'retry-after': String(seconds) },
    },
  );
}

/** What a route may answer, for the OpenAPI document. */
export function answers<T extends z.ZodType>(description: string, schema: T) {
  return { 200: { description, content: { 'application/json': { schema } } }, ...failure } as const;
}

type Documented = { readonly 200: { readonly description: string } };

/** The same for an answer whose text is another's, or a stream: the type of what is answered says nothing of the schema. */
export function answersText(description: string, schema: z.ZodType): Documented {
  return answers(description, schema);
}

/** The same for JSON Lines; the schema is that of one line. */
export function answersLines(description: string, schema: z.ZodType): Documented {
  const answer = { 200: { description, content: { 'application/x-ndjson': { schema } } }, ...failure };
  return answer;
}

const failure = {
  default: {
    description: 'What went wrong, and what to do next',
    content: { 'application/json': { schema: ErrorBody } },
  },
} as const;

export function jsonBody<T extends z.ZodType>(schema: T) {
  return { body: { content: { 'application/json': { schema } }, required: true } } as const;
}

/** Messages of long work that wait for its reader. Who reads slowly misses some, never the outcome. */
const PROGRESS_WAITING_MAX = 16;

/**
 * Long work as JSON Lines: `{"progress":"…"}` as it goes, then one `{"result":…}` or `{"error":{…}}`.
 * The status is 200 either way, because it is sent before the outcome is known.
 *
 * @param work given a way to tell its progress, and whether anybody still wants the outcome
 */
export function progressResponse(
  work: (tell: (message: string) => void, wanted: AbortSignal) => Promise<unknown>,
  log: Log,
): Response {
  return linesResponse(async function* (gone) {
    const messages = new Mailbox<string>(PROGRESS_WAITING_MAX);
    const done = work((message) => messages.put(message), gone).finally(() => messages.close());
    done.catch(() => undefined);
    for await (const message of messages) yield { progress: message };
    yield { result: await done };
  }, log);
}

/**
 * JSON Lines, produced as they are read; a failure is the last line, `{"error":{…}}`.
 *
 * @param produce given a signal that says that the reader is gone
 */
export function linesResponse(produce: (gone: AbortSignal) => AsyncIterable<unknown>, log: Log): Response {
  const gone = new AbortController();
  const lines = produce(gone.signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const encode = (line: unknown): Uint8Array => encoder.encode(`${JSON.stringify(line)}\n`);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await lines.next();
        if (gone.signal.aborted) return;
        if (done === true) controller.close();
        else controller.enqueue(encode(value));
      } catch (error) {
        if (gone.signal.aborted) return;
        controller.enqueue(encode({ error: lineError(error, log) }));
        controller.close();
      }
    },
    async cancel() {
      gone.abort();
      await lines.return?.();
    },
  });
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } });
}

function lineError(error: unknown, log: Log): object {
  if (!isAppError(error)) logUnexpected(error, log);
  return { ...toWire(error), kind: isAppError(error) ? error.kind : 'failed' };
}

function logUnexpected(error: unknown, log: Log): void {
  log.error('api.unexpected', {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}
