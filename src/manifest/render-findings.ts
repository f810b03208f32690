/** Findings as lines for a terminal: `FILE:LINE:COLUMN FIELD: what is wrong (expected what would be right)`. */
import type { ManifestError } from './report.ts';

export function renderFinding({ file, line, column, field, message, expected }: ManifestError): string {
  const where = field === '' ? '' : `${field}: `;
  const right = expected === '' ? '' : ` (expected ${expected})`;
  // A finding quotes the file; nothing in it may steer the terminal, turn the line round or hide in it.
  return `${file}:${line}:${column} ${where}${message}${right}`.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    '\ufffd',
  );
}
