/** Every verdict of the doctor about cells, on machines that are not at hand. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type HostCheck, judge } from '../../src/sandbox/host-check.ts';
import { gatherEvidence, type HostEvidence, readEvidence } from '../../src/sandbox/host-evidence.ts';

const tools = Object.fromEntries(
  'bwrap env ip mkdir mkfifo mount prlimit script setpriv sh stat unshare'
    .split(' ')
    .map((name) => [name, `/usr/bin/${name}`]),
);
const settings = (lines: Readonly<Record<string, string>>) => ({
  setting: (name: string): string | null =>
    ({
      'kernel/seccomp/actions_avail': 'kill_process errno allow',
      'user/max_user_namespaces': '96365',
      ...lines,
    })[name] ?? null,
});
const fine: HostEvidence = {
  tools: { found: tools, missing: [] },
  bubblewrap: '0.8.0',
  root: false,
  kernel: '6.1.0-18-amd64',
  node: '/opt/node/bin/node',
  nodeOpen: true,
  ...settings({}),
  container: null,
  filtered: false,
  inspects: false,
  appArmor: null,
  procCovered: false,
  namespaces: { ok: true, said: '' },
  processes: { ok: true, said: '' },
  ipv6: true,
};
const refused = { ok: false, said: 'unshare: unshare failed: Operation not permitted' };
const noNamespaces: Partial<HostEvidence> = { namespaces: refused, processes: null };

const check = (name: string, over: Partial<HostEvidence>): HostCheck | undefined =>
  judge({ ...fine, ...over }).find((one) => one.name === name);
const namespaceFix = (over: Partial<HostEvidence>): string => {
  const found = check('user namespaces', over);
  expect(found?.ok).toBe(false);
  return found?.fix ?? '';
};

describe('a Node that only its owner may run', () => {
  it('is no use where cells have users of their own', () => {
    expect(check('Node for cells', { nodeOpen: false, root: true })).toEqual({
      name: 'Node for cells',
      ok: false,
      found: '/opt/node/bin/node may be run by its owner only, and cells have users of their own',
      fix: 'sudo chmod go+rx /opt/node/bin/node',
    });
    expect(check('Node for cells', { nodeOpen: false, root: false })).toBeUndefined();
    expect(check('Node for cells', { root: true })).toBeUndefined();
  });
});

describe('a machine that has everything', () => {
  it('is told what it has, and nothing to do', () => {
    const report = judge(fine);
    expect(report.map(({ name }) => name)).toEqual([
      'programs',
      'bubblewrap',
      'user namespaces',
      'seccomp',
      'ipv6',
      'limits',
    ]);
    expect(report.filter(({ ok, fix }) => !ok || fix !== undefined)).toEqual([]);
  });
});

describe('programs', () => {
  it('that are missing are named with their packages, each once', () => {
    const missing = ['bwrap', 'mkfifo', 'stat', 'setpriv'] as const;
    const over: Partial<HostEvidence> = { tools: { found: {}, missing }, bubblewrap: null, ...noNamespaces };
    expect(check('programs', over)).toEqual({
      name: 'programs',
      ok: false,
      found: 'missing: bwrap, mkfifo, stat, setpriv',
      fix: "sudo apt-get install -y bubblewrap coreutils util-linux   (or your system's packages of the same names)",
    });
    // What could not be tried is not judged.
    expect(judge({ ...fine, ...over }).map(({ name }) => name)).not.toContain('user namespaces');
  });
});

describe('a machine without script', () => {
  it('is told what it is for, and is fine for everything else', () => {
    const { script: _script, ...found } = tools;
    expect(check('programs', { tools: { found, missing: [] } })).toMatchObject({
      ok: true,
      fix: expect.stringContaining('bsdutils') as string,
    });
  });
});

describe('bubblewrap', () => {
  it.each([
    ['0.5.0', false],
    [null, false],
    ['0.6.1', true],
    ['0.8.0', true],
    ['0.11.0', true],
    ['1.0', true],
  ])('%s: %s', (bubblewrap, ok) => {
    expect(check('bubblewrap', { bubblewrap })).toMatchObject({
      ok,
      found: expect.stringContaining(bubblewrap ?? 'unknown') as string,
    });
  });

  it('says what an older one does less', () => {
    expect(check('bubblewrap', { bubblewrap: '0.6.1' })?.found).toContain('0.8 or later refuses them twice');
  });
});

describe('user namespaces', () => {
  it('that are refused are reported in the words of the refusal', () => {
    expect(check('user namespaces', noNamespaces)?.found).toBe(refused.said);
    expect(check('user namespaces', { namespaces: { ok: false, said: '' }, processes: null })?.found).toBe(
      'refused',
    );
    expect(check('user namespaces', { processes: refused })).toMatchObject({
      ok: false,
      found: refused.said,
    });
  });

  it.each([
    ['kernel/unprivileged_userns_clone', 'kernel.unprivileged_userns_clone=1'],
    ['user/max_user_namespaces', 'user.max_user_namespaces=65536'],
    ['user/max_net_namespaces', 'user.max_net_namespaces=65536'],
    ['user/max_mnt_namespaces', 'user.max_mnt_namespaces=65536'],
    ['user/max_pid_namespaces', 'user.max_pid_namespaces=65536'],
  ])('that %s forbids come back with %s', (name, line) => {
    expect(namespaceFix({ ...noNamespaces, ...settings({ [name]: '0' }) })).toBe(
      `echo ${line} | sudo tee /etc/sysctl.d/60-sallyport.conf && sudo sysctl --system`,
    );
  });

  it('that AppArmor refuses come back with a profile for the Node that runs Sallyport', () => {
    const fix = namespaceFix({
      ...noNamespaces,
      ...settings({ 'kernel/apparmor_restrict_unprivileged_userns': '1' }),
    });
    const [, node, file] =
      /sed 's#@NODE@#(.+?)#' (\S+) \| sudo tee \/etc\/apparmor\.d\/sallyport && sudo apparmor_parser -r /.exec(
        fix,
      ) ?? [];
    expect(node).toBe('/opt/node/bin/node');
    expect(existsSync(file ?? '')).toBe(true);
  });

  it.each(['docker', 'podman'] as const)(
    'that the filter of %s refuses come back with a profile of ours',
    (container) => {
      const fix = namespaceFix({ ...noNamespaces, container, filtered: true });
      expect(fix).toContain(`${container} run --security-opt seccomp=docker-seccomp.json …`);
      expect(existsSync(/cp CONTAINER:(\S+) \./.exec(fix)?.[1] ?? '')).toBe(true);
    },
  );

  it.each([
    [
      'docker',
      '--security-opt seccomp=docker-seccomp.json --security-opt apparmor=unconfined --security-opt systempaths=unconfined …',
    ],
    [
      'podman',
      '--security-opt seccomp=docker-seccomp.json --security-opt apparmor=unconfined --security-opt unmask=ALL …',
    ],
  ] as const)('of %s: all of its obstacles at once', (container, options) => {
    const over = {
      ...noNamespaces,
      container,
      filtered: true,
      appArmor: 'docker-default',
      procCovered: true,
    };
    expect(namespaceFix(over)).toContain(options);
  });

  it('that lack only a fresh /proc come back without a change of the filter', () => {
    const fix = namespaceFix({ processes: refused, container: 'docker', filtered: true, procCovered: true });
    expect(fix).toBe('Start this container with: docker run --security-opt systempaths=unconfined …');
  });

  it('in a pod come back with the fields of its securityContext', () => {
    const fix = namespaceFix({ ...noNamespaces, container: 'kubernetes', filtered: true });
    for (const field of ['seccompProfile', 'appArmorProfile', 'procMount', 'hostUsers: false'])
      expect(fix).toContain(field);
  });

  it.each([
    ['filtered', { ...noNamespaces, filtered: true }],
    ['with a covered /proc', { processes: refused, procCovered: true }],
  ] as const)('outside of containers, %s, are blamed on the unit', (_, over) => {
    expect(namespaceFix(over)).toContain('RestrictNamespaces=');
  });

  it('of a root that may be nobody else are asked for as somebody else', () => {
    const namespaces = { ok: false, said: 'setpriv: setresuid failed: Operation not permitted' };
    expect(namespaceFix({ namespaces, processes: null, root: true, filtered: true })).toContain('CAP_SETUID');
    expect(namespaceFix({ namespaces, processes: null, root: false, filtered: true })).not.toContain(
      'CAP_SETUID',
    );
  });

  it('of a kernel that has none need another kernel', () => {
    expect(namespaceFix({ ...noNamespaces, setting: () => null })).toContain('CONFIG_USER_NS');
  });

  it('that nothing explains are left to whoever runs the machine', () => {
    expect(namespaceFix(noNamespaces)).toBe(
      'Ask whoever runs this machine to allow unprivileged user namespaces.',
    );
  });
});

describe('the rest', () => {
  it('needs a kernel whose filters can kill', () => {
    expect(check('seccomp', settings({ 'kernel/seccomp/actions_avail': 'errno allow' }))).toMatchObject({
      ok: false,
      found: 'errno allow',
    });
    expect(check('seccomp', { setting: () => null })).toMatchObject({ ok: false, found: 'none' });
    expect(check('seccomp', { filtered: true })).toMatchObject({
      ok: true,
      found: expect.stringContaining("somebody's filter") as string,
    });
  });

  it('says what cells have without IPv6', () => {
    expect(check('ipv6', { ipv6: false })).toMatchObject({
      ok: true,
      found: expect.stringContaining('IPv4 only') as string,
    });
  });

  it.each([
    ['5.13.0', false, false],
    ['5.13.0', true, true],
    ['5.14.1-generic', false, true],
  ])('says whether a kernel %s counts the processes of each cell, root %s: %s', (kernel, root, counts) => {
    expect(check('limits', { kernel, root })?.found.includes('for each cell')).toBe(counts);
  });

  it.each([
    [true, false, true],
    [true, true, false],
    [false, false, false],
  ])(
    'says whether a root %s that inspects others %s counts shared memory roughly: %s',
    (root, inspects, rough) => {
      expect(check('limits', { root, inspects })?.found.includes('CAP_SYS_PTRACE')).toBe(rough);
    },
  );
});

describe('readEvidence', () => {
  const read = (files: Readonly<Record<string, string>>) =>
    readEvidence({ text: (path) => files[path] ?? null, exists: (path) => path in files });

  it('takes what is not there for absent', () => {
    expect(read({})).toMatchObject({
      kernel: '',
      container: null,
      filtered: false,
      appArmor: null,
      procCovered: false,
      ipv6: false,
    });
  });

  it('knows containers by their marks, a pod first', () => {
    expect(read({ '/.dockerenv': '' }).container).toBe('docker');
    expect(read({ '/run/.containerenv': '' }).container).toBe('podman');
    expect(read({ '/.dockerenv': '', '/var/run/secrets/kubernetes.io': '' }).container).toBe('kubernetes');
  });

  it.each([
    ['Name:\tnode\nSeccomp:\t2\nSeccomp_filters:\t1\n', true],
    ['Name:\tnode\nSeccomp:\t0\nSeccomp_filters:\t0\n', false],
    ['Name:\tSeccomp:\t2\n', false],
  ])('reads in %j whether it is filtered: %s', (status, filtered) => {
    expect(read({ '/proc/self/status': status }).filtered).toBe(filtered);
  });

  it.each([
    ['CapEff:\t000001ffffffffff\n', true],
    // What Docker leaves to root.
    ['CapEff:\t00000000a80425fb\n', false],
    ['', false],
  ])('reads in %j whether it may look into other processes: %s', (status, inspects) => {
    expect(read({ '/proc/self/status': status }).inspects).toBe(inspects);
  });

  it.each([
    ['docker-default (enforce)\n', 'docker-default'],
    ['cri-containerd.apparmor.d (complain)', 'cri-containerd.apparmor.d'],
    ['unconfined\n', null],
    ['system_u:system_r:container_t:s0\0', null],
  ])('reads the profile in %j: %s', (label, profile) => {
    expect(read({ '/proc/self/attr/current': label }).appArmor).toBe(profile);
  });

  it('sees what lies over parts of /proc', () => {
    const line = (path: string): string => `1 2 0:5 / ${path} rw - proc proc rw\n`;
    expect(read({ '/proc/self/mountinfo': line('/proc') + line('/procession') }).procCovered).toBe(false);
    expect(read({ '/proc/self/mountinfo': line('/proc') + line('/proc/acpi') }).procCovered).toBe(true);
  });
});

describe('gatherEvidence', () => {
  it('finds on this machine what its cells are then made with', async () => {
    const evidence = await gatherEvidence();
    expect(evidence.tools.missing).toEqual([]);
    expect(evidence.kernel).toMatch(/^\d+\.\d+/);
    expect(evidence.namespaces).toEqual({ ok: true, said: '' });
    expect(evidence.processes).toEqual({ ok: true, said: '' });
  });
});
