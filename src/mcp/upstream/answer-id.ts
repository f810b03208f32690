/** How the head or the tail of an answer that cannot be read names its id. */
const ID = /^\{"jsonrpc":"2\.0","id":(\d{1,15}),|"id":(\d{1,15})\}$/;

/** @param text its beginning, its end, or all of it; @returns null where neither tells */
export function idAtEdge(text: string): string | null {
  const match = ID.exec(text.slice(0, EDGE_CHARS)) ?? ID.exec(text.slice(-EDGE_CHARS));
  return match?.[1] ?? match?.[2] ?? null;
}

const EDGE_CHARS = 64;
