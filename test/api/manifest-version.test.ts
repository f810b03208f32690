/** The version of a manifest that was made for a package. */
import { expect, it } from 'vitest';
import { manifestVersion } from '../../src/api/package-source.ts';

it.each([
  ['1.2.3', '1.2.3'],
  ['1.2.3-beta.1+build', '1.2.3'],
  ['2026.10.19', '2026.10.19'],
  ['1.2', '1.2.0'],
  ['3', '3.0.0'],
  ['1.2.3.4', '1.2.3'],
  ['1.2rc1', '1.2.0'],
  ['1.2.post1', '1.2.0'],
  ['1!2.0', '0.0.0'],
  ['01.2', '0.0.0'],
  ['unknown', '0.0.0'],
])('%s is %s', (version, expected) => {
  expect(manifestVersion({ version })).toBe(expected);
});
