/** JSON Web Tokens, signed (RFC 7515) and encrypted (RFC 7516): what stands in the first part decides whether it is one. */
import { BASE64_BYTES } from '../char-class.ts';
import type { WordDetector } from '../detector.ts';

const TOKEN = /eyJ[\w-]{10,4000}(?:\.[\w-]{0,16000}){2,4}/y;

export const jsonWebToken: WordDetector = {
  name: 'json-web-token',
  kind: 'secret',
  isJoined: true,
  words: ['eyj'],
  match: ({ text, from, to }, at) => {
    if (at > from && BASE64_BYTES[text.charCodeAt(at - 1)] === 1 && text.charAt(at - 1) !== '/') return null;
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null || TOKEN.lastIndex > to) return null;
    const parts = match[0].split('.');
    const kind = headerKind(parts[0] ?? '');
    if (kind === null) return null;
    const kept = kind === 'encrypted' ? parts.slice(0, 5) : parts.slice(0, 3);
    if (kind === 'encrypted' ? kept.length < 5 : (kept[1] ?? '').length < 4) return null;
    return { start: at, end: at + kept.join('.').length };
  },
};

function headerKind(part: string): 'signed' | 'encrypted' | null {
  const header = Buffer.from(part, 'base64url').toString('latin1');
  if (!/^\{[\s\S]{2,}\}$/.test(header) || !/"alg"\s*:/.test(header)) return null;
  return /"enc"\s*:/.test(header) ? 'encrypted' : 'signed';
}
