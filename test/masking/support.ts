/** Maskers as tests use them, and keys made of parts, so that no scanner takes this repository for a leak. */
import { createHmac } from 'node:crypto';
import { compileMasking, type Masker, type MaskingRule } from '../../src/masking/index.ts';

export const hash = (text: string): string => createHmac('sha256', 'test').update(text).digest('base64url');

export function maskerOf(...rules: readonly MaskingRule[]): Masker {
  const compiled = compileMasking(rules, { hash });
  if (!compiled.ok) throw new Error(compiled.error.message);
  return compiled.value;
}

export const everything = maskerOf({ id: 'all', detectors: ['all'], strategy: { kind: 'redact' } });

/** A token of GitHub, by its form. */
export const githubToken = ['ghp', 'aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4'].join('_');

/** The first or last line of a private key. */
export const privateKeyLine = (which: 'BEGIN' | 'END'): string =>
  `-----${which} ${['PRIVATE', 'KEY'].join(' ')}-----`;
