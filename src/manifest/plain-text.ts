/** Texts that people read, and small values with a fixed form. */
import { type Cursor, readText, refuse } from './fields.ts';
import type { Complaint, Report } from './report.ts';

/** A text with its rule. */
export interface TextRule {
  readonly expected: string;
  fault(text: string): Complaint | undefined;
}

export function readRuled(cursor: Cursor | undefined, rule: TextRule, report: Report): string | undefined {
  const text = readText(cursor, rule.expected, report);
  if (cursor === undefined || text === undefined) return undefined;
  const fault = rule.fault(text);
  if (fault !== undefined) refuse(cursor, fault, report);
  return text;
}

/** A rule that is one regular expression. */
export const pattern = (code: string, expected: string, expression: RegExp): TextRule => ({
  expected,
  fault: (text) =>
    expression.test(text)
      ? undefined
      : { code, message: `${JSON.stringify(text)} does not have the right form`, expected },
});

export const slugRule = pattern(
  'manifest_name_invalid',
  'lower-case letters, digits and inner hyphens, at most 63 characters',
  /^(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/,
);

export const versionRule = pattern(
  'manifest_version_invalid',
  'three numbers without leading zeros, e.g. 1.4.0',
  /^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)$/,
);

/**
 * One line for a title, several for a description; never control characters, which could repaint a terminal, nor what nobody
 * sees (marks of direction, tag characters) but the joiners that some scripts are written with.
 */
export const proseRule = (lines: 'one' | 'several', charsMax: number): TextRule => {
  const expected = `text of 1 to ${charsMax} characters${lines === 'one' ? ' on one line' : ''}`;
  const forbidden =
    lines === 'one'
      ? /[\p{Cc}\p{Zl}\p{Zp}[\p{Cf}--[\u200c\u200d]]]/v
      : /[[\p{Cc}--[\n\t]][\p{Cf}--[\u200c\u200d]]]/v;
  return {
    expected,
    fault: (text) =>
      text.trim() === '' || text.length > charsMax || forbidden.test(text)
        ? {
            code: 'manifest_text_invalid',
            message: 'the text is empty, too long, or has control characters',
            expected,
          }
        : undefined,
  };
};

/** An absolute web address without credentials or fragment. */
export const webAddressRule = (code: string): TextRule => {
  const expected =
    'an absolute address such as https://api.example.com/v1, without user, password or fragment';
  return {
    expected,
    fault(text) {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      const sound =
        url !== undefined &&
        /^https?:\/\/[a-z0-9]/.test(text) &&
        !/[\s\\#]/.test(text) &&
        url.username === '' &&
        url.password === '' &&
        (url.href === text || url.href === `${text}/`);
      return sound
        ? undefined
        : { code, message: `${JSON.stringify(text)} is not an address in its normal form`, expected };
    },
  };
};
