import { describe, expect, it } from 'vitest';
import { madeFiles } from '../../src/sandbox/cell-files.ts';
import { appliedLimits } from '../../src/sandbox/cell-limits.ts';
import { type PlanViewInput, viewPlan } from '../../src/sandbox/plan-view.ts';
import { allowed, conditional } from '../../src/sandbox/seccomp/allowlist.ts';
import { arm64Numbers, x64Numbers } from '../../src/sandbox/seccomp/syscall-numbers.ts';

const CA = '-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n';

const input = (over: Partial<PlanViewInput['plan']> = {}): PlanViewInput => ({
  architecture: 'x64',
  ports: [8443, 443, 80],
  ownUser: false,
  plan: {
    launcher: ['/usr/bin/setpriv', '--no-new-privs'],
    options: ['--unshare-user', '--setenv', 'KEY', 'value'],
    command: ['/usr/bin/prlimit', '--', 'server'],
    environment: { KEY: 'value' },
    mounts: [
      { kind: 'bind', source: '/usr', path: '/usr', write: false },
      { kind: 'seal', path: '/' },
    ],
    files: madeFiles(CA, 'exec server'),
    limits: appliedLimits({ memoryMiB: 256, processes: 32, openFiles: 128, diskMiB: 16 }, true),
    ...over,
  },
});

describe('viewPlan', () => {
  it('passes on what the plan says, as it stands there', () => {
    const { plan } = input();
    expect(viewPlan(input())).toMatchObject({
      launcher: plan.launcher,
      options: plan.options,
      command: plan.command,
      environment: plan.environment,
      mounts: plan.mounts,
    });
  });

  it('names the ports in order, and the user that it is', () => {
    expect(viewPlan(input())).toMatchObject({
      ports: [80, 443, 8443],
      user: { host: 'gateway', cell: 65_534 },
    });
    expect(viewPlan({ ...input(), ownUser: true }).user.host).toBe('own');
  });

  it('shows the text of every file but those of certificates', () => {
    const { files } = viewPlan(input());
    expect(files.map(({ path }) => path)).toEqual(madeFiles(CA, 'exec server').map(({ path }) => path));
    expect(files.filter(({ text }) => text === null).map(({ path }) => path)).toEqual([
      '/etc/ssl/certs/ca-certificates.crt',
      '/etc/ssl/certs/java/cacerts',
    ]);
    expect(files.find(({ path }) => path === '/etc/resolv.conf')?.text).toBe('nameserver 192.0.2.53\n');
  });

  it('says what each limit is, and what enforces it', () => {
    expect(viewPlan(input()).limits).toEqual([
      { what: 'memory of the cell', most: '256 MiB', by: 'a look at its processes every second' },
      { what: 'data of one process', most: '1280 MiB', by: 'RLIMIT_DATA' },
      { what: 'processes and threads', most: '32', by: 'RLIMIT_NPROC' },
      { what: 'open files of one process', most: '128', by: 'RLIMIT_NOFILE' },
      { what: 'one file', most: '16 MiB', by: 'RLIMIT_FSIZE' },
      { what: '/tmp and the home, each', most: '16 MiB', by: 'size of a memory file system' },
    ]);
  });

  it('says how many processors may be kept busy, where a manifest does', () => {
    const limited = viewPlan(input({ limits: appliedLimits({ cpus: 1.5 }, true) }));
    expect(limited.limits).toContainEqual({
      what: 'processors',
      most: '1.5',
      by: 'a look at its processes every second, over a minute',
    });
  });

  it('says what a control group holds', () => {
    const all = new Set(['memory', 'pids', 'cpu'] as const);
    const grouped = viewPlan(input({ limits: appliedLimits({ cpus: 1.5, processes: 9 }, false, all) }));
    expect(grouped.limits.slice(0, 3)).toEqual([
      { what: 'memory of the cell', most: '4096 MiB', by: 'control group, memory' },
      { what: 'processes and threads', most: '9', by: 'control group, pids' },
      { what: 'processors', most: '1.5', by: 'control group, cpu' },
    ]);
  });

  it('leaves out a number of processes that is not limited', () => {
    const uncounted = viewPlan(input({ limits: appliedLimits({}, false) }));
    expect(uncounted.limits.map(({ what }) => what)).not.toContain('processes and threads');
  });

  it.each([
    ['x64', x64Numbers],
    ['arm64', arm64Numbers],
  ] as const)('counts the system calls of %s that exist there', (architecture, numbers) => {
    const { systemCalls } = viewPlan({ ...input(), architecture });
    expect(systemCalls.allowed).toBe(allowed.filter((name) => numbers.has(name)).length);
    // What is refused with any argument is not among them.
    expect(systemCalls.byArgument).toEqual(
      Object.entries(conditional).flatMap(([name, { cases }]) => (cases.length === 0 ? [] : [name])),
    );
    expect(systemCalls.byArgument).toContain('socket');
    expect(systemCalls.byArgument).not.toContain('clone3');
    expect(systemCalls.instructions).toBeGreaterThan(100);
  });
});
