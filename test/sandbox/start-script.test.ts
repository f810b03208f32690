/** The script that ends in a cell's program, as the system's own shell reads it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { shellWord, startScript } from '../../src/sandbox/start-script.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-start-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs a script with the shell, as it is run in a cell. */
function run(script: string) {
  const path = join(root, 'start');
  writeFileSync(path, script);
  const { status, stdout, stderr } = spawnSync('/bin/sh', [path], { env: { PATH: '/usr/bin:/bin' } });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Prints its arguments, each ended by a NUL. */
const print = ['/usr/bin/printf', '%s\\0'];
const stat = '/usr/bin/stat';
const grantOf = (path: string, identity: string) => ({ host: path, cell: path, write: false, identity });
const identityOf = (path: string): string => {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
};

describe('startScript', () => {
  it('gives the program exactly its arguments, whatever is in them', () => {
    const argument = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...`'"\\$\`\n\r\t !#&();<>*?[]~{}-=%\u0081\u0088é`.split('')) }),
    );
    const usable = argument.map((text) => text.replaceAll('\0', '').toWellFormed());
    fc.assert(
      fc.property(fc.array(usable, { minLength: 1, maxLength: 6 }), (args) => {
        const { stdout, stderr } = run(startScript({ stat, grants: [], command: [...print, ...args] }));
        expect(stderr).toBe('');
        expect(stdout).toBe(args.map((text) => `${text}\0`).join(''));
      }),
      { numRuns: 150 },
    );
  });

  it('starts the program where everything that is mounted is what was checked', () => {
    const file = join(root, "a file's name");
    writeFileSync(file, '');
    const grants = [grantOf(root, identityOf(root)), grantOf(file, identityOf(file))];
    expect(run(startScript({ stat, grants, command: [...print, 'started'] })).stdout).toBe('started\0');
  });

  it.each([
    ['is something else', () => grantOf(root, '1:2')],
    ['is not there', () => grantOf(join(root, 'nothing'), identityOf(root))],
  ])('starts nothing where one of them %s, and says so last', (_what, grant) => {
    const grants = [grantOf(root, identityOf(root)), grant()];
    const { status, stdout, stderr } = run(startScript({ stat, grants, command: [...print, 'started'] }));
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(
      'sallyport: a granted path was replaced while the cell was built',
    );
  });
});

describe('shellWord', () => {
  it('is in quotes, always', () => {
    expect(['', 'plain', "it's", '$HOME'].map(shellWord)).toEqual([`''`, `'plain'`, `'it'\\''s'`, `'$HOME'`]);
  });
});
