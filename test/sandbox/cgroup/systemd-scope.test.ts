/** What systemd is asked for. No systemd runs where these tests do: the words are pinned, and `busctl` is the test's. */
import { describe, expect, it } from 'vitest';
import { enterScope, scopeArguments, scopeManager } from '../../../src/sandbox/cgroup/systemd-scope.ts';

const self = { pid: 4242, startTime: '98765' };

describe('a scope of its own', () => {
  it.each([
    ['/user.slice/user-1000.slice/session-3.scope', 1000, 'user'],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/app-terminal-77.scope', 1000, 'user'],
    ['/user.slice/user-0.slice/session-1.scope', 0, 'system'],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/sallyport.service', 1000, null],
    ['/system.slice/sallyport.service', 0, null],
    ['/system.slice/sallyport.service', 999, null],
    ['/docker/abc', 0, null],
    ['/', 0, null],
  ])('of a process in %s, user %d: %s', (path, userId, manager) => {
    expect(scopeManager({ path, folder: '', unit: null }, userId)).toBe(manager);
  });

  it('is asked for with a signature that fits the words', () => {
    const words = scopeArguments(self, 'user');
    expect(words).toEqual([
      '--user',
      'call',
      'org.freedesktop.systemd1',
      '/org/freedesktop/systemd1',
      'org.freedesktop.systemd1.Manager',
      'StartTransientUnit',
      'ssa(sv)a(sa(sv))',
      'sallyport-4242-98765.scope',
      'fail',
      '4',
      'Description',
      's',
      'Sallyport and its cells',
      'PIDs',
      'au',
      '1',
      '4242',
      'Delegate',
      'b',
      'true',
      'CollectMode',
      's',
      'inactive-or-failed',
      '0',
    ]);
    expect(scopeArguments(self, 'system')[0]).toBe('--system');
  });

  it('is entered when the manager has moved this process, which may be after its answer', async () => {
    const asked: string[] = [];
    let looks = 0;
    const entered = await enterScope(
      self,
      'user',
      (program, args) => {
        asked.push(`${program} ${args[0]}`);
        return Promise.resolve(true);
      },
      () => (looks += 1) > 3,
    );
    expect([entered, asked, looks]).toEqual([true, ['/usr/bin/busctl --user'], 4]);
  });

  it('is not waited for where the manager refuses', async () => {
    const entered = await enterScope(
      self,
      'user',
      () => Promise.resolve(false),
      () => {
        throw new Error('not asked');
      },
    );
    expect(entered).toBe(false);
  });
});
