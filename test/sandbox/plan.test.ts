import { describe, expect, it } from 'vitest';
import type { CellId } from '../../src/kernel/index.ts';
import type { CellSpec } from '../../src/sandbox/cell-spec.ts';
import type { HostFacts } from '../../src/sandbox/host.ts';
import { type CellPlan, memoriesAhead, planCell, type PlanInput } from '../../src/sandbox/plan.ts';
import { descriptors, planShell, type ShellInput, type ShellPlan } from '../../src/sandbox/plan-shell.ts';

const tool = (name: string): string => `/usr/bin/${name}`;
const facts: HostFacts = {
  architecture: 'x64',
  tools: {
    bwrap: tool('bwrap'),
    env: tool('env'),
    ip: '/usr/sbin/ip',
    mkdir: tool('mkdir'),
    mkfifo: tool('mkfifo'),
    mount: tool('mount'),
    prlimit: tool('prlimit'),
    script: tool('script'),
    setpriv: tool('setpriv'),
    sh: tool('sh'),
    stat: tool('stat'),
    unshare: tool('unshare'),
  },
  node: '/opt/node/bin/node',
  bubblewrap: { sizes: true, limitsUserNamespaces: true },
  root: false,
  ipv6: true,
  systemFolders: [
    { path: '/bin', link: 'usr/bin' },
    { path: '/lib', link: null },
  ],
  systemFiles: ['/etc/ld.so.cache'],
  maskedFiles: ['/proc/keys'],
  maskedFolders: ['/proc/acpi'],
  processesCountedPerCell: true,
  hardLimits: new Map(),
  inherited: [],
};
const spec: CellSpec = {
  id: 'cell_0000000000000000' as CellId,
  label: 'github',
  command: ['mcp-server-github'],
  args: ['--verbose', 'a b'],
  env: { GITHUB_TOKEN: 'ghp_placeholder', PATH: '/evil' },
  tcpPorts: [443, 8443],
  caPem: '-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n',
  files: [],
  limits: { memoryMiB: 256, processes: 32, openFiles: 128, diskMiB: 16 },
};
const input: PlanInput = {
  spec,
  facts,
  packageDir: '/home/u/.sallyport/packages/sha256-00',
  files: [{ host: '/home/u/notes', cell: '/home/cell/notes', write: true, identity: '2049:131' }],
  staged: [],
};

/** The outer half for the same cell. */
const shellOf = (inner: PlanInput, more: Partial<ShellInput> = {}): ShellPlan =>
  planShell({
    shape: { tcpPorts: inner.spec.tcpPorts, terminal: inner.spec.terminal === true },
    facts: inner.facts,
    uid: inner.facts.root ? 2_046_820_352 : null,
    setup: 'set-up program',
    staged: inner.staged,
    memories: memoriesAhead(inner),
    ...more,
  });

/** Both halves without their bulk, one fact a line. */
function show(shell: ShellPlan, plan: CellPlan): string {
  const { environment, mounts, limits, options, inputs, files } = plan;
  return JSON.stringify(
    {
      launcher: shell.launcher,
      command: plan.command,
      start: plan.start.split('\n'),
      environment,
      mounts,
      limits,
      options,
      inputs: inputs.map(({ descriptor, content }) => [descriptor, content.length]),
      files: files.map(({ path, content }) => [path, content.toString('latin1').slice(0, 60)]),
    },
    null,
    1,
  );
}

