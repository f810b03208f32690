import { describe, expect, it } from 'vitest';
import { definitionDiff } from '../../../src/mcp/pinning/diff.ts';

describe('the difference between two definitions', () => {
  it('names each member that differs, with what it was and is', () => {
    const before =
      '{"name":"send","description":"Sends.","inputSchema":{"properties":{"to":{"type":"string"}},"required":["to"]},"annotations":{"readOnlyHint":true}}';
    const after =
      '{"name":"send","description":"Sends it.","inputSchema":{"properties":{"to":{"type":"string"},"bcc":{"type":"string"}},"required":["to","bcc"]},"annotations":{"readOnlyHint":false}}';
    expect(definitionDiff(before, after)).toEqual([
      { place: 'annotations.readOnlyHint', before: 'true', after: 'false' },
      { place: 'description', before: 'Sends.', after: 'Sends it.' },
      { place: 'inputSchema.properties.bcc', before: null, after: '{"type":"string"}' },
      { place: 'inputSchema.required.1', before: null, after: 'bcc' },
    ]);
  });

  it('shows a long text around where it changes, and what nobody sees', () => {
    const text = 'word '.repeat(500);
    const [change] = definitionDiff(
      JSON.stringify({ description: `${text}end` }),
      JSON.stringify({ description: `${text}\u200bend` }),
    );
    expect(change?.before).toMatch(/^…(?:.{60})end$/);
    expect(change?.after).toMatch(/^…(?:.{60})\{U\+200B\}end$/);
  });

  it('says nothing of what means the same', () => {
    expect(definitionDiff('{"a":1,"b":"\\u0041"}', '{ "b": "A", "a": 1 }')).toEqual([]);
  });

  it('shows that a member is named twice', () => {
    expect(definitionDiff('{"a":1}', '{"a":2,"a":1}')).toEqual([
      { place: '', before: '{"a":1}', after: '{"a":2,"a":1}' },
    ]);
  });

  it('ends somewhere', () => {
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`m${at}`, at])));
    expect(definitionDiff('{}', many)).toHaveLength(40);
  });
});
