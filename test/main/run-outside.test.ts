/** What a folder has for programs outside of a cell, and how what a command made of it is found. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { guardFolder, lookAgain, lookOutside, madeBetween } from '../../src/main/run/outside.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-outside-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(root, 'folder-'));
});

const put = (name: string, text = ''): void => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
/** As `git init` makes one, as far as it matters here. */
function repository(at: string): void {
  for (const name of ['HEAD', 'config', 'objects/x', 'hooks/sample']) put(`${at}/${name}`);
}
const pins = (): Record<string, string> =>
  Object.fromEntries(
    guardFolder(folder).pins.map(({ path, write }) => [
      path.slice(folder.length + 1),
      write ? 'held' : 'kept',
    ]),
  );
async function made(change: () => void): Promise<readonly string[]> {
  const { places } = guardFolder(folder);
  const before = await lookOutside(folder, places);
  change();
  return madeBetween(before, await lookAgain(folder, places, before))
    .map((path) => path.slice(folder.length + 1))
    .toSorted();
}

describe('guardFolder', () => {
  it('finds nothing where there is nothing', () => {
    put('src/index.ts');
    put('src/.vscode/tasks.json');
    expect(guardFolder(folder)).toMatchObject({ pins: [], notes: [] });
  });

  it('keeps what is there, and holds what it lies in', () => {
    repository('.git');
    put('.envrc');
    put('.claude/settings.json');
    expect(pins()).toEqual({
      '.git': 'held',
      '.git/hooks': 'kept',
      '.git/config': 'kept',
      '.envrc': 'kept',
      '.claude': 'kept',
    });
    expect(guardFolder(folder).pins[1]?.path).toBe(join(folder, '.envrc'));
    const order = guardFolder(folder).pins.map(({ path }) => path);
    expect(order.indexOf(join(folder, '.git'))).toBeLessThan(order.indexOf(join(folder, '.git/config')));
  });

  it.each([
    'hooksPath = tools/hooks',
    '\thookspath="tools/hooks"  ',
    'hooksPath = ./tools/../tools/hooks',
    'hooksPath = tools/hooks # as everybody',
    '[core] hooksPath = tools/hooks',
    'hooksPath = before\nhooksPath = tools/hooks',
  ])('keeps the folder of hooks that a configuration names: %s', (line) => {
    repository('.git');
    put('.git/config', `[core]\n${line}\n[user]\n`);
    put('tools/hooks/pre-commit');
    expect(pins()).toMatchObject({ tools: 'held', 'tools/hooks': 'kept' });
  });

  it('finds it where a worktree has its configuration: with the repository that it belongs to, or of its own', () => {
    const main = mkdtempSync(join(root, 'main-'));
    mkdirSync(join(main, '.git/worktrees/one'), { recursive: true });
    writeFileSync(join(main, '.git/config'), '[core]\nhooksPath = shared/hooks\n');
    writeFileSync(join(main, '.git/worktrees/one/commondir'), '../..\n');
    writeFileSync(join(main, '.git/worktrees/one/config.worktree'), '[core]\nhooksPath = own/hooks\n');
    put('.git', `gitdir: ${main}/.git/worktrees/one\n`);
    put('shared/hooks/pre-commit');
    put('own/hooks/pre-commit');
    expect(pins()).toMatchObject({ '.git': 'kept', 'shared/hooks': 'kept', 'own/hooks': 'kept' });
  });

  it('waits for nothing that a pipe in the place of a configuration would say', () => {
    repository('.git');
    rmSync(join(folder, '.git/config'));
    execFileSync('mkfifo', [join(folder, '.git/config')]);
    // In another process, since what waits for a pipe can only be ended from outside.
    const source = resolve(import.meta.dirname, '../../src/main/run/outside.ts');
    const program = `import { guardFolder } from ${JSON.stringify(source)};
      console.log(guardFolder(${JSON.stringify(folder)}).pins.length);`;
    const said = execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', program], {
      timeout: 20_000,
    });
    expect(said.toString()).toBe('3\n');
  });

  it.each(['hooksPath = ../elsewhere', 'hooksPath = /etc', 'hooksPath =', 'hooksPath = .'])(
    'leaves alone what is elsewhere, or everything: %s',
    (line) => {
      repository('.git');
      put('.git/config', `[core]\n${line}\n`);
      expect(Object.keys(pins()).toSorted()).toEqual(['.git', '.git/config', '.git/hooks']);
    },
  );

  it('keeps once what lies in something that is kept', () => {
    repository('.git');
    put('.git/config', '[core]\nhooksPath = .husky/_\n');
    put('.husky/_/pre-commit');
    expect(pins()).toMatchObject({ '.husky': 'kept' });
    expect(pins()).not.toHaveProperty('.husky/_');
  });

  it('says of a link, at a place or on the way to it, that it is not kept', () => {
    put('real/x');
    symlinkSync('real', join(folder, '.cursor'));
    symlinkSync('real', join(folder, '.git'));
    // With more than one place behind it.
    symlinkSync('real', join(folder, '.config'));
    const { pins: found, notes } = guardFolder(folder);
    expect(found).toEqual([]);
    expect(notes).toEqual([
      expect.stringContaining(`${folder}/.git is a link`) as string,
      expect.stringContaining(`${folder}/.config is a link`) as string,
      expect.stringContaining(`${folder}/.cursor is a link`) as string,
    ]);
  });

  it('keeps both where a folder looks like a repository itself and has one', () => {
    repository('.');
    repository('.git');
    expect(pins()).toEqual({
      hooks: 'kept',
      config: 'kept',
      '.git': 'held',
      '.git/hooks': 'kept',
      '.git/config': 'kept',
    });
  });
});

