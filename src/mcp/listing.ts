/** Every page of one listing of one server, item by item as raw JSON. */
import { AppError, limits } from '../kernel/index.ts';
import { ownRequest, resultOf } from './message.ts';
import { elementsOf, membersOf, slice, stringAt } from './raw-json.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import { upstreamFailure } from './upstream-failure.ts';

/** A listing method and the member of its result that holds the items. */
export const listings = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
} as const;

export type ListMethod = keyof typeof listings;

export const isListMethod = (method: string): method is ListMethod => Object.hasOwn(listings, method);

/** @throws AppError `upstream_…` */
export async function fetchAll(
  connection: UpstreamConnection,
  method: ListMethod,
): Promise<readonly string[]> {
  const items: string[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < limits.mcpListPagesMax; page += 1) {
    const message = ownRequest(method, cursor === null ? undefined : `{"cursor":${cursor}}`);
    const response = await connection.request({ message, owner: null, idleMs: limits.mcpInitializeMs })
      .response;
    const result = resultOf(response);
    if (result === null) throw upstreamFailure(connection.slug, response);
    const members = membersOf(response.text, result.start);
    const list = members?.get(listings[method]);
    const elements = list === undefined ? null : elementsOf(response.text, list);
    if (elements === null) throw malformedListing(connection.slug, method);
    for (const element of elements) items.push(slice(response.text, element));
    const next = members?.get('nextCursor');
    if (stringAt(response.text, next) === null || next === undefined) return items;
    cursor = slice(response.text, next);
  }
  throw new AppError(
    'upstream_listing_endless',
    `The server "${connection.slug}" never ends its ${method}.`,
    {
      kind: 'unavailable',
    },
  );
}

/** An answer to a listing that has no list in it. */
export const malformedListing = (slug: string, method: ListMethod): AppError =>
  new AppError('upstream_listing_malformed', `The server "${slug}" answered ${method} without a list.`, {
    kind: 'unavailable',
  });
