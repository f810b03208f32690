/** One list of characters that nobody sees, held against what each of those who show texts to people makes of it. */
import { describe, expect, it } from 'vitest';
import { printable, printableJson } from '../../src/cli/output.ts';
import { isBlank, showUnseen } from '../../src/kernel/index.ts';
import { refusedMessage } from '../../src/main/approvals/slack-message.ts';
import { characterFlags, madeVisible } from '../../src/mcp/pinning/deceptive-characters.ts';

/** One of each kind. */
const KINDS = {
  'a control character': 0x07,
  'one of the second half': 0x85,
  'a soft hyphen': 0xad,
  'a joiner': 0x200d,
  'a direction': 0x202e,
  'an isolate': 0x2066,
  'a combining joiner': 0x34f,
  'a Hangul filler': 0x3164,
  'its narrow form': 0xffa0,
  'a Khmer vowel that is not shown': 0x17b5,
  'a Mongolian selector': 0x180b,
  'a variation selector': 0xfe01,
  'that of emoji': 0xfe0f,
  'one of the supplement': 0xe0100,
  'a tag': 0xe0041,
  'an empty Braille cell': 0x2800,
  'a note without a head': 0x1d159,
  'a mark of shorthand': 0x1bca0,
  'a mark around an annotation': 0xfff9,
  'a line separator': 0x2028,
  'a paragraph separator': 0x2029,
  'private use': 0xe000,
  'private use beyond': 0xf0000,
  'no character': 0xffff,
} as const;
describe('what nobody sees is shown', () => {
  it.each(Object.entries(KINDS))('%s', (_, code) => {
    const text = `a${String.fromCodePoint(code)}b`;
    const hex = code.toString(16);
    expect(printable(text)).toBe('a�b');
    expect(printableJson(text)).toMatch(/^"a(?:\\u[0-9a-f]{4}){1,2}b"$/);
    expect(JSON.parse(printableJson(text))).toBe(text);
    expect(madeVisible(text)).toBe(`a{U+${hex.toUpperCase().padStart(4, '0')}}b`);
    expect(refusedMessage(text)['text']).toBe(`a\\u{${hex}}b`);
    expect(showUnseen(text, () => '')).toBe('ab');
  });

  it('half a character', () => {
    expect(showUnseen('a\ud800b', () => '?')).toBe('a?b');
    expect(showUnseen('a\u{1f44d}b', () => '?')).toBe('a\u{1f44d}b');
  });

  it('and nothing of what is read', () => {
    for (const text of [
      'naïve ☃ 漢字 👍',
      'a b\u00a0c\u3000d',
      '日本語',
      'עברית',
      '한국어',
      '⠁⠃',
      '♪',
      '𝅘𝅥'.slice(0, 2),
    ])
      expect(showUnseen(text, () => '?')).toBe(text);
  });
});

it('of all characters, a definition is told of as having some that nobody sees where one is blank', () => {
  const isTold = (text: string) =>
    characterFlags(text).some((flag) => flag === 'invisible' || flag === 'direction');
  const missed: string[] = [];
  let seen = '';
  for (let code = 0; code < 0x11_0000; code += 1) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    if (!isBlank(character)) seen += character;
    else if (!isTold(`a${character}`)) missed.push(code.toString(16));
  }
  expect(missed).toEqual([]);
  expect(isTold(seen)).toBe(false);
});