describe('what was made meanwhile', () => {
  it('is nothing where other files were', async () => {
    repository('.git');
    put('.vscode/settings.json');
    const change = (): void => {
      put('src/a');
      put('.git/objects/y');
      put('.git/index');
      put('src/.vscode/tasks.json');
    };
    expect(await made(change)).toEqual([]);
  });

  it('is told by its outermost name', async () => {
    const change = (): void => {
      repository('.git');
      repository('a/b/.git');
      put('.mcp.json');
    };
    expect(await made(change)).toEqual(['.git', '.mcp.json', 'a/b/.git']);
  });

  it('is what was changed or put in the place of another, too', async () => {
    repository('dep/.git');
    repository('.git');
    repository('.git/modules/sub');
    put('.envrc', 'a');
    const change = (): void => {
      put('next', 'b');
      renameSync(join(folder, 'next'), join(folder, '.envrc'));
      put('dep/.git/hooks/sample', 'changed');
      put('.git/modules/sub/config', 'changed');
      put('.git/modules/sub/hooks/new');
    };
    expect(await made(change)).toEqual([
      '.envrc',
      '.git/modules/sub/config',
      '.git/modules/sub/hooks/new',
      'dep/.git/hooks/sample',
    ]);
  });

  it('is not hidden by what makes a folder look like a repository', async () => {
    put('HEAD');
    put('objects/x');
    put('src/HEAD');
    put('src/objects/x');
    const change = (): void => {
      repository('lib/.git');
      repository('src/objects/deep/.git');
      repository('bare');
    };
    expect(await made(change)).toEqual([
      'bare/config',
      'bare/hooks/sample',
      'lib/.git',
      'src/objects/deep/.git',
    ]);
  });

  it.each([
    ['.git/modules/sub', '../objects/moved'],
    ['lib', '.git/objects/moved'],
    ['lib', 'fixtures/bare'],
  ])('is not hidden by a link to what is not looked through: %s to %s', async (link, target) => {
    repository('.git');
    repository('.git/modules/sub');
    repository('fixtures/bare');
    put('lib/x');
    const change = (): void => {
      renameSync(join(folder, link), join(folder, '.git/objects/moved'));
      symlinkSync(target, join(folder, link));
    };
    expect(await made(change)).toEqual([link]);
  });

  it('leaves links alone that lead to no repository', async () => {
    put('src/x');
    const change = (): void => {
      mkdirSync(join(folder, 'bin'));
      symlinkSync('../src/x', join(folder, 'bin/x'));
      symlinkSync('src', join(folder, 'lib'));
      symlinkSync('nowhere', join(folder, 'gone'));
    };
    expect(await made(change)).toEqual([]);
  });

  it('is told where a file of a kept folder has a further name, by which it was written', async () => {
    put('.vscode/tasks.json', 'as it was');
    linkSync(join(folder, '.vscode/tasks.json'), join(folder, 'alias'));
    const change = (): void => {
      put('alias', 'changed');
      rmSync(join(folder, 'alias'));
    };
    expect(await made(change)).toEqual(['.vscode/tasks.json']);
    expect(await made(() => put('src/x'))).toEqual([]);
  });

  it('is the folder itself where its name is no text', async () => {
    const change = (): void => {
      mkdirSync(Buffer.concat([Buffer.from(`${folder}/a`), Buffer.of(0xff)]));
    };
    expect(await made(change)).toEqual(['a\u{fffd}']);
  });

  it.skipIf(isRoot)('is the folder itself where it cannot be listed any more', async () => {
    repository('lib/deep/.git');
    const change = (): void => {
      put('lib/deep/.git/config', 'changed');
      chmodSync(join(folder, 'lib'), 0o311);
    };
    expect(await made(change)).toEqual(['lib']);
    chmodSync(join(folder, 'lib'), 0o755);
  });

  it('is found at the top also where there is more than is looked through', async () => {
    const change = (): void => {
      put('.envrc');
      repository('a/.git');
      mkdirSync(join(folder, 'b'));
      for (let each = 0; each <= limits.runEntriesMax; each += 1)
        symlinkSync('x', join(folder, 'b', `${each}`));
    };
    expect(await made(change)).toEqual(['.envrc']);
    expect(await lookOutside(folder, [])).toMatchObject({ whole: false });
  });
});
