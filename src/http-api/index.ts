/**
 * HTTP APIs as tools: documents to tools, calls to requests, answers to results. Pure: nothing here opens a connection,
 * reads a clock or sees a credential. Trusts no document, no argument and no answer.
 */
export { type CollectedAnswer, READ_TOOL, resultOf } from './answer.ts';
export { parseBase } from './base.ts';
export { buildRequest } from './build-request.ts';
export { type ApiUse, compileApi } from './compile-api.ts';
export type { ApiFault } from './faults.ts';
export { type AnswerPage, KeptAnswers } from './kept-answers.ts';
export { toolsFromOpenApi } from './openapi/compile.ts';
export { looksLikeOpenApi, readOpenApi } from './openapi/document.ts';
export type { ApiRequest, ApiTool, Base, CompiledApi } from './plan.ts';
export { reasonIn, requestTool } from './request-tool.ts';
export { takenBy } from './taken.ts';
export { toolsFromToolSpec } from './toolspec.ts';
export { type ApiDescription, type ApiLogin, describeOpenApi } from './openapi/describe.ts';
