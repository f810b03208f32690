/** The identity of a package: what its hash covers, computed here a second time from its format. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { hashTree, settleModes, stampTree } from '../../src/sandbox/packages/tree.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-tree-'));
let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(root, 'tree-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');
/** The format's own words: kind, NUL, path, NUL, hash of the content, LF; sorted by the bytes of the path. */
const expected = (...entries: readonly (readonly [string, string, string])[]): string =>
  `sha256-${sha256(entries.map(([kind, path, content]) => `${kind}\0${path}\0${content}\n`).join(''))}`;

describe('the hash of a tree', () => {
  it('covers kinds, paths and contents, in the order of the bytes of the paths', async () => {
    mkdirSync(join(tree, 'a'));
    writeFileSync(join(tree, 'a/file'), 'text');
    writeFileSync(join(tree, 'a-b'), '');
    writeFileSync(join(tree, 'run'), 'x', { mode: 0o755 });
    symlinkSync('a/file', join(tree, 'link'));
    writeFileSync(join(tree, '\u{ffff}'), '');
    writeFileSync(join(tree, '\u{1f600}'), '');
    expect(await hashTree(tree)).toBe(
      expected(
        ['d', 'a', ''],
        ['f', 'a-b', sha256('')],
        ['f', 'a/file', sha256('text')],
        ['l', 'link', sha256('a/file')],
        ['x', 'run', sha256('x')],
        // As bytes, not as JavaScript would sort them.
        ['f', '\u{ffff}', sha256('')],
        ['f', '\u{1f600}', sha256('')],
      ),
    );
  });

  it('is the same for a file that is hashed in pieces', async () => {
    const large = Buffer.alloc(4 * 1024 * 1024 + 1, 'x');
    writeFileSync(join(tree, 'large'), large);
    writeFileSync(join(tree, 'small'), large.subarray(1));
    expect(await hashTree(tree)).toBe(
      expected(['f', 'large', sha256(large)], ['f', 'small', sha256(large.subarray(1))]),
    );
  });

  it('covers every file of many', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `f${String(index).padStart(3, '0')}`);
    for (const name of names) writeFileSync(join(tree, name), name);
    expect(await hashTree(tree)).toBe(expected(...names.map((name) => ['f', name, sha256(name)] as const)));
  });

  it('takes a link out of it only where that was agreed', async () => {
    symlinkSync('/usr/bin/python3.11', join(tree, 'python'));
    await expect(hashTree(tree)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
    expect(await hashTree(tree, /^\/usr\/bin\/python3\.\d+$/)).toBe(
      expected(['l', 'python', sha256('/usr/bin/python3.11')]),
    );
    await expect(hashTree(tree, /^\/usr\/bin\/node$/)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
  });

  it('is not taken with a name that is no text: two could not be told apart', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x61, 0xff])]), 'x');
    await expect(hashTree(tree)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
  });

  it('is not taken with such a name beside the one that it is shown as: what is below it would not be covered', async () => {
    mkdirSync(join(tree, '\ufffd'));
    const alone = await hashTree(tree);
    expect(alone).toBe(expected(['d', '\ufffd', '']));
    mkdirSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff])]));
    await expect(hashTree(tree)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
    await expect(stampTree(tree)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
  });

  it('is not taken with a link that goes up behind another one: that leads out, although it does not look so', async () => {
    mkdirSync(join(tree, 'a/b'), { recursive: true });
    symlinkSync('../..', join(tree, 'a/b/top'));
    symlinkSync('../b/../../a', join(tree, 'a/b/around'));
    await expect(hashTree(tree)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
    rmSync(join(tree, 'a/b/around'));
    expect(await hashTree(tree)).toMatch(/^sha256-/);
    symlinkSync('a/b/top/../neighbour', join(tree, 'out'));
    await expect(hashTree(tree)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
  });

  it('does not change with modes that do not count, nor with times', async () => {
    writeFileSync(join(tree, 'file'), 'x', { mode: 0o600 });
    const before = [await hashTree(tree), await stampTree(tree)];
    chmodSync(join(tree, 'file'), 0o640);
    utimesSync(join(tree, 'file'), 1, 1);
    expect(await hashTree(tree)).toBe(before[0]);
    // The stamps do: then it is hashed again, that is all.
    expect(await stampTree(tree)).not.toBe(before[1]);
    await settleModes(tree);
    expect(await hashTree(tree)).toBe(before[0]);
  });
});
