/**
 * An HTTP API as a running server: its tools are made from the document that was stored with it, and each call becomes one
 * request on the gateway's own way out, which puts the credentials in and searches the answer for them.
 */
import type { ServerRow } from '../../api/index.ts';
import type { OwnAnswer } from '../../egress/index.ts';
import {
  type ApiRequest,
  type ApiTool,
  buildRequest,
  type CollectedAnswer,
  KeptAnswers,
  READ_TOOL,
  reasonIn,
  resultOf,
} from '../../http-api/index.ts';
import { AppError, type CellId, isAppError, toWire } from '../../kernel/index.ts';
import type { ApiServerSpec, Manifest } from '../../manifest/index.ts';
import type { ToolService } from '../../mcp/index.ts';
import type { CellKey } from '../cells/cell-key.ts';
import type { RunningCell, StartDeps } from '../cells/start.ts';
import { collect } from './api-answer.ts';
import { type Own, startOwn } from './own.ts';

/** What is started, and for whom. */
interface ApiOrder {
  readonly row: ServerRow;
  readonly manifest: Manifest;
  readonly server: ApiServerSpec;
  readonly key: CellKey;
}

/** @throws AppError `api_document_…`, or as `startOwn` */
export async function startApi(
  deps: StartDeps,
  { row, manifest, server, key }: ApiOrder,
  onStarting: (id: CellId) => void,
): Promise<RunningCell> {
  const document = await deps.documents.find(deps.workspace, row.id);
  const { tools } = await deps.apis.compile({ ...manifest, server }, document);
  const readOnly = manifest.tools?.readOnly ?? 'report';
  return startOwn(deps, { row, manifest, key, prefix: 'api', readOnly }, onStarting, (own) => ({
    kind: 'service',
    cell: own.cell,
    exited: own.exited,
    close: (reason) => own.close(reason),
    service: serviceOf(own, {
      tools,
      row,
      manifest,
      kept: new KeptAnswers(row.slug, deps.clock, deps.random),
    }),
  }));
}

interface Service {
  readonly tools: readonly ApiTool[];
  readonly row: ServerRow;
  readonly manifest: Manifest;
  readonly kept: KeptAnswers;
}

function serviceOf(own: Own, { tools, row, manifest, kept }: Service): ToolService {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  // An operation of that name has it for itself; its long answers are read on as resources.
  const readsOn = !byName.has(READ_TOOL);
  return {
    info: { name: row.slug, version: manifest.version },
    ...(manifest.description === undefined ? {} : { instructions: manifest.description }),
    tools: async () => [...tools.map(({ definition }) => definition), ...(readsOn ? [READ_DEFINITION] : [])],
    async call(name, argumentsText, signal) {
      if (readsOn && name === READ_TOOL) return readOn(kept, argumentsText);
      const tool = byName.get(name);
      if (tool === undefined) throw toolUnknown(name);
      const request = buildRequest(tool.plan, argumentsText);
      if (!request.ok) {
        await own.refused(name, request.error.code);
        return refusal(request.error);
      }
      try {
        const reason = tool.plan.kind === 'request' ? reasonIn(argumentsText) : null;
        if (reason !== null) await own.explain({ ...request.value, reason });
        const answer = await own.request(withUsual(request.value), signal);
        return resultOf(await collected(answer, signal), (text) => kept.keep(text));
      } catch (error) {
        // What was refused, or did not come about, is for the caller to read and to act on.
        if (signal.aborted || !isAppError(error)) throw error;
        return refusal(toWire(error));
      }
    },
    templates: [
      {
        uriTemplate: kept.template,
        name: 'Pages of long answers',
        description: 'A tool whose answer is too long for one result names the page that comes next.',
        mimeType: 'text/plain',
      },
    ],
    read(uri) {
      const page = kept.pageAt(uri);
      if (page === null) return null;
      return JSON.stringify({ contents: [{ uri, mimeType: 'text/plain', text: page.text }] });
    },
  };
}

/** What nearly every client says. Some APIs turn those away that do not say who they are. */
const USUAL = [
  ['User-Agent', 'Sallyport'],
  ['Accept', 'application/json, text/*;q=0.9, */*;q=0.8'],
  ['Accept-Encoding', 'gzip, deflate, br, zstd'],
] as const;

function withUsual(request: ApiRequest): ApiRequest {
  const given = new Set(request.fields.map(([name]) => name.toLowerCase()));
  return {
    ...request,
    fields: [...USUAL.filter(([name]) => !given.has(name.toLowerCase())), ...request.fields],
  };
}

const collected = async (
  { status, fields, body }: OwnAnswer,
  signal: AbortSignal,
): Promise<CollectedAnswer> => ({
  status,
  fields: fields.keys.map((key, index) => [key, fields.values[index] ?? ''] as const),
  ...(await collect(body, fields.get('content-encoding') ?? '', signal)),
});

const toolUnknown = (name: string): AppError =>
  new AppError('api_tool_unknown', `Unknown tool: ${name.slice(0, 100)}`, { kind: 'not_found' });

/** A result that says why there is no answer. */
function refusal(error: { readonly code: string; readonly message: string; readonly hint?: string }): string {
  const { code, message, hint } = error;
  const text = [`${message} (${code})`, hint].filter((line) => line !== undefined).join('\n');
  return JSON.stringify({
    content: [{ type: 'text', text }],
    structuredContent: { error: { code, message, ...(hint === undefined ? {} : { hint }) } },
    isError: true,
  });
}

const READ_DEFINITION = JSON.stringify({
  name: READ_TOOL,
  description:
    'The next page of an answer that was too long for one result: that result says its name and its pages.',
  inputSchema: {
    type: 'object',
    properties: { answer: { type: 'string' }, page: { type: 'integer', minimum: 1 } },
    required: ['answer', 'page'],
    additionalProperties: false,
  },
  annotations: { readOnlyHint: true, openWorldHint: false },
});

function readOn(kept: KeptAnswers, argumentsText: string): string {
  const given: unknown = JSON.parse(argumentsText);
  const { answer, page } = Object(given) as { readonly answer?: unknown; readonly page?: unknown };
  const found = typeof answer === 'string' && typeof page === 'number' ? kept.page(answer, page) : null;
  if (found === null) {
    return refusal({
      code: 'api_answer_unknown',
      message: 'There is no such answer, or no such page of it.',
      hint: 'Long answers are kept for ten minutes. Call the tool again.',
    });
  }
  return JSON.stringify({
    content: [
      { type: 'text', text: found.text },
      { type: 'text', text: `[page ${found.page} of ${found.pages}]` },
    ],
  });
}
