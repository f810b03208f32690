/** What a command in a cell can leave behind for programs outside of it to run later: hooks, settings of editors, `.envrc`. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isRoot, makeRunWorld, OWNER } from './run-world.ts';

const world = await makeRunWorld();
afterAll(() => world.remove());
const { scratch, makeFolder, run, sh } = world;

describe('what runs outside of the cell later', () => {
  const NAME = ['-c', 'user.name=t', '-c', 'user.email=t@t.example'];
  const git = (...args: string[]): void => {
    const any = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' };
    execFileSync('git', args, { env: { PATH: process.env['PATH'] ?? '', HOME: scratch, ...any } });
  };
  const ownAll = (path: string): void => {
    if (isRoot) execFileSync('chown', ['-R', `${OWNER}:${OWNER}`, path]);
  };
  /** A folder with a repository, what an editor, an agent and direnv take from it, and a repository further down. */
  function makeRepository(name: string): string {
    const path = makeFolder(name);
    for (const at of [path, join(path, 'deep/inner')]) git('init', '-q', at);
    for (const each of ['.vscode', '.claude', 'scripts/hooks'])
      mkdirSync(join(path, each), { recursive: true });
    writeFileSync(join(path, '.vscode/tasks.json'), '{}');
    writeFileSync(join(path, '.envrc'), 'true\n');
    ownAll(path);
    return path;
  }
  const namedIn = (stderr: string): readonly string[] => {
    const [, told = ''] = /made or changed during the run: (.*)\. Look/.exec(stderr) ?? [];
    return told.split(', ').toSorted();
  };
  const attempt = (command: string): string => `(${command}) 2>&1 && echo DONE;`;

  it('cannot be written where it is there, nor moved away with what it lies in', async () => {
    const cwd = makeRepository('guarded');
    const config = readFileSync(join(cwd, '.git/config'), 'utf8');
    const hook = 'echo "#!/bin/sh" >.git/hooks/pre-commit';
    expect((await sh(attempt(hook), { cwd })).stdout).toMatch(/Read-only file system\n$/);
    const commands = [
      'git config core.fsmonitor ./evil',
      'echo x >>.git/config',
      'mv .git .elsewhere',
      'mv .git/hooks .git/other',
      'rm -rf .git/hooks',
      'echo x >.envrc',
      'rm .envrc',
      'mv .vscode other',
      'echo x >.vscode/tasks.json',
      'echo x >.claude/settings.json',
    ];
    const ran = await sh(commands.map((command) => attempt(command)).join('\n'), { cwd });
    expect(ran.stdout).not.toContain('DONE');
    expect(ran.stdout.trimEnd().split('\n').length).toBeGreaterThanOrEqual(commands.length);
    expect(existsSync(join(cwd, '.git/hooks/pre-commit'))).toBe(false);
    expect(readFileSync(join(cwd, '.git/config'), 'utf8')).toBe(config);
    expect(readFileSync(join(cwd, '.envrc'), 'utf8')).toBe('true\n');
    // What keeps it out is this, and nothing else.
    const control = await run(['--allow-hooks', '--', 'sh', '-c', attempt(hook)], { cwd });
    expect(control.stdout).toBe('DONE\n');
    expect(existsSync(join(cwd, '.git/hooks/pre-commit'))).toBe(true);
  });

  it('leaves git to work as ever, and says nothing when nothing was made', async () => {
    const cwd = makeRepository('committed');
    const work = [
      'echo x >file',
      'git add file',
      `git ${NAME.join(' ')} commit -qm one`,
      'git checkout -qb other',
      'git gc -q',
      'git stash list',
      'git log --oneline | wc -l',
    ];
    const ran = await sh(work.join(' && '), { cwd });
    expect(ran).toMatchObject({ code: 0, stdout: '1\n' });
    expect(ran.stderr).not.toContain('made or changed');
  });

  it('is told when it was made or changed where nothing could keep it, with the exit code as it is', async () => {
    const cwd = makeRepository('made');
    const script = [
      'mkdir .idea .cursor src .git/refs/x',
      'echo x >.mcp.json',
      'echo .. >.git/commondir',
      'git init -q vendor/dep',
      'echo x >deep/inner/.git/hooks/post-checkout',
      'echo "[core]" >>deep/inner/.git/config',
      'exit 3',
    ];
    const made = await sh(script.join('\n'), { cwd });
    expect(made.code).toBe(3);
    expect(namedIn(made.stderr)).toEqual([
      '.cursor',
      '.git/commondir',
      '.idea',
      '.mcp.json',
      'deep/inner/.git/config',
      'deep/inner/.git/hooks/post-checkout',
      'vendor/dep/.git',
    ]);
    const quiet = await run(['--allow-hooks', '--', 'mkdir', '.husky'], { cwd });
    expect(quiet).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining('made or changed') as string,
    });
  });

  it('is the place of hooks that a configuration names, and the folder of a repository itself too', async () => {
    const cwd = makeRepository('placed');
    git('-C', cwd, 'config', 'core.hooksPath', 'scripts/hooks');
    ownAll(cwd);
    const control = attempt('echo x >scripts/other');
    const script = attempt('echo x >scripts/hooks/pre-commit') + attempt('mv scripts away') + control;
    expect((await sh(script, { cwd })).stdout.match(/DONE/g)).toHaveLength(1);
    const inside = attempt('echo x >hooks/pre-commit') + attempt('echo x >config') + attempt('echo x >other');
    expect((await sh(inside, { cwd: join(cwd, '.git') })).stdout.match(/DONE/g)).toHaveLength(1);
  });

  it('is a file called .git too', async () => {
    const cwd = makeFolder('worktree');
    writeFileSync(join(cwd, '.git'), 'gitdir: /elsewhere\n');
    ownAll(cwd);
    const script = attempt('echo x >.git') + attempt('rm -f .git') + attempt('echo x >file');
    expect((await sh(script, { cwd })).stdout.match(/DONE/g)).toHaveLength(1);
    expect(readFileSync(join(cwd, '.git'), 'utf8')).toBe('gitdir: /elsewhere\n');
  });

  it('is told where a link stands in its place, which cannot be kept', async () => {
    const cwd = makeFolder('linked');
    mkdirSync(join(cwd, 'real'));
    symlinkSync('real', join(cwd, '.vscode'));
    expect(await sh('true', { cwd })).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`${cwd}/.vscode is a link`) as string,
    });
  });

  it('is told where nothing that is looked through has it', async () => {
    const cwd = makeRepository('hidden');
    // What was known lies where git keeps its objects, and a link leads there.
    const script = 'mv deep .git/objects/deep; ln -s .git/objects/deep deep; mkdir $(printf "no\\377text")';
    const { stderr } = await sh(script, { cwd });
    expect(namedIn(stderr)).toEqual(['deep', 'no\u{fffd}text']);
  });

  it('is a home folder, of which more is told', async () => {
    const cwd = makeFolder('home');
    const ran = await sh('true', { cwd, env: { HOME: cwd } });
    expect(ran.stderr).toContain(`${cwd} is your home folder: the command can read your own keys in it`);
  });

  it('is kept in further folders that may be written', async () => {
    const other = makeRepository('further');
    const script = attempt(`echo x >${other}/.git/hooks/pre-commit`) + attempt(`echo x >${other}/file`);
    const ran = await run(['--mount', `${other}:rw`, '--', 'sh', '-c', script]);
    expect(ran.stdout.match(/DONE/g)).toHaveLength(1);
    expect(existsSync(join(other, '.git/hooks/pre-commit'))).toBe(false);
  });
});
