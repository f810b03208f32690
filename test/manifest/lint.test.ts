import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { lintFiles, type ReadBytes, renderFinding } from '../../src/manifest/index.ts';
import { replaced, TOOLSPEC, VERSION_1, VERSION_2 } from './documents.ts';

const folder =
  (files: Readonly<Record<string, string | Uint8Array>>): ReadBytes =>
  (file) => {
    const content = files[file];
    return Promise.resolve(content === undefined ? null : Buffer.from(content));
  };

const lint = (names: readonly string[], files: Readonly<Record<string, string | Uint8Array>>) =>
  lintFiles(names, folder(files));

const codes = (errors: readonly { file: string; code: string }[]) =>
  errors.map(({ file, code }) => [file, code]);

describe('lintFiles', () => {
  it('gives one object per file, in order', async () => {
    const results = await lint(['b.yaml', 'a.json'], { 'a.json': '{}', 'b.yaml': VERSION_2 });
    expect(results.map(({ file, ok }) => [file, ok])).toEqual([
      ['b.yaml', true],
      ['a.json', false],
    ]);
    expect(results[0]).toEqual({
      file: 'b.yaml',
      ok: true,
      errors: [],
      warnings: [],
      hash: '97391602fcb930cba7c62e2580abd391d5770c407b6f3dcc52c79f9b39d39adf',
    });
    expect(results[1]?.hash).toBeNull();
  });

  it('says why a file cannot be read', async () => {
    const failing: ReadBytes = (file) =>
      file === 'none'
        ? Promise.resolve(null)
        : Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' }));
    const results = await lintFiles(['none', 'locked'], failing);
    expect(results.map(({ errors }) => errors.map(({ code, message }) => [code, message]))).toEqual([
      [['manifest_file_unreadable', 'there is no such file']],
      [['manifest_file_unreadable', 'it cannot be read (EACCES)']],
    ]);
  });

  it('refuses what is not UTF-8, and what is too large', async () => {
    const results = await lint(['latin.yaml', 'large.yaml'], {
      'latin.yaml': Buffer.from(`${VERSION_2}# caf\u00e9\n`, 'latin1'),
      'large.yaml': `${VERSION_2}${'#'.repeat(limits.manifestBytesMax)}`,
    });
    expect(results.map(({ errors }) => errors.map((error) => error.code))).toEqual([
      ['manifest_encoding'],
      ['manifest_too_large'],
    ]);
  });

  it('reads from the disk when not told otherwise', async () => {
    const [result] = await lintFiles(['/nonexistent/manifest.yaml']);
    expect(result?.errors[0]?.code).toBe('manifest_file_unreadable');
  });
});

describe('lint of version 1', () => {
  it('accepts a pair, given alone or together', async () => {
    const files = { 'x.yaml': VERSION_1, 'x.toolspec.yaml': TOOLSPEC };
    for (const names of [['x.yaml'], ['x.toolspec.yaml'], ['x.yaml', 'x.toolspec.yaml']]) {
      for (const result of await lint(names, files))
        expect(result).toMatchObject({ ok: true, errors: [], warnings: [] });
    }
  });

  it('shows a mistake of the companion where it stands', async () => {
    const files = {
      'x.yaml': VERSION_1,
      'x.toolspec.yaml': replaced(TOOLSPEC, 'method: GET', 'method: FETCH'),
    };
    const [manifest] = await lint(['x.yaml'], files);
    expect(manifest?.errors.map(({ file, line, field, code }) => [file, line, field, code])).toEqual([
      ['x.toolspec.yaml', 8, 'tools[0].method', 'manifest_unknown_choice'],
    ]);
    const together = await lint(['x.yaml', 'x.toolspec.yaml'], files);
    expect(together.map(({ ok }) => ok)).toEqual([true, false]);
  });

  it('checks that the two agree, whichever is given', async () => {
    const files = {
      'x.yaml': VERSION_1,
      'x.toolspec.yaml': replaced(TOOLSPEC, 'name: close_book', 'name: shut_book'),
    };
    for (const name of ['x.yaml', 'x.toolspec.yaml']) {
      const [result] = await lint([name], files);
      expect(codes(result?.errors ?? [])).toEqual([
        ['x.toolspec.yaml', 'toolspec_pair_tools'],
        ['x.toolspec.yaml', 'toolspec_pair_tools'],
      ]);
    }
  });

  it('judges a toolspec alone where its manifest is missing, and says so', async () => {
    const [result] = await lint(['x.toolspec.yaml'], { 'x.toolspec.yaml': TOOLSPEC });
    expect(result?.ok).toBe(true);
    expect(codes(result?.warnings ?? [])).toEqual([['x.toolspec.yaml', 'toolspec_without_manifest']]);
  });

  it('tells a toolspec by its keys where the name does not', async () => {
    const [result] = await lint(['tools.yaml'], { 'tools.yaml': TOOLSPEC });
    expect(result).toMatchObject({ ok: true, errors: [], warnings: [] });
  });

  it('refuses a wildcard over a public suffix, and hashes the manifest all the same', async () => {
    const [result] = await lint(['x.yaml'], {
      'x.yaml': VERSION_1.replace('"*.eu.ledger.example"', '"*.co.uk"'),
    });
    expect(result?.ok).toBe(false);
    expect(codes(result?.errors ?? [])).toEqual([['x.yaml', 'manifest_host_public_suffix']]);
    expect(result?.hash).toBe('56249d8e74ea10e1db3561f914eaa4c56bec5bd7e40ddb2d3e170fc1061bfc44');
  });
});

describe('a file that does not end', () => {
  it('is read as far as a manifest may go', async () => {
    const [result] = await lintFiles(['/dev/zero']);
    expect(codes(result?.errors ?? [])).toEqual([['/dev/zero', 'manifest_too_large']]);
  });
});

describe('renderFinding', () => {
  it('is one line with place, field, message and expectation', async () => {
    const [result] = await lint(['m.yaml'], { 'm.yaml': replaced(VERSION_2, 'tier: sealed', 'tier: open') });
    expect(result?.errors.map(renderFinding)).toEqual([
      'm.yaml:13:11 credentials[0].tier: "open" is not a choice here (expected one of sealed, entrusted)',
    ]);
  });

  it('lets nothing of the file steer the terminal', () => {
    const finding = {
      file: 'a\u001b[2J',
      line: 1,
      column: 1,
      field: '',
      code: 'x',
      message: 'm\nn',
      expected: '',
    };
    expect(renderFinding(finding)).toBe('a\ufffd[2J:1:1 m\ufffdn');
    const message = '\u202edlrow\u2066 \u200b\u2028\u{e0041}';
    expect(renderFinding({ ...finding, message })).toBe(
      'a\ufffd[2J:1:1 \ufffddlrow\ufffd \ufffd\ufffd\ufffd',
    );
  });
});
