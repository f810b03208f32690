import { describe, expect, it } from 'vitest';
import { parseStoredManifest } from '../../src/api/stored-manifest.ts';
import { limits } from '../../src/kernel/index.ts';

const textOf = (host: string, title = 'A server'): string =>
  JSON.stringify({
    schemaVersion: 2,
    name: 'one',
    version: '1.0.0',
    title,
    server: { kind: 'sandboxed', command: ['node', 'one.mjs'] },
    egress: [{ host }],
    credentials: [],
  });

function manifest(text: string) {
  const found = parseStoredManifest(text, 'one.json');
  if (!found.ok) throw new Error(JSON.stringify(found.error));
  return found.value;
}

describe('the text of a stored manifest', () => {
  it('is parsed once, and another text is another manifest', () => {
    const first = manifest(textOf('api.example.com'));
    expect(manifest(textOf('api.example.com'))).toBe(first);
    expect(manifest(textOf('evil.example.com')).egress).toEqual([
      expect.objectContaining({ host: 'evil.example.com' }),
    ]);
    expect(manifest(textOf('api.example.com')).egress).toEqual([
      expect.objectContaining({ host: 'api.example.com' }),
    ]);
  });

  it('gives nobody anything that could be changed for others', () => {
    const found = manifest(textOf('api.example.com'));
    expect(() => Object.assign(found.egress[0] ?? {}, { host: 'evil.example.com' })).toThrow(TypeError);
    expect(() => Array.prototype.push.call(found.egress, { host: 'evil.example.com' })).toThrow(TypeError);
    expect(() => Object.assign(found.server, { kind: 'remote' })).toThrow(TypeError);
  });

  it('says each time what is wrong with it', () => {
    const wrong = JSON.stringify({ schemaVersion: 2, name: 'one' });
    for (const file of ['one.json', 'two.json']) {
      const found = parseStoredManifest(wrong, file);
      expect(found.ok ? [] : found.error).toContainEqual(
        expect.objectContaining({ file, field: 'server', code: 'manifest_missing_key' }),
      );
    }
  });

  it('is forgotten where others were asked for since', () => {
    const first = manifest(textOf('api.example.com'));
    const long = 'x'.repeat(100_000);
    for (let n = 0; n * long.length <= limits.manifestCharsKept; n += 1)
      expect(parseStoredManifest(JSON.stringify({ name: long, n }), 'long.json').ok).toBe(false);
    // What is no manifest is not kept in place of one.
    expect(manifest(textOf('api.example.com'))).toBe(first);
    for (let n = 0; n * 200_000 <= limits.manifestCharsKept; n += 1)
      manifest(textOf(`h${n}.example.com`).padEnd(200_000));
    expect(manifest(textOf('api.example.com'))).not.toBe(first);
  });
});
