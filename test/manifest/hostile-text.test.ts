import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { parseManifest, parseToolSpec } from '../../src/manifest/index.ts';
import { TOOLSPEC, VERSION_1, VERSION_2 } from './documents.ts';

/** What holds for any text: an answer, never an exception, and a manifest only without errors. */
function expectVerdict(text: string): void {
  const { manifest, original, hash, errors } = parseManifest(text, { file: 'm' });
  expect(errors.length > 0 || manifest !== undefined || original !== undefined).toBe(true);
  if (errors.length > 0) expect(manifest).toBeUndefined();
  if (manifest !== undefined) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  for (const error of errors) expect(error.line).toBeLessThanOrEqual(text.split(/\r\n?|\n/).length);
  const spec = parseToolSpec(text, { file: 'm' });
  expect(spec.toolspec === undefined).toBe(spec.errors.length > 0);
}

describe('hostile text', () => {
  it('gets a verdict when a document breaks off anywhere', () => {
    for (const text of [VERSION_2, VERSION_1, TOOLSPEC]) {
      for (let length = 0; length < text.length; length += 3) expectVerdict(text.slice(0, length));
    }
  });

  it('gets a verdict when passages are cut out, doubled or replaced', () => {
    const passage = fc.oneof(
      fc.constantFrom(
        '',
        '---\n',
        '...\n',
        '&a ',
        '*a ',
        '!x ',
        '? ',
        '<<: ',
        '- ',
        '{',
        '}',
        '[',
        ']',
        '"',
        "'",
        '|\n',
        '>\n',
        '#',
        '%YAML 1.1\n',
        '\t',
        '\r',
        '\u2028',
        '\ud800',
        '\0',
        '__proto__: 1\n',
        'constructor: {}\n',
        'null',
        '1e999',
      ),
      fc.string({ maxLength: 8 }),
    );
    const mutation = fc.tuple(fc.constantFrom(VERSION_2, VERSION_1, TOOLSPEC), fc.nat(), fc.nat(40), passage);
    fc.assert(
      fc.property(mutation, ([text, at, cut, inserted]) => {
        const start = at % text.length;
        expectVerdict(text.slice(0, start) + inserted + text.slice(start + cut));
      }),
      { numRuns: 400 },
    );
  });

  it('gets an answer that does not grow with every quotation of it', () => {
    const key = 'k'.repeat(120_000);
    const repeated = Array.from({ length: 200 }, () => 'a: 1').join(',');
    for (const text of [`? ${key}\n: {${repeated}}`, `name: ${key}`, `!${key} a`, `? ${key}x\n: *a`]) {
      const { errors } = parseManifest(text, { file: 'm' });
      expect(errors.length).toBeGreaterThan(0);
      for (const { field, message, expected } of errors) {
        expect(Math.max(field.length, message.length, expected.length)).toBeLessThanOrEqual(
          limits.manifestFindingCharsMax + 1,
        );
      }
    }
  });

  it('gets a verdict whatever it is', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), expectVerdict), { numRuns: 300 });
    fc.assert(fc.property(fc.json({ maxDepth: 5 }), expectVerdict), { numRuns: 200 });
  });
});
