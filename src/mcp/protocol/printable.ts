/**
 * Text from an untrusted program, made safe to show in an error, a terminal or a log line: no escape sequences,
 * no control or bidirectional characters, bounded.
 */

// Escape sequences (CSI, OSC, and two-character ones) go whole, so that their parameters do not stay behind.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
const CONTROLS = /(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** @param maxLength in UTF-16 units; the end is kept, because that is where the reason of a failure stands */
export function printable(text: string, maxLength: number): string {
  const cleaned = text.replace(ESCAPES, '').replace(CONTROLS, ' ').trim();
  return cleaned.length <= maxLength ? cleaned : `…${cleaned.slice(-(maxLength - 1))}`;
}
