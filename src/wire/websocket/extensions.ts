/** Sec-WebSocket-Extensions (RFC 6455 section 9.1) and other lists of tokens, read as structures. */
import { err, ok, type Result } from '../../kernel/index.ts';
import { withoutBlanks } from '../http1/fields.ts';
import type { HandshakeReason } from './reasons.ts';

export interface Extension {
  readonly name: string;
  /** In order; a parameter without a value has null. */
  readonly parameters: readonly (readonly [name: string, value: string | null])[];
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const IS_TOKEN = new RegExp(`^${TOKEN}$`);
const BLANKS = '[\\t ]*';
/** A quoted value must be a token once the quotes and escapes are gone. */
const PARAMETER = new RegExp(
  `;${BLANKS}(${TOKEN})(?:${BLANKS}=${BLANKS}(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?${BLANKS}`,
  'y',
);
const NAME = new RegExp(`${BLANKS}(${TOKEN})${BLANKS}`, 'y');

const isToken = (text: string): boolean => IS_TOKEN.test(text);

/** @param text of all lines of the field, joined by commas */
export function parseExtensions(text: string): Result<readonly Extension[], HandshakeReason> {
  const extensions: Extension[] = [];
  let at = 0;
  for (;;) {
    NAME.lastIndex = at;
    const name = NAME.exec(text)?.[1];
    if (name === undefined) return err('extension_invalid');
    at = NAME.lastIndex;
    const parameters: [string, string | null][] = [];
    while (text[at] === ';') {
      PARAMETER.lastIndex = at;
      const match = PARAMETER.exec(text);
      const key = match?.[1];
      if (match === null || key === undefined) return err('extension_invalid');
      const quoted = match[3]?.replaceAll(/\\(.)/g, '$1');
      if (quoted !== undefined && !isToken(quoted)) return err('extension_invalid');
      parameters.push([key, match[2] ?? quoted ?? null]);
      at = PARAMETER.lastIndex;
    }
    extensions.push({ name, parameters });
    if (at === text.length) return ok(extensions);
    if (text[at] !== ',') return err('extension_invalid');
    at += 1;
  }
}

/** Distinct tokens. @param text of all lines of the field, joined by commas */
export function parseProtocols(text: string): Result<readonly string[], HandshakeReason> {
  const protocols = text.split(',').map(withoutBlanks);
  return protocols.every(isToken) && new Set(protocols).size === protocols.length
    ? ok(protocols)
    : err('protocol_invalid');
}
