import { describe, expect, it } from 'vitest';
import { parseManifest, parseToolSpec } from '../../../src/manifest/index.ts';
import { replaced, TOOLSPEC, VERSION_1 } from '../documents.ts';
import { MANIFESTS, TOOLSPECS } from '../v1-vectors.ts';

describe('the hash of version 1', () => {
  it.each(MANIFESTS.map((vector) => [vector.name, vector] as const))(
    'agrees with the registry: %s',
    (_, { text, hash }) => {
      expect(parseManifest(text, { file: 'm' })).toMatchObject({ version: 1, hash });
    },
  );

  it.each(TOOLSPECS.map((vector) => [vector.name, vector] as const))(
    'of toolspecs agrees too: %s',
    (_, { text, hash }) => {
      expect(parseToolSpec(text, { file: 'm' }).hash).toBe(hash);
    },
  );

  it('ignores presentation', () => {
    const { hash, original } = parseManifest(VERSION_1, { file: 'm' });
    expect(parseManifest(JSON.stringify(original), { file: 'm' }).hash).toBe(hash);
    expect(parseManifest(`# note\n${VERSION_1}displayName:\nicon: ~\n`, { file: 'm' }).hash).toBe(hash);
  });

  it('is missing when something could not be read', () => {
    expect(parseManifest(`${VERSION_1}surprise: 1\n`, { file: 'm' })).not.toHaveProperty('hash');
    expect(
      parseManifest(replaced(VERSION_1, 'default: true', 'default: yes'), { file: 'm' }),
    ).not.toHaveProperty('hash');
    expect(parseToolSpec(replaced(TOOLSPEC, 'method:', 'metod:'), { file: 'm' })).not.toHaveProperty('hash');
  });
});
