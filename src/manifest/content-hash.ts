/**
 * What a manifest's content is called: equal for everything that parses to the same manifest, whatever the
 * order of keys, comments, YAML or JSON, and defaults written out or not. Approvals are bound to it.
 *
 * hash = lower-case hex SHA-256 over the UTF-8 JSON of the parsed manifest (defaults filled in) with the keys
 * of every map in code-unit order and no white space: RFC 8785 for the values that a manifest can hold.
 */
import { createHash } from 'node:crypto';
import type { Manifest } from './types.ts';

export const manifestHash = (manifest: Manifest): string =>
  createHash('sha256').update(canonical(manifest), 'utf8').digest('hex');

/** What a document beside a manifest is called: of its very text. */
export const documentHash = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}
