/** What is believed of a tree that pip filled: only what it and its report agree on. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { normalName, pypiFacts } from '../../src/sandbox/packages/pypi-facts.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-pypi-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const python = { path: '/usr/bin/python3.11', version: '3.11' };
const hex = (digit: string): string => digit.repeat(64);

interface Reported {
  readonly name: string;
  readonly version: string;
  readonly url?: string;
  readonly hash?: string;
  readonly direct?: unknown;
}

let trees = 0;
/** A tree as the install script leaves it, with one package and what it needs. */
function tree(
  reported: readonly Reported[] = [
    { name: 'Gate_Door', version: '1.2' },
    { name: 'hinge', version: '2.0' },
  ],
): { path: string; library: string } {
  const path = join(root, String(trees++));
  const library = join(path, 'venv/lib/python3.11/site-packages');
  mkdirSync(join(path, 'venv/bin'), { recursive: true });
  symlinkSync(python.path, join(path, 'venv/bin/python'));
  distribution(
    library,
    'Gate_Door',
    '1.2',
    '../../../bin/gate,sha256=x,9\n"../../../bin/open it",,\n../../../../bin/hinge.sh,,\n',
  );
  distribution(library, 'hinge', '2.0');
  const install = reported.map(({ name, version, url, hash = hex('a'), direct = false }) => ({
    download_info: {
      url: url ?? `https://files.pythonhosted.org/${name}-${version}-py3-none-any.whl`,
      archive_info: { hashes: { sha256: hash } },
    },
    is_direct: direct,
    metadata: { name, version },
  }));
  writeFileSync(join(path, '.report.json'), JSON.stringify({ install }));
  return { path, library };
}

function distribution(library: string, name: string, version: string, record = ''): void {
  const folder = join(library, `${name}-${version}.dist-info`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'METADATA'),
    `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n\nName: other\n`,
  );
  writeFileSync(join(folder, 'RECORD'), record);
}

const want = { name: 'gate.door', allowScripts: false };
const facts = (path: string, over: Partial<typeof want> = {}) =>
  pypiFacts(path, { ...want, ...over }, python);
const refused = (
  path: string,
  why: RegExp,
  over: Partial<typeof want> = {},
  code = 'package_install_failed',
) => expect(facts(path, over)).rejects.toMatchObject({ code, message: expect.stringMatching(why) });

