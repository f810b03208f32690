import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everything, githubToken, maskerOf } from './support.ts';

type Wrap = (text: string) => string;

/** Ways in which a text gets into another. Each can be undone by who reads it. */
const wraps: readonly Wrap[] = [
  (text) => JSON.stringify(text),
  (text) => JSON.stringify({ a: [text] }),
  (text) => JSON.stringify([{ type: 'text', text: `see: ${text}` }]),
  (text) => `x=${encodeURIComponent(text)}&y`,
  (text) => Buffer.from(`in it: ${text} .`).toString('base64'),
  (text) => Buffer.from(`in it: ${text} .`).toString('base64url'),
  (text) => Buffer.from(text).toString('hex'),
  (text) => lines(Buffer.from(`in it: ${text} .`).toString('base64'), 76, '\r\n'),
  (text) => lines(Buffer.from(`in it: ${text} .`).toString('base64'), 60, '\n  '),
  (text) => lines(Buffer.from(text).toString('hex'), 64, '\n'),
  (text) => wide(`of it: ${text} .`).toString('base64'),
  (text) => wide(`it: ${text} .`).swap16().toString('base64url'),
  (text) => lines(wide(`x ${text} .`).toString('base64'), 76, '\n'),
  (text) => wide(text).toString('hex'),
  (text) => wide(`: ${text}`).swap16().toString('latin1'),
  (text) => `<p title="${text.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}">`,
  (text) => `before ${text} after`,
  (text) => `é ${text} 漢字Ģ`,
  (text) => JSON.stringify({ kĢ: `Ŝ${text}Ģ` }),
  (text) => (text.includes('\0') ? text : text.replaceAll('_', '\\u005f')),
];

/** In UTF-16, but not twice. */
const wide = (text: string): Buffer => Buffer.from(text.replaceAll('\0', ''), 'utf16le');

function lines(text: string, length: number, end: string): string {
  return (text.match(new RegExp(`.{1,${length}}`, 'g')) ?? []).join(end);
}

describe('whatever a key is wrapped in', () => {
  it('does not pass, up to four times', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...wraps), { maxLength: 4 }), (chosen) => {
        const wrapped = chosen.reduce((text, wrap) => wrap(text), githubToken);
        const masked = everything.maskJson(wrapped);
        expect(
          masked.hits.map(({ detector }) => detector),
          wrapped,
        ).toContain('github-token');
        for (const half of [githubToken.slice(4, 22), githubToken.slice(22)])
          expect(masked.text).not.toContain(half);
      }),
      { numRuns: 400 },
    );
  });

  it('does not pass at any depth of JSON, nor changes anything else', () => {
    const only = maskerOf({ id: 'key', detectors: ['github-token'], strategy: { kind: 'redact' } });
    const value = fc.jsonValue({ maxDepth: 5 });
    fc.assert(
      fc.property(value, fc.nat(), (json, where) => {
        const strings = JSON.stringify(json).match(/"(?:[^"\\]|\\.)*"/g) ?? [];
        fc.pre(strings.length > 0);
        const index = where % strings.length;
        let seen = -1;
        const planted = (mask: string): string =>
          JSON.stringify(json).replaceAll(/"(?:[^"\\]|\\.)*"/g, (literal) => {
            seen += 1;
            return seen % strings.length === index ? `"${mask} ${literal.slice(1)}` : literal;
          });
        const text = planted(githubToken);
        expect(only.maskJson(text).text).toBe(planted('[masked:github-token]'));
      }),
      { numRuns: 400 },
    );
  });
});

describe('what is not matched', () => {
  it('is not changed, byte for byte, in JSON and in texts', () => {
    const only = maskerOf({
      id: 'key',
      detectors: ['github-token'],
      keys: ['nobody has this'],
      strategy: { kind: 'redact' },
    });
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' }), fc.base64String()), (text) => {
        expect(only.maskJson(text)).toEqual({ text, hits: [] });
        expect(only.maskText(text)).toEqual({ text, hits: [] });
      }),
      { numRuns: 1000 },
    );
  });

  it('stays JSON with the same shape when something is', () => {
    const harsh = maskerOf({
      id: 'all',
      detectors: ['all'],
      pointers: ['', '/*', '/0/*'],
      strategy: { kind: 'mask' },
    });
    const shape = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shape);
      return typeof value === 'object' && value !== null ? Object.values(value).map(shape) : typeof value;
    };
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const parsed: unknown = JSON.parse(text);
        fc.pre(JSON.stringify(parsed) === text);
        const masked: unknown = JSON.parse(harsh.maskJson(text).text);
        expect(shape(masked)).toEqual(shape(parsed));
      }),
      { numRuns: 300 },
    );
  });
});

describe('a key that is cut', () => {
  it('is found whole in strings next to each other, wherever it is cut', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: githubToken.length - 1 }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(cuts, fc.boolean(), (places, isBlocks) => {
        const ordered = [0, ...places.toSorted((a, b) => a - b), githubToken.length];
        const parts = ordered.slice(1).map((end, index) => githubToken.slice(ordered[index], end));
        const json = JSON.stringify(isBlocks ? parts.map((text) => ({ type: 'text', text })) : parts);
        const masked = everything.maskJson(json);
        for (const part of parts.filter(({ length }) => length > 3))
          expect(masked.text).not.toContain(`"${part}"`);
        expect(masked.hits.reduce((sum, { count }) => sum + count, 0)).toBe(parts.length);
      }),
      { numRuns: 300 },
    );
  });
});
