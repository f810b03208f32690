/**
 * ATTACKS 6: out of the cell, through the kernel. From Python and from Node: there by what Node itself can do, by the
 * programs of the system, and by system calls from a native part of a package.
 */
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileAddon,
  hasCompiler,
  hasPython,
  makeStage,
  modes,
  needsCompiler,
  needsPython,
  type Outcomes,
  outcomes,
  python,
  runCell,
  runOutside,
  ways,
} from './cell-harness.ts';

/** What can be tried from any language, and what it must come to in every cell. */
const system: Readonly<Record<string, string>> = {
  'write to /usr': 'EROFS',
  'write to /': 'EROFS',
  'write to /proc/sys': 'EACCES',
  'write to any of /proc/sys': 'EROFS',
  'host file through other processes': 'ENOENT',
  'signal to a process of the host': 'ESRCH',
  'set user id': 'EINVAL',
  'higher priority': 'EACCES',
  'spared when memory is short': 'EACCES',
};

/** What takes system calls of one's own choice. */
const calls: Readonly<Record<string, string>> = {
  'unshare user': 'EPERM',
  'unshare net': 'EPERM',
  'unshare mounts': 'EPERM',
  'unshare processes': 'EPERM',
  'unshare ipc': 'EPERM',
  'unshare names': 'EPERM',
  'unshare cgroups': 'EPERM',
  'unshare time': 'EPERM',
  'clone user': 'EPERM',
  'clone3 user': 'ENOSYS',
  setns: 'EPERM',
  'setns by process': 'EPERM',
  'mount tmpfs': 'EPERM',
  'mount bind': 'EPERM',
  'remount writable': 'EPERM',
  umount: 'EPERM',
  pivot_root: 'EPERM',
  fsopen: 'EPERM',
  'open_tree clone': 'EPERM',
  move_mount: 'EPERM',
  chroot: 'EPERM',
  ptrace: 'EPERM',
  process_vm_readv: 'EPERM',
  pidfd_getfd: 'EPERM',
  kcmp: 'EPERM',
  keyctl: 'EPERM',
  add_key: 'EPERM',
  bpf: 'EPERM',
  perf_event_open: 'EPERM',
  io_uring: 'EPERM',
  userfaultfd: 'EPERM',
  kexec: 'EPERM',
  init_module: 'EPERM',
  swapon: 'EPERM',
  acct: 'EPERM',
  reboot: 'EPERM',
  quotactl: 'EPERM',
  syslog: 'EPERM',
  fanotify: 'EPERM',
  'any capability': 'EPERM',
  'personality without randomisation': 'EPERM',
  'terminal input': 'EPERM',
};

const fromPython: Readonly<Record<string, string>> = {
  ...system,
  ...calls,
  'root of an own namespace': 'EPERM',
  open_by_handle_at: 'EPERM',
  'device node': 'EPERM',
  'real-time priority': 'EPERM',
  'higher limits': 'EPERM',
  ...(process.arch === 'x64'
    ? { 'int 0x80 getpid': 'SIGSYS', 'int 0x80 unshare user': 'SIGSYS', 'x32 getpid': 'ENOSYS' }
    : {}),
};

const programs: Readonly<Record<string, string>> = {
  'unshare(1), user': 'refused',
  'unshare(1), everything': 'refused',
  'nsenter(1)': 'refused',
  'mount(8)': 'refused',
  'mount(8), bind': 'refused',
  'mount(8), writable again': 'refused',
  'chroot(8)': 'refused',
  'setpriv(1)': 'refused',
  'hostname(1)': 'refused',
};

const fromNode: Readonly<Record<string, string>> = {
  ...system,
  ...programs,
  ...(hasCompiler ? calls : {}),
  ...(hasCompiler && process.arch === 'x64' ? { 'x32 unshare user': 'ENOSYS' } : {}),
};

const stage = makeStage();
const hostFile = join(stage.folder, 'of-the-host');
const env = { HOST_FILE: hostFile, HOST_PID: `${process.pid}` };
afterAll(() => stage.remove());
beforeAll(() => {
  writeFileSync(hostFile, '', { mode: 0o644 });
  if (hasCompiler) compileAddon(stage);
});

interface Language {
  readonly name: string;
  readonly available: boolean;
  readonly ordinary: string;
  readonly refusals: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly control: () => Promise<Outcomes>;
}

