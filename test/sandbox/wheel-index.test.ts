/** Archives on this machine as an index that pip reads. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LocalAnswer } from '../../src/sandbox/index.ts';
import { openWheels } from '../../src/sandbox/packages/wheel-index.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-wheels-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const folder = join(root, 'wheels');
mkdirSync(folder);
const put = (name: string, content = basename(name)): string => {
  const path = join(root, name);
  writeFileSync(path, content);
  return path;
};
const wheel = put('wheels/Gate.Door-1.2-py3-none-any.whl');
put('wheels/gate_door-1.3.tar.gz');
put('wheels/hinge-2.0+cpu-py3-none-any.whl');
put('wheels/README.txt');
put('wheels/nothing.whl');
const sha256 = createHash('sha256').update('Gate.Door-1.2-py3-none-any.whl').digest('hex');

const textOf = (answer: LocalAnswer | null): string =>
  answer !== null && answer.body instanceof Buffer ? answer.body.toString() : '';

describe('archives as an index', () => {
  it('lists what there is of a package, by the one form of its name, with hashes', async () => {
    const index = await openWheels([folder]);
    const page = await index.answer('/simple/gate-door/');
    expect(page?.type).toBe('text/html; charset=utf-8');
    const links = [...textOf(page).matchAll(/href="([^"]+)"/g)].map(([, link]) => link);
    expect(links).toHaveLength(2);
    expect(links[0]).toBe(`Gate.Door-1.2-py3-none-any.whl#sha256=${sha256}`);
  });

  it('names the file of each, whatever is in its name', async () => {
    const index = await openWheels([folder]);
    const got = await index.answer('/simple/gate-door/Gate.Door-1.2-py3-none-any.whl');
    expect(got).toMatchObject({
      status: 200,
      body: { file: join(folder, 'Gate.Door-1.2-py3-none-any.whl') },
    });
    const odd = await index.answer('/simple/hinge/hinge-2.0%2Bcpu-py3-none-any.whl');
    expect(odd).toMatchObject({
      status: 200,
      body: { file: join(folder, 'hinge-2.0+cpu-py3-none-any.whl') },
    });
  });

  it.each([
    '/simple/',
    '/simple/nothing/',
    '/simple/readme/',
    '/simple/gate-door/hinge-2.0+cpu-py3-none-any.whl',
    '/simple/gate-door/../../etc/passwd',
    '/simple/gate-door/%2e%2e/hinge/',
    '/simple/%zz/',
    '/',
  ])('has nothing at %s', async (path) => {
    const index = await openWheels([folder]);
    expect(await index.answer(path)).toBeNull();
  });

  it('takes single files', async () => {
    const index = await openWheels([wheel]);
    expect(await index.answer('/simple/hinge/')).toBeNull();
    expect(textOf(await index.answer('/simple/gate-door/'))).toContain(sha256);
  });

  it.each([
    ['package_archives_none', () => [root]],
    ['package_archive_unreadable', () => [join(root, 'absent')]],
    ['package_archive_unreadable', () => [join(folder, 'README.txt')]],
    [
      'package_archive_unreadable',
      () => {
        mkdirSync(join(root, 'pipes'));
        execFileSync('mkfifo', [join(root, 'pipes/gate-1.0-py3-none-any.whl')]);
        return [join(root, 'pipes')];
      },
    ],
    [
      'package_archives_conflict',
      () => {
        mkdirSync(join(root, 'other'), { recursive: true });
        return [folder, put('other/Gate.Door-1.2-py3-none-any.whl', 'other bytes')];
      },
    ],
  ])('%s', async (code, from) => {
    await expect(openWheels(from())).rejects.toMatchObject({ code });
  });

  it.skipIf(process.getuid?.() === 0)(
    'says what cannot be read (waits for a user who is not root)',
    async () => {
      const closed = put('wheels/closed-1.0-py3-none-any.whl');
      chmodSync(closed, 0o000);
      await expect(openWheels([closed])).rejects.toMatchObject({ code: 'package_archive_unreadable' });
      rmSync(closed, { force: true });
    },
  );
});
