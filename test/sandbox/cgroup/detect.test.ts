import { describe, expect, it } from 'vitest';
import { detectGroups, type GroupReader, ownGroup } from '../../../src/sandbox/cgroup/detect.ts';
import type { GroupFacts } from '../../../src/sandbox/cgroup/ports.ts';

const UNIFIED = '35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot';

interface Machine {
  readonly platform?: string;
  /** `/proc/self/cgroup`. */
  readonly group?: string;
  readonly mounts?: readonly string[];
  /** Folders of groups and what they have; null for the machine's own first one. */
  readonly controllers?: Readonly<Record<string, string>>;
  readonly first?: string;
  readonly readOnly?: readonly string[];
  readonly delegates?: Readonly<Record<string, boolean>>;
}

/** A machine that exists on paper only. */
function reader(machine: Machine): GroupReader & { readonly asked: string[] } {
  const asked: string[] = [];
  const controllers = machine.controllers ?? {};
  return {
    asked,
    platform: machine.platform ?? 'linux',
    read(path) {
      if (path === '/proc/self/cgroup') return machine.group ?? null;
      if (path === '/proc/self/mountinfo') return (machine.mounts ?? [UNIFIED]).join('\n');
      const folder = path.slice(0, path.lastIndexOf('/'));
      const found = controllers[folder];
      if (found === undefined) return null;
      if (path.endsWith('/cgroup.controllers')) return `${found}\n`;
      return path.endsWith('/cgroup.type') && folder !== machine.first ? 'domain\n' : null;
    },
    writable: (path) => !(machine.readOnly ?? []).includes(path),
    delegates(unit, manager) {
      asked.push(`${manager} ${unit}`);
      return machine.delegates?.[unit] ?? null;
    },
  };
}

const SERVICE = '/sys/fs/cgroup/system.slice/sallyport.service';
const service: Machine = {
  group: '0::/system.slice/sallyport.service\n',
  controllers: { [SERVICE]: 'cpuset cpu io memory hugetlb pids rdma misc' },
};
const SESSION = '/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope';
const OWN = '/user.slice/user-1000.slice/user@1000.service/app.slice/sallyport-7-99.scope';

const delegated = (root: string, ...controllers: readonly string[]) => ({
  kind: 'delegated',
  root,
  controllers: new Set(controllers),
});
const none = (why: string, fix: unknown) => ({ kind: 'none', why, ...(fix === null ? {} : { fix }) });

const IN_A_CONTAINER =
  'In a container: give it a control group namespace of its own, and make its /sys/fs/cgroup writable.';
const VERSION_1 =
  'The controllers are those of control groups version 1: boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line.';
const SERVICE_FIX =
  'sudo systemctl edit sallyport.service, and in it:  [Service]  Delegate=cpu memory pids  Then restart the service.';