const node = (program: string, probes: string): readonly string[] => [
  '/usr/bin/setsid',
  '--wait',
  program,
  `${probes}/escape.mjs`,
  hasCompiler ? `${probes}/syscall.node` : '',
];

/** Root of namespaces of its own: what it mounts is nobody else's. */
const ownNamespaces = [
  '/usr/bin/unshare',
  '--user',
  '--map-root-user',
  '--mount',
  '--net',
  '--uts',
  '--ipc',
  '--propagation=private',
];

const languages: readonly Language[] = [
  {
    name: `Python${needsPython}`,
    available: hasPython,
    ordinary: 'ordinary: fork, file, thread',
    refusals: fromPython,
    command: [python, '-B', '/probes/escape.py'],
    control: async () => outcomes(await runOutside([python, '-B', `${stage.probes}/escape.py`], { env })),
  },
  {
    name: `Node${needsCompiler}`,
    available: true,
    ordinary: 'ordinary: process, file',
    refusals: fromNode,
    command: node('node', '/probes'),
    async control() {
      const probe = node(process.execPath, stage.probes);
      const harmless = Object.keys(fromNode).filter((name) => !(name in programs));
      return {
        ...outcomes(await runOutside([...probe, ...harmless], { env })),
        ...outcomes(await runOutside([...ownNamespaces, ...probe, ...Object.keys(programs)], { env })),
      };
    },
  },
];

describe.each(languages)('escaping from a cell, in $name', (language) => {
  const { refusals } = language;
  let control: Outcomes = {};
  beforeAll(async () => {
    if (language.available) control = await language.control();
  });

  describe.skipIf(!language.available).each(ways)('gateway as $way', ({ mode, prepared }) => {
    let inside: Outcomes = {};
    beforeAll(async () => {
      const cell = { command: language.command, env };
      inside = outcomes((await runCell(stage, mode, cell, { prepared })).stdout);
    });

    it('lets ordinary work through, so that a refusal means something', () => {
      expect(inside[language.ordinary]).toBe('ok');
    });

    it('leaves no attempt of the probe out', () => {
      expect(Object.keys(inside).sort()).toEqual([...Object.keys(refusals), language.ordinary].sort());
    });

    it.each(Object.entries(refusals))('refuses: %s', (attempt, refusal) => {
      expect(inside[attempt]).toBe(refusal);
    });

    it.for(Object.keys(refusals))('control, works outside: %s', (attempt, { skip }) => {
      skip(
        control[attempt] !== 'ok',
        `this machine refuses it to everybody who runs the tests: ${control[attempt]}`,
      );
      expect(inside[attempt]).not.toBe(control[attempt]);
    });
  });
});

/** Of a process, what it could do more than others. */
const powers = `
  const fs = require('node:fs');
  const held = (pid) => Object.fromEntries([...fs.readFileSync('/proc/' + pid + '/status', 'latin1').matchAll(/^(Cap\\w+|NoNewPrivs|Seccomp|Uid):\\t(.*)$/gm)].map(([, name, value]) => [name, value]));
  console.log(JSON.stringify([held('self'), held(1)]));`;

describe.each(modes)('gaining powers, gateway as %s', (mode) => {
  it('is not possible through the first process, whose memory is open: it has no more than the program', async () => {
    const { stdout } = await runCell(stage, mode, { command: ['node', '-e', powers] });
    const none = '0000000000000000';
    const held = { CapInh: none, CapPrm: none, CapEff: none, CapBnd: none, CapAmb: none, NoNewPrivs: '1' };
    const expected = { ...held, Seccomp: '2', Uid: Array.from({ length: 4 }, () => '65534').join('\t') };
    expect(JSON.parse(stdout)).toEqual([expected, expected]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'is not possible by a program that the host runs as its owner (waits for root)',
    async () => {
      const program = join(stage.probes, 'id-of-root');
      copyFileSync('/usr/bin/id', program);
      chmodSync(program, 0o4755);
      const anybody = ['/usr/bin/setpriv', '--reuid=54321', '--regid=54321', '--clear-groups'];
      expect(await runOutside([...anybody, program, '-u']), 'the control').toBe('0\n');
      const { stdout } = await runCell(stage, mode, { command: ['/probes/id-of-root', '-u'] });
      expect(stdout).toBe('65534\n');
    },
  );
});
