/** International bank account numbers (ISO 13616): the length that the country has, and the check digits. */
import { isAlphanumeric } from '../char-class.ts';
import { modulo } from '../checksum.ts';
import type { DigitDetector } from '../detector.ts';
import { isCleanAfter } from '../digit-run.ts';

/** By country, from the registry that SWIFT keeps. */
const LENGTHS: ReadonlyMap<string, number> = new Map(
  `AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18
  FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21
  LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24
  SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`
    .split(/\s+/)
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

export const iban: DigitDetector = {
  name: 'iban',
  kind: 'personal',
  letters: 2,
  // Two check digits, and whatever else of it is made of digits.
  shapes: Array.from({ length: 22 }, (_, index) => index + 2).flatMap((length) => [
    `${length}`,
    `${length}l`,
  ]),
  matchDigits: ({ text, to }, { start }) => {
    const length = LENGTHS.get(text.slice(start - 2, start).toUpperCase());
    if (length === undefined) return null;
    let account = '';
    let end = start - 2;
    while (end < to && account.length < length) {
      if (isAlphanumeric(text.charCodeAt(end))) account += text.charAt(end);
      else if (!' -\xa0'.includes(text.charAt(end)) || account.length % 4 !== 0) return null;
      end += 1;
    }
    if (account.length < length || !isCleanAfter(text, end, to) || !isChecked(account)) return null;
    return { start: start - 2, end };
  },
};

function isChecked(account: string): boolean {
  const turned = (account.slice(4) + account.slice(0, 4)).toUpperCase();
  return (
    modulo(
      turned.replaceAll(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55)),
      97,
    ) === 1
  );
}
