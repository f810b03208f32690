/**
 * Documents to tools, away from the thread that serves: the largest take a second, and what somebody wrote on purpose may take
 * as long and as much as it likes. Each document is read by a thread of its own, with a limit of memory and of time, and what
 * came of it is kept for the next start.
 */
import { Worker } from 'node:worker_threads';
import type { ApiCompiler, ServerDocument } from '../../api/index.ts';
import type { ApiDescription, ApiFault, ApiUse, CompiledApi } from '../../http-api/index.ts';
import { AppError, limits, type Result } from '../../kernel/index.ts';

export type ApiTask =
  | { readonly kind: 'describe'; readonly text: string }
  | { readonly kind: 'compile'; readonly use: ApiUse; readonly text: string | null };

export type ApiAnswer =
  | { readonly kind: 'describe'; readonly description: ApiDescription }
  | { readonly kind: 'compile'; readonly compiled: CompiledApi };

/** What the reading of one document may cost. */
export interface CompileLimits {
  readonly memoryMiB: number;
  readonly timeoutMs: number;
}

const USUAL: CompileLimits = { memoryMiB: limits.apiCompileMemoryMiB, timeoutMs: limits.apiCompileMs };

export function createApiCompiler(allowed: CompileLimits = USUAL): ApiCompiler {
  /** The one that was used last is the last. Several profiles have the same tools. */
  const made = new Map<string, Promise<CompiledApi>>();
  return {
    async describe(text) {
      const answer = await inThread({ kind: 'describe', text }, allowed);
      if (answer.kind !== 'describe') throw new Error('the thread answered something else');
      return answer.description;
    },
    compile({ server, egress, credentials }, document) {
      const use = { server, egress, credentials };
      const key = keyOf(use, document);
      const known = made.get(key);
      made.delete(key);
      const compiled =
        known ?? compiledInThread({ kind: 'compile', use, text: document?.text ?? null }, allowed);
      made.set(key, compiled);
      // A document that could not be read may be one that the next version can, and no failure is worth its place.
      compiled.catch(() => made.delete(key));
      for (const oldest of made.keys()) {
        if (made.size <= limits.apisCompiledMax) break;
        made.delete(oldest);
      }
      return compiled;
    },
  };
}

const keyOf = ({ server, egress, credentials }: ApiUse, document: ServerDocument | null): string =>
  JSON.stringify([document?.hash ?? null, server, egress, credentials.map(({ inject }) => inject)]);

async function compiledInThread(task: ApiTask, allowed: CompileLimits): Promise<CompiledApi> {
  const answer = await inThread(task, allowed);
  if (answer.kind !== 'compile') throw new Error('the thread answered something else');
  return answer.compiled;
}

/** @throws AppError with the fault's code, `api_document_too_costly` */
async function inThread(task: ApiTask, { memoryMiB, timeoutMs }: CompileLimits): Promise<ApiAnswer> {
  const isSource = import.meta.url.endsWith('.ts');
  const worker = new Worker(new URL(isSource ? './api-worker.ts' : './api-worker.js', import.meta.url), {
    name: 'api-document',
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Result<ApiAnswer, ApiFault>>();
  const timer = setTimeout(() => reject(tooCostly('takes too long to read')), timeoutMs);
  worker.once('message', resolve);
  worker.once('error', (error) =>
    reject(
      'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? tooCostly('takes too much memory')
        : error,
    ),
  );
  worker.once('exit', (code) => reject(new Error(`the thread ended with ${code}`)));
  try {
    const result = await promise;
    if (result.ok) return result.value;
    const { code, message, hint } = result.error;
    throw new AppError(code, message, { kind: 'invalid', ...(hint === undefined ? {} : { hint }) });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

const tooCostly = (why: string): AppError =>
  new AppError('api_document_too_costly', `The document ${why}.`, {
    kind: 'invalid',
    hint: 'Take a part of it: `server.operations` of a manifest chooses by tag, method and path.',
  });
