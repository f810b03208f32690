/**
 * How much a JSON text would be once it is parsed: a few bytes each make many values of it, and values within values take
 * time that grows faster than they do. Counts without parsing, and stops at the limit. The text need not be JSON.
 */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './json-bytes.ts';

export interface JsonMeasure {
  /** Objects and arrays within each other. */
  readonly depthMax: number;
  /** Values of all kinds; an object or array among others counts twice, as it weighs more. */
  readonly valuesMax: number;
}

/** Whether a text is within both limits. */
export function isWithinMeasure(text: string, { depthMax, valuesMax }: JsonMeasure): boolean {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      values += 1;
    } else if (code === COMMA) values += 1;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
    if (depth > depthMax || values > valuesMax) return false;
  }
  return true;
}

/** Where the string that begins at `from` has its second quote; the last position where it has none. */
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (text[before] === '\\') before -= 1;
    if ((quote - before) % 2 === 1) return quote;
  }
  return text.length;
}
