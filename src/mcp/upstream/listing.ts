/** Every page of one listing of one server, item by item as raw JSON. */
import { AppError, limits } from '../../kernel/index.ts';
import { type ListMethod, listings } from '../protocol/lists.ts';
import { ownRequest, resultOf } from '../protocol/message.ts';
import { elementsOf, membersOf, slice, stringAt } from '../protocol/raw-json.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import { upstreamFailure } from './upstream-failure.ts';

/** @throws AppError `upstream_…` */
export async function fetchAll(
  connection: UpstreamConnection,
  method: ListMethod,
): Promise<readonly string[]> {
  const items: string[] = [];
  let chars = 0;
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
    chars += response.text.length;
    if (items.length + elements.length > limits.mcpListItemsMax || chars > limits.mcpListCharsMax)
      throw listingTooLarge(connection.slug, method);
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

/** More than anybody can be shown. */
export const listingTooLarge = (slug: string, method: ListMethod): AppError =>
  new AppError('upstream_listing_too_large', `The server "${slug}" lists too much in its ${method}.`, {
    kind: 'unavailable',
    hint: `At most ${limits.mcpListItemsMax} of a kind are taken, of ${limits.mcpListCharsMax / limits.MIB} MiB together.`,
  });

/** An answer to a listing that has no list in it. */
export const malformedListing = (slug: string, method: ListMethod): AppError =>
  new AppError('upstream_listing_malformed', `The server "${slug}" answered ${method} without a list.`, {
    kind: 'unavailable',
  });
