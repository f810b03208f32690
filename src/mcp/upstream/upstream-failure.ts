import { AppError } from '../../kernel/index.ts';
import type { RpcResponse } from '../protocol/message.ts';
import { printable } from '../protocol/printable.ts';
import { find, slice, stringAt } from '../protocol/raw-json.ts';
import { rpcCode } from '../protocol/rpc-error.ts';

/** A JSON-RPC error of a server, where the gateway itself had asked; `detail.error` holds it as JSON text. */
export function upstreamFailure(slug: string, response: RpcResponse): AppError {
  const error = response.members.get('error');
  const message =
    error === undefined ? null : stringAt(response.text, find(response.text, error.start, ['message']));
  const said = message === null || message === '' ? 'no message' : printable(message, 300);
  return new AppError('upstream_error', `The server "${slug}" answered with an error: ${said}`, {
    kind: 'unavailable',
    hint: `These are the server's own words. \`sallyport audit tail\` shows where it tried to connect and what came of it, \`sallyport server logs ${slug}\` what else it said.`,
    ...(error === undefined ? {} : { detail: { error: slice(response.text, error) } }),
  });
}

/** Whether a server said that it does not know the method that it was asked. */
export function isMethodUnknown({ code, detail }: AppError): boolean {
  const error = detail?.['error'];
  if (code !== 'upstream_error' || typeof error !== 'string') return false;
  const span = find(error, 0, ['code']);
  return span !== null && slice(error, span) === String(rpcCode.methodNotFound);
}
