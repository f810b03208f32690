/** Makes up a key in the shape of a provider's real ones. Nothing here could open anything. */
import { type Random, systemRandom } from '../../src/kernel/index.ts';

const ALPHABETS: Readonly<Record<string, string>> = {
  alnum: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  hex: '0123456789abcdef',
  digit: '0123456789',
};

/** `{alnum:N}`, `{hex:N}` and `{digit:N}` become N random characters each; everything else stays. */
export function inventKey(shape: string, random: Random = systemRandom): string {
  return shape.replace(/\{([a-z]+):(\d+)\}/g, (_whole, kind: string, count: string) => {
    const alphabet = ALPHABETS[kind];
    if (alphabet === undefined) throw new Error(`no alphabet named ${kind}`);
    return [...random.bytes(Number(count))].map((byte) => alphabet[byte % alphabet.length]).join('');
  });
}
