import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { parseManifest } from '../../src/manifest/index.ts';
import { replaced, VERSION_2 } from './documents.ts';

const findings = (text: string) =>
  parseManifest(text, { file: 'm' }).errors.map(({ line, column, code }) => [line, column, code]);

describe('a document', () => {
  it.each<[string, string, readonly [number, number, string]]>([
    ['is empty', '', [1, 1, 'manifest_empty']],
    ['is only a comment', '# nothing\n', [1, 1, 'manifest_empty']],
    ['is null', '~\n', [1, 1, 'manifest_empty']],
    ['is a text', 'hello\n', [1, 1, 'manifest_wrong_type']],
    ['is a list', '- a\n', [1, 1, 'manifest_wrong_type']],
    ['is cut off', 'schemaVersion: 2\nname: [a\n', [3, 1, 'manifest_syntax']],
    ['repeats a key', `${VERSION_2}name: other\n`, [19, 1, 'manifest_duplicate_key']],
    [
      'repeats a key deep inside',
      replaced(VERSION_2, 'port: 443', 'port: 443, port: 80'),
      [10, 40, 'manifest_duplicate_key'],
    ],
    ['has a second document', `${VERSION_2}---\nname: other\n`, [19, 1, 'manifest_multiple_documents']],
    ['has an alias', 'schemaVersion: 2\nname: &a x\ntitle: *a\n', [3, 8, 'manifest_alias']],
    ['has a merge key', 'schemaVersion: 2\n<<: { name: x }\n', [2, 1, 'manifest_unknown_key']],
    [
      'has a tag of its own',
      replaced(VERSION_2, 'name: github', 'name: !secret github'),
      [2, 7, 'manifest_tag'],
    ],
    [
      'has a tag of YAML',
      replaced(VERSION_2, 'version: 2025.4.8', 'version: !!str 2025.4.8'),
      [3, 10, 'manifest_tag'],
    ],
    ['has a tagged map', replaced(VERSION_2, 'tools: {', 'tools: !!map {'), [18, 8, 'manifest_tag']],
    ['asks for YAML 1.1', `%YAML 1.1\n---\n${VERSION_2}`, [1, 1, 'manifest_directive']],
    [
      'defines a tag prefix',
      `%TAG !e! tag:example.com,2000:\n---\n${VERSION_2}`,
      [1, 1, 'manifest_directive'],
    ],
    ['has a number as a key', `${VERSION_2}1: x\n`, [19, 1, 'manifest_key_not_text']],
    ['has a list as a key', `${VERSION_2}? [a]\n: x\n`, [19, 3, 'manifest_key_not_text']],
    [
      'has a control character',
      `${VERSION_2}description: a\u001bb\n`,
      [19, 15, 'manifest_control_character'],
    ],
    ['has half a character', `${VERSION_2}description: \ud83d\n`, [19, 14, 'manifest_control_character']],
    [
      'has half a character in an escape',
      `${VERSION_2}description: "\\ud83d"\n`,
      [19, 14, 'manifest_syntax'],
    ],
  ])('that %s is refused', (_, text, finding) => {
    expect(findings(text)).toContainEqual(finding);
    expect(parseManifest(text, { file: 'm' }).manifest).toBeUndefined();
  });

  it('may say that it is YAML 1.2', () => {
    expect(findings(`%YAML 1.2\n---\n${VERSION_2}`)).toEqual([]);
  });

  it('keeps what YAML 1.1 took for booleans', () => {
    const text = replaced(
      VERSION_2,
      'default: [search_repositories, get_file_contents]',
      'default: [n, on, yes, Off, y]',
    );
    expect(parseManifest(text, { file: 'm' }).manifest?.tools).toEqual({
      default: ['n', 'on', 'yes', 'Off', 'y'],
    });
  });

  it('has a largest size', () => {
    const padding = (bytes: number) => `${VERSION_2}#${'x'.repeat(bytes - VERSION_2.length - 1)}`;
    expect(findings(padding(limits.manifestBytesMax))).toEqual([]);
    expect(findings(padding(limits.manifestBytesMax + 1))).toEqual([[1, 1, 'manifest_too_large']]);
  });

  it.each([
    ['flow lists', (depth: number) => '['.repeat(depth)],
    ['closed flow maps', (depth: number) => '{a: '.repeat(depth) + '}'.repeat(depth)],
    ['block lists on one line', (depth: number) => '- '.repeat(depth)],
    ['keys that are maps', (depth: number) => '? '.repeat(depth)],
  ])('that nests %s without end is refused without recursion', (_, make) => {
    expect(findings(make(50_000)).map(([, , code]) => code)).toEqual(['manifest_too_deep']);
  });

  it('keeps its findings to a number that a person can read', () => {
    const keys = Array.from({ length: 5_000 }, (_, index) => `key${index}: 1`).join('\n');
    expect(findings(`${VERSION_2}${keys}\n`)).toHaveLength(100);
  });

  it('may be JSON, with tabs and escapes', () => {
    const json =
      '{\n\t"schemaVersion": 2,\n\t"name": "a",\n\t"version": "1.0.0",\n\t"title": "\\u00e9\\ud83d\\ude00\\/",\n\t"server": {"kind": "sandboxed", "command": ["a"]}\n}';
    expect(parseManifest(json, { file: 'm.json' }).manifest?.title).toBe('é😀/');
  });
});
