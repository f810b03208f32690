/** Which Python and which pip an installation is done with. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  assertInterpreter,
  findInterpreter,
  findPip,
  interpreterLinks,
} from '../../src/sandbox/packages/python-tools.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-python-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const python = { path: '/usr/bin/python3.11', version: '3.11' };

describe('the interpreter', () => {
  it('is refused where no cell could run it', () => {
    const own = join(root, 'python3.11');
    writeFileSync(own, '');
    expect(() => findInterpreter(own)).toThrow(expect.objectContaining({ code: 'package_python_unusable' }));
    expect(() => findInterpreter('/usr/bin/env')).toThrow(
      expect.objectContaining({ code: 'package_python_unusable' }),
    );
    expect(() => findInterpreter('/usr/bin/python3.99')).toThrow(
      expect.objectContaining({ code: 'package_python_missing' }),
    );
  });

  it('has to be there still when a server starts', () => {
    expect(() => assertInterpreter('3.99')).toThrow(
      expect.objectContaining({ code: 'package_python_missing' }),
    );
    expect(() => assertInterpreter(undefined)).not.toThrow();
  });

  it.each([
    ['/usr/bin/python3.11', true],
    ['/usr/local/bin/python3.14', true],
    ['/usr/bin/python3', false],
    ['/usr/bin/python3.11/../../../etc/passwd', false],
    ['/home/user/bin/python3.11', false],
    ['../../usr/bin/python3.11', false],
    ['/usr/bin/python3.11\n', false],
  ])('is all that a link of a package may lead to: %j', (target, allowed) => {
    expect(interpreterLinks.test(target)).toBe(allowed);
  });
});

describe("pip's wheel", () => {
  const folders = ['share/python-wheels', 'local/lib/python3.11/ensurepip/_bundled'].map((folder) =>
    join(root, folder),
  );
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const [shared = '', bundled = ''] = folders;

  it('is not there', () => {
    expect(findPip(python, root)).toBeNull();
  });

  it('is too old, or something else', () => {
    writeFileSync(join(shared, 'pip-22.1.2-py3-none-any.whl'), '');
    writeFileSync(join(shared, 'setuptools-66.1.1-py3-none-any.whl'), '');
    writeFileSync(join(shared, 'pip-25.3-py3-none-any.whl.bak'), '');
    expect(findPip(python, root)).toBeNull();
  });

  it('is the newest', () => {
    writeFileSync(join(shared, 'pip-22.3.1-py3-none-any.whl'), '');
    writeFileSync(join(bundled, 'pip-24.0-py3-none-any.whl'), '');
    expect(findPip(python, root)).toBe(join(bundled, 'pip-24.0-py3-none-any.whl'));
    writeFileSync(join(shared, 'pip-100.0-py3-none-any.whl'), '');
    expect(findPip(python, root)).toBe(join(shared, 'pip-100.0-py3-none-any.whl'));
  });
});
