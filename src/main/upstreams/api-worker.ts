/** The program of the thread that reads one document: it is given it, answers once, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ApiFault, compileApi, describeOpenApi, readOpenApi } from '../../http-api/index.ts';
import { ok, type Result } from '../../kernel/index.ts';
import type { ApiAnswer, ApiTask } from './api-compiler.ts';

const port = parentPort;
if (port === null) throw new Error('this is the program of a thread');

function answer(task: ApiTask): Result<ApiAnswer, ApiFault> {
  if (task.kind === 'compile') {
    const compiled = compileApi(task.use, task.text);
    return compiled.ok ? ok({ kind: 'compile', compiled: compiled.value }) : compiled;
  }
  const read = readOpenApi(task.text);
  return read.ok ? ok({ kind: 'describe', description: describeOpenApi(read.value) }) : read;
}

port.postMessage(answer(workerData as ApiTask)); // from `api-compiler.ts`
