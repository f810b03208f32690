/** What makes tools of documents, in this thread: the product has a thread for each, which takes longer to start. */
import type { ApiCompiler } from '../../src/api/index.ts';
import { type ApiFault, compileApi, describeOpenApi, readOpenApi } from '../../src/http-api/index.ts';
import { AppError, type Result } from '../../src/kernel/index.ts';

function usable<T>(result: Result<T, ApiFault>): T {
  if (result.ok) return result.value;
  throw new AppError(result.error.code, result.error.message, { kind: 'invalid' });
}

export const compilerHere: ApiCompiler = {
  describe: async (text) => describeOpenApi(usable(readOpenApi(text))),
  compile: async (use, document) => usable(compileApi(use, document?.text ?? null)),
};
