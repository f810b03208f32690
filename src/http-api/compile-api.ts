/** All that a manifest of an API says, and its document, to tools. Pure. */
import { err, ok, type Result } from '../kernel/index.ts';
import { type ApiServerSpec, type Manifest, parseToolSpec } from '../manifest/index.ts';
import { parseBase } from './base.ts';
import type { ApiFault } from './faults.ts';
import { toolsFromOpenApi } from './openapi/compile.ts';
import { readOpenApi } from './openapi/document.ts';
import type { Base, CompiledApi, Taken } from './plan.ts';
import { requestTool } from './request-tool.ts';
import { takenBy } from './taken.ts';
import { toolsFromToolSpec } from './toolspec.ts';

/** What of a manifest says which tools there are. */
export interface ApiUse extends Pick<Manifest, 'egress' | 'credentials'> {
  readonly server: ApiServerSpec;
}

/**
 * @param text of the document that the manifest names; null where there is none
 *
 * Codes: `api_base_invalid`, `api_document_…`.
 */
export function compileApi(
  { server, egress, credentials }: ApiUse,
  text: string | null,
): Result<CompiledApi, ApiFault> {
  const taken = takenBy(credentials);
  const base = parseBase(server.baseUrl);
  if (!base.ok) return base;
  const named = server.openapi ?? server.toolspec;
  const made =
    named === undefined ? ok({ tools: [], leftOut: [] }) : fromText(server, text, base.value, taken);
  if (!made.ok) return made;
  const { tools, leftOut } = made.value;
  const isFree =
    (server.request === true || named === undefined) && !tools.some(({ name }) => name === 'request');
  return ok({ tools: isFree ? [...tools, requestTool(egress, base.value, taken)] : tools, leftOut });
}

function fromText(
  server: ApiServerSpec,
  text: string | null,
  base: Base,
  taken: Taken,
): Result<CompiledApi, ApiFault> {
  if (text === null) {
    return err({
      code: 'api_document_missing',
      message: 'The document that the tools are made from is not stored.',
      hint: 'Remove the server and add it again.',
    });
  }
  if (server.toolspec !== undefined) return fromToolSpec(server.toolspec, text, taken);
  const read = readOpenApi(text);
  return read.ok ? toolsFromOpenApi(read.value, { filter: server.operations ?? {}, base, taken }) : read;
}

function fromToolSpec(file: string, text: string, taken: Taken): Result<CompiledApi, ApiFault> {
  const { toolspec, errors } = parseToolSpec(text, { file });
  if (toolspec !== undefined) return toolsFromToolSpec(toolspec, taken);
  const [first] = errors;
  return err({
    code: 'api_document_malformed',
    message: `The toolspec is not valid: ${first === undefined ? 'it cannot be read' : `${first.field}: ${first.message}`}.`,
    hint: `Check it: \`sallyport manifest lint ${file}\`.`,
  });
}
