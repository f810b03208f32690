/**
 * What takes the place of a value. Only printable ASCII that no encoding of a text needs to escape, so that it may stand in
 * JSON, in JSON within JSON, in a URL and in HTML as it is.
 */

export type Strategy =
  /** A label that says what was there. */
  | { readonly kind: 'redact' }
  /** As many characters, of which no letter and no digit is left. */
  | { readonly kind: 'mask' }
  /** The same, but for so many letters and digits at the end; never more than a quarter of them. */
  | { readonly kind: 'partial'; readonly keepLast: number }
  /** A label with a keyed hash: the same for the same value, and of no use to who has not the key. */
  | { readonly kind: 'hash' };

/** Says of a text the same every time, and nothing to whoever does not have the key: an HMAC, in hex or base64url. */
export type HashKey = (text: string) => string;

/** The less a replacement says, the stricter. */
export const strictnessOf = ({ kind }: Strategy): number => STRICTNESS[kind];
const STRICTNESS = { redact: 4, mask: 3, hash: 2, partial: 1 } as const;

/** Of a hash, so many characters are shown: enough to tell values of one deployment apart. */
const HASH_CHARS = 16;
const ALPHANUMERIC = /[A-Za-z0-9]/g;
/** What may stay between masked characters. */
const NOT_KEPT = /[^*@.:+\-() ]/g;

/** @param label what was found, such as the detector's name */
export function replacementFor(strategy: Strategy, value: string, label: string, hash: HashKey): string {
  switch (strategy.kind) {
    case 'redact':
      return `[masked:${label}]`;
    case 'hash':
      return `[hash:${hash(value)
        .replaceAll(/[^\w-]/g, '')
        .slice(0, HASH_CHARS)}]`;
    case 'mask':
      return value.replaceAll(NOT_KEPT, '*');
    case 'partial':
      break;
  }
  return partial(value, strategy.keepLast);
}

function partial(value: string, keepLast: number): string {
  const counted = value.match(ALPHANUMERIC)?.length ?? 0;
  let kept = Math.min(keepLast, Math.floor(counted / 4));
  let end = '';
  for (let at = value.length - 1; at >= 0; at -= 1) {
    const character = value.charAt(at);
    const isKept = kept > 0 && /[A-Za-z0-9]/.test(character);
    if (isKept) kept -= 1;
    end = (isKept ? character : character.replace(NOT_KEPT, '*')) + end;
  }
  return end;
}
