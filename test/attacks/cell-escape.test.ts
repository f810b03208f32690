/** ATTACKS 6: out of the cell, through the kernel. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  hasPython,
  makeStage,
  modes,
  needsPython,
  type Outcomes,
  outcomes,
  python,
  runCell,
  runOutside,
} from './cell-harness.ts';

/** What each attempt must come to, in every cell. */
const refusals: Readonly<Record<string, string>> = {
  'unshare user': 'EPERM',
  'unshare net': 'EPERM',
  'clone user': 'EPERM',
  'clone3 user': 'ENOSYS',
  setns: 'EPERM',
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
  open_by_handle_at: 'EPERM',
  kexec: 'EPERM',
  init_module: 'EPERM',
  swapon: 'EPERM',
  acct: 'EPERM',
  reboot: 'EPERM',
  quotactl: 'EPERM',
  syslog: 'EPERM',
  'personality without randomisation': 'EPERM',
  'terminal input': 'EPERM',
  'device node': 'EPERM',
  'write to /usr': 'EROFS',
  'write to /': 'EROFS',
  'write to /proc/sys': 'EACCES',
  'set user id': 'EINVAL',
  ...(process.arch === 'x64'
    ? { 'int 0x80 getpid': 'SIGSYS', 'int 0x80 unshare user': 'SIGSYS', 'x32 getpid': 'ENOSYS' }
    : {}),
};

const stage = makeStage();
let control: Outcomes = {};
afterAll(() => stage.remove());

describe.skipIf(!hasPython)(`escaping from a cell${needsPython}`, () => {
  beforeAll(async () => {
    control = outcomes(await runOutside([python, '-B', `${stage.probes}/escape.py`]));
  });

  describe.each(modes)('gateway as %s', (mode) => {
    let inside: Outcomes = {};
    beforeAll(async () => {
      inside = outcomes(
        (await runCell(stage, mode, { command: [python, '-B', '/probes/escape.py'] })).stdout,
      );
    });

    it('lets ordinary work through, so that a refusal means something', () => {
      expect(inside['ordinary: fork, file, thread']).toBe('ok');
    });

    it('leaves no attempt of the probe out', () => {
      expect(Object.keys(inside).sort()).toEqual(
        [...Object.keys(refusals), 'ordinary: fork, file, thread'].sort(),
      );
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
