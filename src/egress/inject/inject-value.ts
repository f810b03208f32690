/**
 * How a credential's value is written into each kind of place. One that would end its place, or be read as something
 * else there, is refused, never repaired.
 */
import type { Secret } from '../../kernel/index.ts';
import { fillPathTemplate, isCookieValue, type PathTemplate } from '../../wire/index.ts';
import type { GapKind } from './injection.ts';
import { encodePercent } from './percent.ts';
import { Refusal } from '../refusals.ts';

/** A value with the name of its credential. */
export interface NamedValue {
  readonly name: string;
  readonly value: Secret;
}

export const unusable = ({ name }: NamedValue, place: string): Refusal =>
  Refusal.of('egress_credential_unusable', { credential: name, place });

const LINE_SAFE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** As Latin-1 characters, one per byte, that may stand in a line. */
export function lineText(named: NamedValue, place: string): string {
  const text = named.value.bytes().toString('latin1');
  if (!LINE_SAFE.test(text)) throw unusable(named, place);
  return text;
}

export function cookieText(named: NamedValue): string {
  const text = named.value.bytes().toString('latin1');
  if (!isCookieValue(text)) throw unusable(named, 'a cookie');
  return text;
}

export function basicText(named: NamedValue, half: 'user' | 'password'): string {
  const text = named.value.bytes().toString('latin1');
  if (half === 'user' && text.includes(':')) throw unusable(named, 'a user name');
  return text;
}

export const queryText = ({ value }: NamedValue): string => encodePercent(value.bytes());

/** @returns the target with the value in its place */
export function fillPath(target: string, template: PathTemplate, named: NamedValue): string {
  const filled = fillPathTemplate(template, target, wholeText(named, 'a path'));
  if (filled === null) throw unusable(named, 'a path');
  return filled;
}

/** As UTF-8 text that is all of the value. */
export function wholeText(named: NamedValue, place: string): string {
  const bytes = named.value.bytes();
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes)) throw unusable(named, place);
  return text;
}

export function gapBytes(as: GapKind, named: NamedValue): Buffer {
  if (as.kind === 'json') return Buffer.from(JSON.stringify(wholeText(named, 'a JSON body')), 'utf8');
  const bytes = named.value.bytes();
  if (as.kind === 'form') return Buffer.from(encodePercent(bytes), 'latin1');
  if (bytes.includes(`--${as.boundary}`, 0, 'latin1')) throw unusable(named, 'a multipart form');
  return Buffer.from(bytes);
}
