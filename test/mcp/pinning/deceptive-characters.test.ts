import { describe, expect, it } from 'vitest';
import { characterFlags, madeVisible } from '../../../src/mcp/pinning/deceptive-characters.ts';
import { nameSkeleton } from '../../../src/mcp/pinning/look-alike-names.ts';

describe('characters of a definition', () => {
  it.each([
    ['zero-width space', 'read\u200bfile', ['invisible']],
    ['word joiner', 'a\u2060b', ['invisible']],
    ['soft hyphen', 'a\u00adb', ['invisible']],
    ['byte order mark', '\ufeffa', ['invisible']],
    ['Hangul filler', 'a\u3164', ['invisible']],
    ['tags that spell a text', `Reads.${String.fromCodePoint(0xe0068, 0xe0069)}`, ['invisible']],
    ['variation selectors that carry bytes', `a${String.fromCodePoint(0xe0100, 0xe0101)}`, ['invisible']],
    ['joiner between Latin letters', 'pass\u200dword', ['invisible']],
    ['emoji selector behind a letter', 'a\ufe0f', ['invisible']],
    ['override of the direction', 'a\u202etxt.exe', ['direction']],
    ['isolate', '\u2066a\u2069', ['direction']],
    ['escape', '\u001b[8mhidden', ['control']],
    ['backspace', 'a\u0008b', ['control']],
    ['line separator', 'a\u2028b', ['control']],
    ['lone surrogate', 'a\ud800', ['control']],
    ['private use', 'a\ue000', ['private']],
    ['Cyrillic letter in a Latin word', 'r\u0435ad', ['look-alike']],
    ['Greek letter in a Latin word', 'g\u03bf', ['look-alike']],
    ['several', '\u200b\u202e\u0000', ['invisible', 'direction', 'control']],
  ])('flag: %s', (_, text, flags) => {
    expect(characterFlags(text)).toEqual(flags);
  });

  it.each([
    ['plain', 'Reads a file.\n\tAll of it.'],
    ['accents', 'déjà vu, Ærøskøbing, Łódź'],
    ['Russian', 'Читает файл'],
    ['Russian beside English', 'Читает PDF'],
    ['Greek beside English', 'α and β, Δt, μs, Ω'],
    ['Chinese, Japanese, Korean', '读取文件 ファイル 파일'],
    ['Hebrew and Arabic', 'שלום مرحبا'],
    ['Persian with its joiner', 'می\u200cخواهم'],
    ['Hindi with a joiner', 'क्\u200dष'],
    ['emoji', '🔍 ✅ ⚠️ ❤️'],
    ['a family', '👩‍👩‍👧‍👦 👩🏽‍💻'],
    ['flags', '🇩🇪 🏴󠁧󠁢󠁥󠁮󠁧󠁿'],
    ['signs', '© ™ → ≤ µm №'],
  ])('leave alone: %s', (_, text) => {
    expect(characterFlags(text)).toEqual([]);
  });

  it('are written out', () => {
    expect(madeVisible('a\u202eb\u200b\u001b[0m\ndéjà')).toBe('a{U+202E}b{U+200B}{U+001B}[0m\ndéjà');
    expect(madeVisible(String.fromCodePoint(0xe0068))).toBe('{U+E0068}');
  });
});

describe('names', () => {
  it.each([
    ['read_file', 'read-file'],
    ['read_file', 'readFile'],
    ['read_file', 'r\u0435ad_file'],
    ['create_issue', 'create_\u0456ssue'],
    ['list', '1ist'],
    ['login', 'l0gin'],
    ['email', 'ernail'],
    ['fetch', '\uff46\uff45\uff54\uff43\uff48'],
    ['fetch', 'fe\u200btch'],
  ])('%s and %s look alike', (one, other) => {
    expect(nameSkeleton(one)).toBe(nameSkeleton(other));
  });

  it.each([
    ['read_file', 'read_files'],
    ['get_issue', 'get_issues'],
    ['search', 'research'],
  ])('%s and %s do not', (one, other) => {
    expect(nameSkeleton(one)).not.toBe(nameSkeleton(other));
  });
});
