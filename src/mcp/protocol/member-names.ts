/**
 * Names of JSON members that are one to some parsers and two to others: not a few take `Name` for `name`, and of several
 * the last. What one of those makes of a message must not differ from what was decided about it here, so such names are
 * refused where something is decided by them.
 */

/** Most names are folded as they are. */
const PLAIN = /^[a-z0-9_./-]*$/;

/** Of others: the protocol's own names come again and again. */
const folded = new Map<string, string>();
const FOLDED_MAX = 256;
const FOLDED_CHARS_MAX = 64;

/** Whether a name is folded as it is, seen at once. */
export const isPlainName = (name: string): boolean => PLAIN.test(name);

/** The same for every way to write a name. Upper case comes first, so that `ſ` is `s`. */
export function foldedName(name: string): string {
  if (PLAIN.test(name)) return name;
  const known = folded.get(name);
  if (known !== undefined) return known;
  const made = name.toUpperCase().toLowerCase();
  if (name.length <= FOLDED_CHARS_MAX) {
    if (folded.size >= FOLDED_MAX) folded.clear();
    folded.set(name, made);
  }
  return made;
}

/** Names that mean something: no two of them are one to some. */
export interface KnownNames {
  readonly exact: ReadonlySet<string>;
  readonly folded: ReadonlySet<string>;
}

export const knownNames = (names: readonly string[]): KnownNames => ({
  exact: new Set(names),
  folded: new Set(names.map(foldedName)),
});

/** Whether one of these is another way to write a name that means something. */
export function hasVariant(names: Iterable<string>, known: KnownNames): boolean {
  for (const name of names) if (!known.exact.has(name) && known.folded.has(foldedName(name))) return true;
  return false;
}