describe('a tree that pip filled', () => {
  it('is what its report and its files say, by the one form of each name', async () => {
    expect(await facts(tree().path)).toEqual({
      facts: {
        spec: 'pypi:gate-door==1.2',
        name: 'gate-door',
        version: '1.2',
        bins: { gate: 'venv/bin/gate', 'hinge.sh': 'venv/bin/hinge.sh' },
        parts: [
          { name: 'gate-door', version: '1.2', integrity: `sha256:${hex('a')}`, scripts: false },
          { name: 'hinge', version: '2.0', integrity: `sha256:${hex('a')}`, scripts: false },
        ],
        scriptsSkipped: [],
        scriptsRun: [],
        python: '3.11',
      },
      lockfile: `gate-door==1.2 --hash=sha256:${hex('a')}\nhinge==2.0 --hash=sha256:${hex('a')}\n`,
    });
  });

  it('names what was built from sources, and may hold it only where that was allowed', async () => {
    const { path } = tree([
      { name: 'gate-door', version: '1.2' },
      { name: 'hinge', version: '2.0', url: 'https://files.pythonhosted.org/hinge-2.0.tar.gz' },
    ]);
    await refused(path, /pip has built hinge==2\.0/);
    const { facts: found } = await facts(path, { allowScripts: true });
    expect(found.scriptsRun).toEqual(['hinge==2.0']);
    expect(found.parts.map(({ scripts }) => scripts)).toEqual([false, true]);
  });

  it('is refused with a part that is not from the index', () =>
    refused(
      tree([
        { name: 'gate-door', version: '1.2' },
        { name: 'hinge', version: '2.0', url: 'git+https://example.com/hinge', direct: true },
      ]).path,
      /hinge came from "git\+https:\/\/example\.com\/hinge"/,
      {},
      'package_source_refused',
    ));

  it.each<[string, readonly Reported[]]>([
    ['less than there is', [{ name: 'gate-door', version: '1.2' }]],
    [
      'more than there is',
      [
        { name: 'gate-door', version: '1.2' },
        { name: 'hinge', version: '2.0' },
        { name: 'latch', version: '1' },
      ],
    ],
    [
      'another version',
      [
        { name: 'gate-door', version: '1.3' },
        { name: 'hinge', version: '2.0' },
      ],
    ],
  ])('is refused where pip reported %s', (_what, reported) =>
    refused(tree(reported).path, /it does not hold what pip says it has installed/),
  );

  it.each<[string, Partial<Reported>, RegExp]>([
    ['a hash', { hash: 'none' }, /hinge came without a hash/],
    ['a name', { name: '../hinge' }, /a package without a name/],
    ['a version', { version: '2.0 --index-url=x' }, /a package without a name/],
    ['whether it was asked for by address', { direct: undefined }, /came from/],
  ])('is refused where pip did not report %s', async (_what, part, why) => {
    const reported = [
      { name: 'gate-door', version: '1.2' },
      { name: 'hinge', version: '2.0', ...part },
    ];
    // JSON leaves out what is undefined; the default would not.
    const { path } = tree(reported.map((one) => ('direct' in one ? { ...one, direct: null } : one)));
    await expect(facts(path)).rejects.toThrow(why);
  });

  it('is refused where one version imitates two packages', () => {
    const { path, library } = tree();
    rmSync(join(library, 'hinge-2.0.dist-info'), { recursive: true });
    distribution(library, 'gate-door', '1.2 hinge==2.0');
    rmSync(join(library, 'Gate_Door-1.2.dist-info'), { recursive: true });
    return refused(path, /it does not hold what pip says it has installed/);
  });

  it('is refused with more packages in it than were reported, however large: none of those is read', async () => {
    const { path, library } = tree();
    mkdirSync(join(library, 'other-1.dist-info'));
    // To open a pipe would be to wait for somebody who writes to it.
    execFileSync('mkfifo', [join(library, 'other-1.dist-info/METADATA')]);
    await refused(path, /it does not hold what pip says it has installed/);
  });

  it('is read in a time that grows with its size, whatever the fields of its metadata', async () => {
    const { path, library } = tree();
    // One step for each pair of spaces would take minutes.
    const text = `Name: hinge${' '.repeat(150_000)}x\nVersion: 2.0\n`;
    writeFileSync(join(library, 'hinge-2.0.dist-info/METADATA'), text);
    await refused(path, /it does not hold what pip says it has installed/);
  });

  it('is refused without the package that was wanted', () =>
    refused(tree().path, /did not install latch/, { name: 'latch' }));

  it('is refused with another interpreter', async () => {
    const { path } = tree();
    rmSync(join(path, 'venv/bin/python'));
    symlinkSync('/tmp/python', join(path, 'venv/bin/python'));
    await refused(path, /the link to the interpreter/);
    rmSync(join(path, 'venv/bin/python'));
    writeFileSync(join(path, 'venv/bin/python'), '#!/bin/sh\n');
    await refused(path, /the link to the interpreter/);
  });

  it('is never a way to read other files', async () => {
    const secret = join(root, 'secret');
    writeFileSync(secret, 'Name: hinge\nVersion: 2.0\n');
    const { path, library } = tree();
    const metadata = join(library, 'hinge-2.0.dist-info/METADATA');
    rmSync(metadata);
    symlinkSync(secret, metadata);
    await refused(path, /cannot be read/);
    const other = tree();
    rmSync(join(other.path, '.report.json'));
    symlinkSync(secret, join(other.path, '.report.json'));
    await refused(other.path, /did not leave the files/);
    const moved = tree();
    rmSync(moved.library, { recursive: true });
    symlinkSync(root, moved.library);
    await refused(moved.path, /leads out of it/);
  });
});

it.each([
  ['Gate_Door', 'gate-door'],
  ['gate..door-_x', 'gate-door-x'],
  ['gate', 'gate'],
])('the one form of %s is %s', (name, normal) => {
  expect(normalName(name)).toBe(normal);
});
