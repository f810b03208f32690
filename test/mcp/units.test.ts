/** The pure parts: lines, names, editing of JSON text, printable text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readClientInput } from '../../src/mcp/protocol/client-input.ts';
import { LineReader } from '../../src/mcp/upstream/lines.ts';
import { foldedName } from '../../src/mcp/protocol/member-names.ts';
import { printable } from '../../src/mcp/protocol/printable.ts';
import { find, insertMembers, membersOf, slice, splice, stringAt } from '../../src/mcp/protocol/raw-json.ts';
import { exposedName, plainName } from '../../src/mcp/protocol/tool-names.ts';

describe('lines', () => {
  const read = (chunks: readonly Buffer[], max = 1000, linesMax = 1000): string[] => {
    const got: string[] = [];
    const reader = new LineReader(max, {
      line: (text) => void got.push(text),
      broken: (reason, head, tail) => void got.push(`${reason} ${head.slice(0, 4)}…${tail.slice(-4)}`),
    });
    for (const chunk of chunks)
      for (let left: Buffer | null = chunk; left !== null; ) left = reader.push(left, linesMax);
    reader.end();
    return got;
  };

  it('are the same however the bytes are cut', () => {
    const text = Buffer.from('{"a":"é€😀"}\r\n\n  \n{"b":1}\n{"last":true}');
    const whole = read([text]);
    expect(whole).toEqual(['{"a":"é€😀"}', '{"b":1}', '{"last":true}']);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const chunks = at.slice(1).map((end, index) => text.subarray(at[index], end));
        expect(read(chunks)).toEqual(whole);
        expect(read(chunks, 1000, 1)).toEqual(whole);
      }),
    );
  });

  it('past the limit are reported and skipped, and the next one is read', () => {
    const long = Buffer.from(`head${'x'.repeat(50)}tail\n{"next":1}\n`);
    expect(read([long], 20)).toEqual(['too_long head…tail', '{"next":1}']);
    expect(
      read(
        [...long].map((byte) => Buffer.from([byte])),
        20,
      ),
    ).toEqual(['too_long head…tail', '{"next":1}']);
    expect(read([Buffer.from('x'.repeat(20))], 20)).toEqual(['x'.repeat(20)]);
    expect(read([Buffer.from('x'.repeat(21))], 20)).toEqual(['too_long xxxx…xxxx']);
  });

  it('that are not UTF-8 are reported', () => {
    expect(read([Buffer.from([0xc3, 0x28, 0x0a]), Buffer.from('{}\n')])).toEqual([
      expect.stringMatching(/^not_utf8/),
      '{}',
    ]);
  });
});

describe('names', () => {
  it.each([
    ['github', 'search_repositories', 'github__search_repositories'],
    ['github', 'a.b c', 'github__a_b_c_'],
    ['a', 'x'.repeat(64), `a__${'x'.repeat(53)}_`],
    ['s'.repeat(60), 'tool', `${'s'.repeat(16)}-`],
  ])('%s %s', (slug, tool, start) => {
    const name = exposedName(slug, tool);
    expect(name.startsWith(start)).toBe(true);
    expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it('are pinned, since clients remember them', () => {
    expect(exposedName('github', 'a.b c')).toBe('github__a_b_c_01sy02s');
    expect(exposedName('a', 'x'.repeat(64))).toBe(`a__${'x'.repeat(53)}_0bx6pwf`);
    expect(exposedName('s'.repeat(60), 'tool')).toBe('ssssssssssssssss-1mo8s60__tool');
  });

  const slugs = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
  it('fit every client, and lead back to the tool or to a look-up', () => {
    fc.assert(
      fc.property(slugs, fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }), (slug, tool) => {
        const name = exposedName(slug, tool);
        expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        const plain = plainName(slug, name);
        if (plain !== null) expect(plain).toBe(tool);
      }),
    );
  });
});

describe('editing JSON text', () => {
  it('changes one value and leaves every other byte', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.json(), { minKeys: 1 }), fc.json(), (object, replacement) => {
        const text = `{ ${Object.entries(object)
          .map(([key, json]) => `${JSON.stringify(key)} :  ${json}`)
          .join(' ,')}}`;
        const keys = Object.keys(object);
        const isPlain = new Set(keys.map(foldedName)).size === keys.length;
        for (const key of keys) {
          const span = find(text, 0, [key]);
          // What names a member in two cases is found nothing in.
          expect(span === null ? null : slice(text, span)).toBe(isPlain ? object[key] : null);
          if (span === null) continue;
          const edited = splice(text, [{ ...span, text: replacement }]);
          expect(edited).toBe(text.slice(0, span.start) + replacement + text.slice(span.end));
          expect((JSON.parse(edited) as Record<string, unknown>)[key]).toEqual(JSON.parse(replacement));
        }
      }),
    );
  });

  it('adds members to empty and other objects', () => {
    expect(splice('{}', [insertMembers('{}', 0, '"a":1')])).toBe('{"a":1}');
    expect(splice('{ }', [insertMembers('{ }', 0, '"a":1')])).toBe('{"a":1 }');
    expect(splice('{"b":2}', [insertMembers('{"b":2}', 0, '"a":1')])).toBe('{"a":1,"b":2}');
  });

  it('does not guess between two members of one name', () => {
    expect(membersOf('{"a":1,"\\u0061":2}')).toBeNull();
    expect(find('{"p":{"a":1,"a":2}}', 0, ['p', 'a'])).toBeNull();
    expect(find('{"p":{"a":1,"A":2}}', 0, ['p', 'a'])).toBeNull();
    expect(stringAt('"\\u0061"', { start: 0, end: 8 })).toBe('a');
  });
});

describe('printable', () => {
  it.each([
    ['a\u{e0041}\u00ad\u180eb', 'a   b'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007text', 'text'],
    ['a\rb\u0000c\u009bd', 'a b c d'],
    ['one\ntwo', 'one\ntwo'],
    ['x\u202egnp.exe', 'x gnp.exe'],
    ['\u001b[999999999', '999999999'],
  ])('%j', (text, expected) => {
    expect(printable(text, 100)).toBe(expected);
  });

  it('keeps the end of what is long', () => {
    expect(printable('0123456789', 5)).toBe('…6789');
  });
});

describe('parameters', () => {
  it('are not without number', () => {
    const ping = (count: number) =>
      readClientInput(
        JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'ping',
          params: Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, at])),
        }),
      ).ok;
    expect([ping(1_000), ping(1_001)]).toEqual([true, false]);
  });
});
