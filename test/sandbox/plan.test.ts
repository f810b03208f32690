import { describe, expect, it } from 'vitest';
import type { CellId } from '../../src/kernel/index.ts';
import type { CellSpec } from '../../src/sandbox/cell-spec.ts';
import type { HostFacts } from '../../src/sandbox/host.ts';
import { type CellPlan, descriptors, planCell, type PlanInput } from '../../src/sandbox/plan.ts';

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
  uid: null,
  setup: 'set-up program',
  packageDir: '/home/u/.sallyport/packages/sha256-00',
  files: [{ host: '/home/u/notes', cell: '/home/cell/notes', write: true, identity: '2049:131' }],
  unreachable: [],
};

/** A plan without its bulk, one fact a line. */
function show(plan: CellPlan): string {
  const { launcher, command, environment, mounts, limits, options, inputs, files } = plan;
  return JSON.stringify(
    {
      launcher,
      command,
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
    ['root', { ...input, facts: { ...facts, root: true }, uid: 2_046_820_352 }],
    [
      'root-store-out-of-reach',
      {
        ...input,
        facts: { ...facts, root: true },
        uid: 2_046_820_352,
        unreachable: ['/opt/node/bin/node', input.packageDir ?? ''],
      },
    ],
    [
      'old-bubblewrap',
      { ...input, facts: { ...facts, bubblewrap: { sizes: false, limitsUserNamespaces: false } } },
    ],
    ['no-ipv6-package-files', { ...input, facts: { ...facts, ipv6: false }, packageDir: null, files: [] }],
  ] as const)('plans as reviewed: %s', async (name, given) => {
    await expect(show(planCell(given))).toMatchFileSnapshot(`golden/plan-${name}.txt`);
  });

  it('keeps what the program gets out of every command line of the host but the program itself', () => {
    const { launcher, inputs } = planCell(input);
    expect(launcher.join(' ')).not.toContain('ghp_placeholder');
    const options = inputs.find(({ descriptor }) => descriptor === descriptors.options)?.content.toString();
    expect(options).toContain('--setenv\0GITHUB_TOKEN\0ghp_placeholder\0');
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
    const { launcher, inputs } = planCell({
      ...input,
      facts: { ...facts, inherited: [5, last, last + 1, 251] },
    });
    const sources = launcher.flatMap((part, index) => (part === '--args' ? [launcher[index + 1]] : []));
    expect(sources).toEqual(['4', `${last + 1}`, '251']);
    expect(inputs.filter(({ descriptor }) => descriptor > last).map(({ content }) => content.length)).toEqual(
      [0, 0],
    );
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
    const { command } = planCell({ ...input, facts: { ...facts, processesCountedPerCell: false } });
    expect(command.some((option) => option.startsWith('--nproc'))).toBe(false);
  });
});
