/** What a method says of a tool (RFC 9110 section 9.2). Where it says nothing, nothing is claimed. */
import type { JsonObject } from '../kernel/index.ts';

const HINTS: Readonly<Record<string, JsonObject>> = {
  GET: { readOnlyHint: true },
  HEAD: { readOnlyHint: true },
  OPTIONS: { readOnlyHint: true },
  PUT: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
  DELETE: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
};

/** `annotations` of a tool that sends requests of this method. */
export const hintsOf = (method: string, title?: string): JsonObject => ({
  ...(title === undefined ? {} : { title }),
  ...(HINTS[method] ?? { readOnlyHint: false }),
  openWorldHint: true,
});
