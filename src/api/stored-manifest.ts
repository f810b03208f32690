/**
 * What the text of a stored manifest says. The same text is the same manifest, so that what was parsed lately is not parsed again: a
 * start of a cell asks for it several times, and a change of the store for those of all servers, on the thread that
 * everybody's calls go through. Nobody can change what others are given.
 */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { type Manifest, type ManifestError, parseManifest } from '../manifest/index.ts';

/** By the whole text, the one used last at the end. */
const known = new Map<string, Manifest>();
let knownChars = 0;

/**
 * @param text JSON
 * @param file what findings are to call it
 * @returns the manifest, frozen; or what is wrong with it
 */
export function parseStoredManifest(text: string, file: string): Result<Manifest, readonly ManifestError[]> {
  const before = known.get(text);
  if (before !== undefined) {
    known.delete(text);
    known.set(text, before);
    return ok(before);
  }
  const { manifest, errors } = parseManifest(text, { file });
  if (manifest === undefined || errors.length > 0) return err(errors);
  known.set(text, frozen(manifest));
  knownChars += text.length;
  for (const [oldest] of known) {
    if (knownChars <= limits.manifestCharsKept) break;
    known.delete(oldest);
    knownChars -= oldest.length;
  }
  return ok(manifest);
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}
