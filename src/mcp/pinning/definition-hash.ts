/**
 * The hash that a definition is approved by: over all of it, in a form in which the order of an object's members, spaces
 * and escapes do not count and everything else does. Numbers keep their text: `1.0` is not `1` to every client.
 *
 * Takes JSON that was checked. Members that are named twice both count, in their order.
 */
import { createHash } from 'node:crypto';
import { limits } from '../../kernel/index.ts';
import { jsonItems, jsonMembers, type JsonSpan } from '../../wire/index.ts';

/** `sha256-` and 64 hexadecimal digits. */
export function definitionHash(text: string): string {
  // What is too long is never approved; to be told apart is all that it needs.
  const canonical = text.length > limits.definitionCharsMax ? text : canonicalJson(text);
  return `sha256-${createHash('sha256').update(canonical).digest('hex')}`;
}

/** The same text for every way to write one value. */
export function canonicalJson(text: string, span?: JsonSpan): string {
  const start = span?.start ?? text.search(/[^ \t\r\n]/);
  const end = span?.end ?? text.trimEnd().length;
  const value = { start, end };
  if (text[start] === '{') {
    const members = jsonMembers(text, value).map((member) => ({
      key: JSON.stringify(member.key),
      value: canonicalJson(text, member),
    }));
    // A stable sort: members of the same name stay in their order.
    members.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    return `{${members.map((member) => `${member.key}:${member.value}`).join(',')}}`;
  }
  if (text[start] === '[') {
    return `[${jsonItems(text, value)
      .map((item) => canonicalJson(text, item))
      .join(',')}]`;
  }
  const literal = text.slice(start, end);
  return literal.startsWith('"') ? JSON.stringify(JSON.parse(literal)) : literal;
}