describe('detectGroups', () => {
  it.each<[string, Machine, unknown]>([
    ['another system', { platform: 'darwin' }, none('not-linux', null)],
    [
      'a service that was given its group',
      { ...service, delegates: { 'sallyport.service': true } },
      delegated(SERVICE, 'cpu', 'memory', 'pids'),
    ],
    [
      'a service of root that was not, though root may write',
      { ...service, delegates: { 'sallyport.service': false } },
      none('not-delegated', SERVICE_FIX),
    ],
    ['a service that cannot be asked about', service, none('not-delegated', SERVICE_FIX)],
    [
      'a service whose group is not writable',
      {
        ...service,
        delegates: { 'sallyport.service': true },
        readOnly: [`${SERVICE}/cgroup.subtree_control`],
      },
      none('not-delegated', SERVICE_FIX),
    ],
    [
      'a service of a user',
      {
        group: '0::/user.slice/user-1000.slice/user@1000.service/app.slice/sallyport.service\n',
        controllers: {
          '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/sallyport.service': 'memory',
        },
        delegates: { 'sallyport.service': false },
      },
      none(
        'not-delegated',
        'systemctl --user edit sallyport.service, and in it:  [Service]  Delegate=cpu memory pids  Then restart the service.',
      ),
    ],
    [
      'a login session',
      {
        group: '0::/user.slice/user-1000.slice/session-3.scope\n',
        controllers: { [SESSION]: 'memory pids' },
        readOnly: [SESSION, `${SESSION}/cgroup.procs`, `${SESSION}/cgroup.subtree_control`],
      },
      none(
        'not-delegated',
        'systemd did not give it a scope of its own; start it so: systemd-run --user --scope -p "Delegate=cpu memory pids" -- sallyport serve',
      ),
    ],
    [
      'a login session of root',
      {
        group: '0::/user.slice/user-0.slice/session-1.scope\n',
        controllers: { '/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope': 'memory pids' },
        delegates: { 'session-1.scope': false },
      },
      none(
        'not-delegated',
        'systemd did not give it a scope of its own; start it so: systemd-run --scope -p "Delegate=cpu memory pids" -- sallyport serve',
      ),
    ],
    [
      'a scope of its own, as much as the user has',
      {
        group: `0::${OWN}\n`,
        controllers: { [`/sys/fs/cgroup${OWN}`]: 'memory pids' },
        delegates: { 'sallyport-7-99.scope': true },
      },
      delegated(`/sys/fs/cgroup${OWN}`, 'memory', 'pids'),
    ],
    [
      'a scope of its own where the user has nothing',
      {
        group: `0::${OWN}\n`,
        controllers: { [`/sys/fs/cgroup${OWN}`]: 'io' },
        delegates: { 'sallyport-7-99.scope': true },
      },
      none(
        'no-controllers',
        'sudo systemctl edit user@.service, and in it:  [Service]  Delegate=cpu memory pids  Then log out of all sessions and in again.',
      ),
    ],
    [
      'a process that a gateway started in its own group',
      {
        group: '0::/system.slice/sallyport.service/sallyport-12-3456/gateway\n',
        controllers: { [SERVICE]: 'memory', [`${SERVICE}/sallyport-12-3456/gateway`]: '' },
      },
      delegated(SERVICE, 'memory'),
    ],
    [
      'a container with a namespace of its own',
      { group: '0::/\n', controllers: { '/sys/fs/cgroup': 'cpu memory pids' } },
      delegated('/sys/fs/cgroup', 'cpu', 'memory', 'pids'),
    ],
    [
      'a container whose hierarchy is read-only',
      {
        group: '0::/\n',
        controllers: { '/sys/fs/cgroup': 'cpu memory pids' },
        readOnly: ['/sys/fs/cgroup'],
      },
      none('not-delegated', IN_A_CONTAINER),
    ],
    [
      'root in the first group of the machine, which is nobody to give away',
      { group: '0::/\n', controllers: { '/sys/fs/cgroup': 'cpu memory pids' }, first: '/sys/fs/cgroup' },
      none('not-delegated', IN_A_CONTAINER),
    ],
    [
      'a container that sees the part of the host that it is in',
      {
        group: '0::/docker/abc\n',
        mounts: ['35 24 0:30 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw'],
        controllers: { '/sys/fs/cgroup': 'memory' },
      },
      delegated('/sys/fs/cgroup', 'memory'),
    ],
    [
      'a container that sees another part',
      {
        group: '0::/docker/abcd\n',
        mounts: ['35 24 0:30 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw'],
        controllers: { '/sys/fs/cgroup': 'memory' },
      },
      none('not-delegated', IN_A_CONTAINER),
    ],
    [
      'a group outside of the namespace',
      { group: '0::/../other\n', controllers: { '/sys/fs/cgroup/../other': 'memory' } },
      none('not-delegated', IN_A_CONTAINER),
    ],
    [
      'both versions, with the controllers on the first',
      {
        group: '4:memory:/x\n0::/\n',
        mounts: [
          '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
          '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
        ],
        controllers: { '/sys/fs/cgroup/unified': 'hugetlb' },
      },
      none('v1', VERSION_1),
    ],
    ['version 1 alone', { group: '4:memory:/x\n', mounts: [] }, none('v1', VERSION_1)],
    ['no control groups at all', { mounts: [] }, none('v1', VERSION_1)],
    [
      'a place whose name has a space in it',
      {
        group: '0::/a\n',
        mounts: ['35 24 0:30 / /mnt/control\\040groups rw - cgroup2 cgroup2 rw'],
        controllers: { '/mnt/control groups/a': 'pids' },
      },
      delegated('/mnt/control groups/a', 'pids'),
    ],
  ])('%s', (_name, machine, facts) => {
    expect(detectGroups(reader(machine))).toEqual(facts);
  });

  it("asks the manager whose unit it is, and only about the unit's own group", () => {
    const user = reader({ group: `0::${OWN}\n`, controllers: { [`/sys/fs/cgroup${OWN}`]: 'memory' } });
    detectGroups(user);
    const system = reader(service);
    detectGroups(system);
    const below = reader({
      group: '0::/system.slice/sallyport.service/main\n',
      controllers: { [`${SERVICE}/main`]: 'memory' },
    });
    expect(detectGroups(below)).toEqual(delegated(`${SERVICE}/main`, 'memory'));
    expect([user.asked, system.asked, below.asked]).toEqual([
      ['user sallyport-7-99.scope'],
      ['system sallyport.service'],
      [],
    ]);
  });

  it('never takes for its own what cannot be written to', () => {
    const facts: GroupFacts[] = ['', '/cgroup.procs', '/cgroup.subtree_control'].map((file) =>
      detectGroups(
        reader({
          group: '0::/\n',
          controllers: { '/sys/fs/cgroup': 'memory' },
          readOnly: [`/sys/fs/cgroup${file}`],
        }),
      ),
    );
    expect(facts.map(({ kind }) => kind)).toEqual(['none', 'none', 'none']);
  });
});

describe('ownGroup', () => {
  it.each(['', '0::\n', '0::relative\n', '1:name=systemd:/\n'])('is nothing in %j', (group) => {
    expect(ownGroup(reader({ group, controllers: { '/sys/fs/cgroup': '' } }))).toBeNull();
  });
});