describe('planCell', () => {
  it.each([
    ['user', input],
    ['root', { ...input, facts: { ...facts, root: true } }],
    [
      'root-store-out-of-reach',
      {
        ...input,
        facts: { ...facts, root: true },
        staged: ['/opt/node/bin/node', '/home/u/.sallyport/packages'],
      },
    ],
    [
      'old-bubblewrap',
      { ...input, facts: { ...facts, bubblewrap: { sizes: false, limitsUserNamespaces: false } } },
    ],
    ['no-ipv6-package-files', { ...input, facts: { ...facts, ipv6: false }, packageDir: null, files: [] }],
    [
      'terminal-in-a-folder',
      {
        ...input,
        spec: {
          ...spec,
          terminal: true,
          workDir: '/home/u/project',
          binds: [{ host: '/home/u/.nvm', cell: '/home/u/.nvm', write: false }],
        },
        packageDir: null,
        files: [],
      },
    ],
  ] as const)('plans as reviewed: %s', async (name, given) => {
    await expect(show(shellOf(given), planCell(given))).toMatchFileSnapshot(`golden/plan-${name}.txt`);
  });

  it('keeps what a server is and gets out of every command line of the host', () => {
    const { launcher } = shellOf(input);
    for (const own of ['ghp_placeholder', 'mcp-server-github', 'notes', 'sha256-00'])
      expect(launcher.join(' ')).not.toContain(own);
    const { inputs } = planCell(input);
    const options = inputs.find(({ descriptor }) => descriptor === descriptors.options)?.content.toString();
    expect(options).toContain('--setenv\0GITHUB_TOKEN\0ghp_placeholder\0');
  });

  it('delivers on exactly the descriptors that the launcher has, and the script last', () => {
    const given = { ...input, facts: { ...facts, inherited: [5, 40, 251] } };
    const delivered = planCell(given).inputs.map(({ descriptor }) => descriptor);
    expect(delivered.toSorted((a, b) => a - b)).toEqual(shellOf(given).inputs.toSorted((a, b) => a - b));
    const { inputs, files, start } = planCell(given);
    expect(files.at(-1)?.path).toBe('/sallyport/start');
    expect(inputs.at(-1)?.content.toString()).toBe(start);
    expect(inputs[0]?.descriptor).toBe(descriptors.options);
  });

  it('does not let a manifest change the places of the cell and what it trusts', () => {
    const env = {
      PATH: '/evil',
      HOME: '/evil',
      NODE_EXTRA_CA_CERTS: '/evil',
      SSL_CERT_FILE: '/evil',
      JAVA_TOOL_OPTIONS: '/evil',
      LANG: 'de_DE.UTF-8',
    };
    const { environment } = planCell({ ...input, spec: { ...spec, env } });
    expect(Object.values(environment)).not.toContain('/evil');
    expect(environment['LANG']).toBe('de_DE.UTF-8');
  });

  it('covers inherited descriptors that would reach the program, and only those', () => {
    const last = descriptors.firstFile + planCell(input).files.length - 1;
    const given = { ...input, facts: { ...facts, inherited: [5, last, last + 1, 251] } };
    const { launcher } = shellOf(given);
    const sources = launcher.flatMap((part, index) => (part === '--args' ? [launcher[index + 1]] : []));
    expect(sources).toEqual(['4', `${last + 1}`, '251']);
    const empty = planCell(given).inputs.filter(({ content }) => content.length === 0);
    expect(empty.map(({ descriptor }) => descriptor)).toEqual([last + 1, 251]);
  });

  it('seals the root and the device folder last, after everything was put in', () => {
    const { options } = planCell(input);
    const seals = options.flatMap((option, index) => (option === '--remount-ro' ? [index] : []));
    const mounts = options.flatMap((option, index) =>
      /^--(ro-)?(bind|tmpfs|file|symlink)$/.test(option) ? [index] : [],
    );
    expect(seals.map((index) => options[index + 1])).toEqual(['/proc/acpi', '/dev', '/']);
    expect(Math.min(...seals)).toBeGreaterThan(Math.max(...mounts));
  });

  it('leaves the number of processes alone where the kernel counts those of the whole user', () => {
    const { start } = planCell({ ...input, facts: { ...facts, processesCountedPerCell: false } });
    expect(start).toContain('--nofile');
    expect(start).not.toContain('--nproc');
  });
});
