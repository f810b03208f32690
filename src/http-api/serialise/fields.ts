/** Header fields that arguments may write, and what may stand in them. Pure. */
import type { ApiFault } from '../faults.ts';

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
const VALUE = /^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$/;

/**
 * Fields that are the connection's, the body's or the gateway's to write, and those by which a request says that it is
 * another one than its first line tells: frameworks that know them would do what no rule was asked about.
 */
const OWN: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'content-length',
  'content-type',
  'content-encoding',
  'accept-encoding',
  'forwarded',
  'via',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
]);
const OWN_BEGINNING = /^(?:proxy-|sec-|x-forwarded-|x-sallyport-)/;

/** By which a field is known. Servers that make variables of fields tell no underscore from a hyphen. */
export const fieldKey = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/** Whether no argument may write this field. */
export function isOwnField(name: string): boolean {
  const key = fieldKey(name);
  return OWN.has(key) || OWN_BEGINNING.test(key);
}

export const isFieldName = (name: string): boolean => NAME.test(name);

/** Null where the value may stand in a field. Codes: `api_argument_header`. */
export function fieldFault(argument: string, value: string): ApiFault | null {
  if (VALUE.test(value)) return null;
  return {
    code: 'api_argument_header',
    message: `\`${argument.slice(0, 100)}\` goes into a header: only printable ASCII may stand there, with none but inner blanks.`,
  };
}
