/**
 * Private keys in armour: PEM, OpenSSH and PGP, whole or cut off, in lines or in one, and those of PuTTY. Read forward once:
 * however often an armour begins, no character is looked at twice.
 */
import { limits } from '../../kernel/index.ts';
import type { Match, WordDetector } from '../detector.ts';

const HEADER = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/y;
/** Key material, lines and their breaks, even escaped ones, quotes of replies, and headers such as `DEK-Info`. */
const BODY = /[A-Za-z0-9+/=\s\\>:,.()"'-]/;
const FOOTER = /-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/y;
/** Characters of key material below which it is a mention of a key, not one. */
const MATERIAL_MIN = 24;
const MATERIAL = /[A-Za-z0-9+/]{24}/;

export const privateKey: WordDetector = {
  name: 'private-key',
  kind: 'secret',
  isJoined: true,
  words: ['-----begin'],
  match: ({ text, to }, at) => {
    HEADER.lastIndex = at;
    if (!HEADER.test(text)) return null;
    return armoured(text, at, HEADER.lastIndex, to);
  },
};

function armoured(text: string, start: number, bodyStart: number, to: number): Match | null {
  const limit = Math.min(to, bodyStart + limits.maskingArmourCharsMax);
  let end = bodyStart;
  while (end < limit && BODY.test(text.charAt(end))) {
    if (text.startsWith('-----', end)) {
      FOOTER.lastIndex = end;
      const isFooter = FOOTER.test(text);
      if (!isMaterial(text, bodyStart, end)) return null;
      return { start, end: isFooter ? Math.min(FOOTER.lastIndex, to) : end };
    }
    end += 1;
  }
  return isMaterial(text, bodyStart, end) ? { start, end } : null;
}

const isMaterial = (text: string, start: number, end: number): boolean =>
  end - start >= MATERIAL_MIN && MATERIAL.test(text.slice(start, end));

const PUTTY_BODY = /private-lines:\s{0,3}\d{1,3}(?:[\s\\nr]{1,6}[A-Za-z0-9+/=]{4,128}){1,100}/iy;

export const puttyKey: WordDetector = {
  name: 'putty-private-key',
  kind: 'secret',
  isJoined: false,
  words: ['private-lines:'],
  match: ({ text, to }, at) => {
    PUTTY_BODY.lastIndex = at;
    const match = PUTTY_BODY.exec(text);
    return match === null || PUTTY_BODY.lastIndex > to ? null : { start: at, end: PUTTY_BODY.lastIndex };
  },
};
