import { describe, expect, it } from 'vitest';
import { type Log, silentLog } from '../../../src/kernel/index.ts';
import { checkGroups } from '../../../src/sandbox/cgroup/check.ts';
import { hostGroups, openCellGroups } from '../../../src/sandbox/cgroup/open-groups.ts';
import type { GroupReader } from '../../../src/sandbox/cgroup/detect.ts';

const self = { pid: 1, startTime: '1' };

function world(group: () => string) {
  const logged: string[] = [];
  const note = (event: string): void => void logged.push(event);
  const log: Log = { ...silentLog, info: note, warn: note, error: note };
  const reader: GroupReader = {
    platform: 'linux',
    read(path) {
      if (path === '/proc/self/cgroup') return `0::${group()}\n`;
      if (path === '/proc/self/mountinfo') return '35 24 0:30 / /no/such/folder rw - cgroup2 cgroup2 rw';
      return path.endsWith('controllers') ? 'memory' : 'domain';
    },
    writable: () => true,
    delegates: (unit) => unit.startsWith('sallyport'),
  };
  return { logged, log, reader };
}

describe('openCellGroups', () => {
  it('asks for a scope only where the group that there is is not its own', async () => {
    let asked = 0;
    let group = '/user.slice/session-3.scope';
    const { log, reader, logged } = world(() => group);
    const enterScope = (): Promise<boolean> => {
      asked += 1;
      group = '/user.slice/sallyport-1-1.scope';
      return Promise.resolve(true);
    };
    // The group that it finds then is one that the test has on paper only, so that it cannot be taken.
    expect(await openCellGroups({ log, reader, self, enterScope })).toBeNull();
    expect([asked, logged]).toEqual([1, ['cells.groups_refused', 'cells.without_groups']]);
    expect(await openCellGroups({ log, reader, self, enterScope })).toBeNull();
    expect(asked).toBe(1);
  });

  it('goes without where nobody gives it a scope', async () => {
    const { log, reader, logged } = world(() => '/user.slice/session-3.scope');
    const groups = await openCellGroups({ log, reader, self, enterScope: () => Promise.resolve(false) });
    expect([groups, logged]).toEqual([null, ['cells.without_groups']]);
  });
});

describe('checkGroups', () => {
  const fix = 'do this';
  const without = 'memory and processors of a cell are held by a look at its processes every second';
  it.each([
    [
      { kind: 'delegated', root: '/x', controllers: new Set(['pids', 'cpu', 'memory'] as const) },
      { found: 'each cell gets one: cpu, memory, pids' },
    ],
    [
      { kind: 'none', why: 'not-delegated', fix, scope: 'user' },
      { found: "the user's systemd is asked for some when the first cell starts" },
    ],
    [
      { kind: 'none', why: 'not-delegated', fix },
      { found: `none that Sallyport may divide: ${without}`, fix },
    ],
    [
      { kind: 'none', why: 'v1', fix },
      { found: `version 1 only: ${without}`, fix },
    ],
    [
      { kind: 'none', why: 'no-controllers', fix },
      { found: `one that is given no controllers: ${without}`, fix },
    ],
    [{ kind: 'none', why: 'not-linux' }, { found: `not on this system: ${without}` }],
  ] as const)('%o', (facts, check) => {
    expect(checkGroups(facts)).toEqual({ name: 'control groups', ok: true, ...check });
  });

  it('has something to say about this machine', () => {
    const facts = hostGroups(silentLog).facts();
    expect(checkGroups(facts).found).not.toBe('');
    expect(['delegated', 'none']).toContain(facts.kind);
  });
});
