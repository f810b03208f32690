/** From what a client of a whole profile names to the server that it means: tools and prompts, by their prefix. */
import { AppError } from '../../kernel/index.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import { namePrefix } from '../protocol/tool-names.ts';

/** The server that an exposed tool or prompt name belongs to; null when none. */
export function serverOfName(servers: readonly ProfileServer[], exposed: string): ProfileServer | null {
  return servers.find(({ slug }) => exposed.startsWith(namePrefix(slug))) ?? null;
}

export const nameUnknown = (
  what: 'tool' | 'prompt',
  name: string,
  hint = `Names at this endpoint are <server>__<${what}>; list them to see what there is.`,
): AppError =>
  new AppError(`mcp_${what}_unknown`, `Unknown ${what}: ${name.slice(0, 100)}`, { kind: 'not_found', hint });

export const resourceUnknown = (uri: string): AppError =>
  new AppError('mcp_resource_unknown', `Resource not found: ${uri.slice(0, 200)}`, {
    kind: 'not_found',
    hint: 'List the resources first: a URI is routed to the server that listed it.',
  });
