/** Answers to results: what a caller sees of them, and how it reads on. */
import { describe, expect, it } from 'vitest';
import { KeptAnswers, resultOf } from '../../src/http-api/index.ts';
import { fixedClock, limits, systemRandom } from '../../src/kernel/index.ts';

const clock = fixedClock(0);
const kept = new KeptAnswers('petstore', clock, systemRandom);
const answer = (body: string | Buffer, fields: Record<string, string> = {}, status = 200, isCut = false) => {
  const text = resultOf({ status, fields: Object.entries(fields), body: Buffer.from(body), isCut }, (long) =>
    kept.keep(long),
  );
  expect(text).not.toMatch(/[\r\n]/);
  const value: unknown = JSON.parse(text);
  return { text, value };
};
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

describe('a result', () => {
  it('keeps JSON as it came, numbers and all, on one line', () => {
    const { text, value } = answer('{"id": 12345678901234567890,\n "a":[1.0]}', {
      ...JSON_TYPE,
      link: '</p?page=2>; rel="next"',
      'set-cookie': 'a=1',
      server: 'x',
    });
    expect(text).toContain('"body":{"id": 12345678901234567890,  "a":[1.0]}}'.replace('  ', '  '));
    expect(value).toMatchObject({
      content: [
        {
          type: 'text',
          text: 'HTTP 200\ncontent-type: application/json; charset=utf-8\nlink: </p?page=2>; rel="next"',
        },
        { type: 'text', text: '{"id": 12345678901234567890,\n "a":[1.0]}' },
      ],
      structuredContent: { status: 200, headers: { link: '</p?page=2>; rel="next"' }, body: { a: [1] } },
    });
    expect(text).not.toContain('set-cookie');
    expect(value).not.toHaveProperty('isError');
  });

  it('is an error from 400 on, and says which', () => {
    expect(answer('{"message":"no"}', JSON_TYPE, 404).value).toMatchObject({
      isError: true,
      content: [
        { text: 'HTTP 404\ncontent-type: application/json; charset=utf-8' },
        { text: '{"message":"no"}' },
      ],
    });
    expect(answer('', {}, 204).value).toEqual({
      content: [{ type: 'text', text: 'HTTP 204' }],
      structuredContent: { status: 204, headers: {} },
    });
  });

  it.each([
    ['{"a":1', JSON_TYPE],
    ['{"a":1,"a":2}', JSON_TYPE],
    ['[1', JSON_TYPE],
    ['"\\ud800"', JSON_TYPE],
    ['x', { 'content-type': 'text/plain' }],
  ])('takes %s for text', (body, type) => {
    expect(answer(body, type).value).toMatchObject({
      content: [{}, { text: body }],
      structuredContent: { status: 200 },
    });
    expect(answer(body, type).text).not.toContain('"body":');
  });

  it('reads other character sets, and text that has none', () => {
    expect(
      answer(Buffer.from([0xe9]), { 'content-type': 'text/plain; charset=iso-8859-1' }).value,
    ).toMatchObject({ content: [{}, { text: 'é' }] });
    expect(answer('plain').value).toMatchObject({ content: [{}, { text: 'plain' }] });
    expect(
      answer(Buffer.from('k\u001b(Bey', 'latin1'), { 'content-type': 'text/plain; charset=iso-2022-jp' })
        .text,
    ).not.toContain('key');
    expect(
      answer(Buffer.from([0xff, 0x41]), { 'content-type': 'text/plain; charset=no-such' }).value,
    ).toMatchObject({ content: [{}, { text: '\ufffdA' }] });
  });

  it('has what is no text as an image, or as a blob', () => {
    const bytes = Buffer.from([0, 1, 255]);
    expect(answer(bytes, { 'content-type': 'image/png' }).value).toMatchObject({
      content: [{}, { type: 'image', data: 'AAH/', mimeType: 'image/png' }],
    });
    expect(answer(bytes, { 'content-type': 'application/pdf' }).value).toMatchObject({
      content: [{}, { type: 'resource', resource: { mimeType: 'application/pdf', blob: 'AAH/' } }],
    });
    expect(answer(bytes).value).toMatchObject({
      content: [{}, { resource: { mimeType: 'application/octet-stream' } }],
    });
    expect(
      answer(Buffer.alloc(limits.apiBinaryBytesMax + 1), { 'content-type': 'application/zip' }).value,
    ).toMatchObject({
      content: [
        {},
        { type: 'text', text: '[4194305 bytes of application/zip: more than a result may have]' },
      ],
    });
  });
});

describe('a long answer', () => {
  const long = `${'😀'.repeat(limits.apiPageCharsMax)}end`;

  it('is cut into pages that are the whole again', () => {
    const { value } = answer(long, { 'content-type': 'text/plain' }, 200, true);
    const whole = `${long}\n[cut: only the first 16 MiB were read]`;
    const { structuredContent, content } = JSON.parse(JSON.stringify(value));
    const { answer: id, pages } = structuredContent;
    expect(pages).toBe(3);
    const read = [1, 2, 3].map((page) => kept.page(id, page)?.text ?? '');
    expect(read.join('')).toBe(whole);
    for (const page of read) expect(page.isWellFormed()).toBe(true);
    expect(content[1].text).toBe(read[0]);
    const link = content.find(({ type }: { type: string }) => type === 'resource_link');
    expect(link.uri).toBe(`sallyport-answer://petstore/${id}/2`);
    expect(kept.pageAt(link.uri)).toMatchObject({ text: read[1], page: 2, pages: 3 });
    for (const uri of [
      `sallyport-answer://petstore/${id}/4`,
      `sallyport-answer://petstore/${id}/0`,
      `sallyport-answer://other/${id}/2`,
      `sallyport-answer://petstore/${id}`,
      'x',
    ])
      expect(kept.pageAt(uri)).toBeNull();
  });

  it('is kept for ten minutes, and the oldest goes first', () => {
    const first = kept.keep(long).id;
    clock.advance(limits.apiAnswersKeptMs);
    expect(kept.page(first, 1)).not.toBeNull();
    clock.advance(1);
    expect(kept.page(first, 1)).toBeNull();
    const ids = Array.from({ length: limits.apiAnswersKeptMax + 1 }, () => kept.keep('text').id);
    expect(kept.page(ids[0] ?? '', 1)).toBeNull();
    expect(kept.page(ids[1] ?? '', 1)).not.toBeNull();
    const large = 'x'.repeat(limits.apiAnswersKeptCharsMax / 2);
    const [a, b, c] = [kept.keep(large).id, kept.keep(large).id, kept.keep(large).id];
    expect([a, b, c].map((id) => kept.page(id, 1) !== null)).toEqual([false, true, true]);
  });
});
