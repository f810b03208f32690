/** The tools of an API, made once for each document and each way of using it. */
import { type ApiTool, type ApiUse, compileApi } from '../../http-api/index.ts';
import { AppError, limits } from '../../kernel/index.ts';

/** The one that was used last is the last. Several profiles have the same tools. */
const made = new Map<string, readonly ApiTool[]>();

/** @throws AppError `api_document_…`, `api_base_invalid` */
export function apiTools(
  use: ApiUse,
  document: { readonly hash: string; readonly text: string } | null,
): readonly ApiTool[] {
  const { server, egress, credentials } = use;
  const key = JSON.stringify([
    document?.hash ?? null,
    server,
    egress,
    credentials.map(({ inject }) => inject),
  ]);
  const known = made.get(key);
  made.delete(key);
  const tools = known ?? compiled(use, document?.text ?? null);
  made.set(key, tools);
  for (const oldest of made.keys()) {
    if (made.size <= limits.apisCompiledMax) break;
    made.delete(oldest);
  }
  return tools;
}

function compiled(use: ApiUse, text: string | null): readonly ApiTool[] {
  const result = compileApi(use, text);
  if (result.ok) return result.value.tools;
  const { code, message, hint } = result.error;
  throw new AppError(code, message, { kind: 'failed', ...(hint === undefined ? {} : { hint }) });
}
