import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowed, conditional, type Verdict } from '../../src/sandbox/seccomp/allowlist.ts';
import { compileFilter, encodeFilter, table } from '../../src/sandbox/seccomp/filter.ts';
import { arm64Numbers, x64Numbers } from '../../src/sandbox/seccomp/syscall-numbers.ts';
import { disassemble, runFilter } from './bpf.ts';
import { judge } from './judge.ts';

const architectures = [
  { name: 'x64', audit: 0xc000003e, numbers: x64Numbers },
  { name: 'arm64', audit: 0xc00000b7, numbers: arm64Numbers },
] as const;

/** Written out again, so that a slip in the source shows. */
const returns: Readonly<Record<Verdict, number>> = {
  allow: 0x7fff0000,
  EPERM: 0x00050001,
  ENOSYS: 0x00050026,
  EPROTONOSUPPORT: 0x0005005d,
  EAFNOSUPPORT: 0x00050061,
};
const KILL = 0x80000000;

describe('the allowlist', () => {
  it('names only system calls that exist, each once', () => {
    expect(new Set(allowed).size).toBe(allowed.length);
    for (const name of [...allowed, ...Object.keys(conditional)]) {
      expect(x64Numbers.has(name) || arm64Numbers.has(name), name).toBe(true);
    }
    for (const name of Object.keys(conditional)) expect(allowed, name).not.toContain(name);
  });

  const refused = `
    unshare setns mount umount2 pivot_root chroot fsopen fsmount open_tree move_mount mount_setattr
    ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp keyctl add_key
    request_key bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd
    open_by_handle_at kexec_load kexec_file_load init_module finit_module delete_module swapon
    swapoff reboot acct quotactl quotactl_fd syslog sethostname setdomainname settimeofday
    clock_settime adjtimex clock_adjtime vhangup fanotify_init fanotify_mark lookup_dcookie
    nfsservctl mbind move_pages migrate_pages lsm_get_self_attr lsm_set_self_attr lsm_list_modules
    statmount listmount
  `;
  it.each(refused.trim().split(/\s+/))('does not name %s', (name) => {
    expect(arm64Numbers.has(name)).toBe(true);
    expect(allowed).not.toContain(name);
    expect(conditional).not.toHaveProperty(name);
  });
});

describe('the numbers', () => {
  const header = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
  it.skipIf(!existsSync(header))(
    "are those of this machine's kernel headers (waits for linux-libc-dev)",
    () => {
      const found = readFileSync(header, 'latin1').matchAll(/^#define __NR_(\w+) (\d+)$/gm);
      for (const [, name = '', number] of found) {
        // A header newer than our table may know more; it must not know otherwise.
        if (x64Numbers.has(name)) expect([name, x64Numbers.get(name)]).toEqual([name, Number(number)]);
      }
    },
  );

  it.each([
    ['x64', 'clone3', 435],
    ['x64', 'socket', 41],
    ['x64', 'execve', 59],
    ['x64', 'file_setattr', 469],
    ['arm64', 'clone3', 435],
    ['arm64', 'socket', 198],
    ['arm64', 'execve', 221],
    ['arm64', 'file_setattr', 469],
  ] as const)('%s %s is %d', (architecture, name, number) => {
    expect((architecture === 'x64' ? x64Numbers : arm64Numbers).get(name)).toBe(number);
  });
});

describe.each(architectures)('the filter for $name', ({ name, audit, numbers }) => {
  const program = compileFilter(name);
  const entries = table(name);
  const names = new Map([...numbers].map(([call, number]) => [number, call]));

  it('kills whatever comes in through another architecture, before it looks at the number', () => {
    const others = [0x40000003, 0xc00000b7, 0xc000003e, 0x40000028, 0, 0xffffffff].filter(
      (other) => other !== audit,
    );
    for (const architecture of others) {
      for (let number = 0; number < 500; number += 1)
        expect(runFilter(program, { number, architecture })).toBe(KILL);
    }
  });

  it('gives every number its verdict, whatever the arguments', () => {
    for (let number = 0; number < 2000; number += 1) {
      const call = names.get(number);
      const entry = entries[number] ?? 'ENOSYS';
      const expected =
        call === undefined ? 'ENOSYS' : allowed.includes(call) ? 'allow' : (conditional[call] ?? 'EPERM');
      expect(entry, call).toEqual(expected);
      if (typeof entry !== 'string') continue;
      for (const filler of [0n, 0xffff_ffff_ffff_ffffn]) {
        const result = runFilter(program, {
          number,
          architecture: audit,
          arguments: Array.from({ length: 6 }, () => filler),
        });
        expect(result, `${number} ${call}`).toBe(returns[entry]);
      }
    }
  });

  it('answers ENOSYS to the x32 numbers and to all above', () => {
    for (const base of [0x40000000, 0x7fffffff - 600, 0x80000000, 0xffffffff - 600]) {
      for (let number = base; number < base + 600; number += 1) {
        expect(runFilter(program, { number, architecture: audit })).toBe(returns.ENOSYS);
      }
    }
  });

  it('judges arguments as the table says', () => {
    const interesting = [
      0, 1, 2, 3, 5, 6, 10, 16, 17, 38, 40, 58, 132, 262, 0x5412, 0x541c, 0x20000, 0x40000, 0xffffffff,
      0x10000000, 0x20000, 0x02000000, 0x04000000, 0x08000000, 0x40000000, 0x3d0f00, 0x80801, 0x80802,
      0x80803,
    ];
    const value = fc
      .tuple(
        fc.oneof(fc.constantFrom(...interesting), fc.nat(0xffffffff)),
        fc.constantFrom(0n, 1n, 0xffffffffn),
      )
      .map(([low, high]) => BigInt(low) | (high << 32n));
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.entries(conditional)),
        fc.array(value, { minLength: 6, maxLength: 6 }),
        ([call, rule], values) => {
          const number = numbers.get(call);
          if (number === undefined) return;
          const result = runFilter(program, { number, architecture: audit, arguments: values });
          expect(result).toBe(returns[judge(rule, values)]);
        },
      ),
      { numRuns: 4000, seed: 5 },
    );
  });

  it.each([
    ['socket', [1n, 1n, 0n], 'allow'],
    ['socket', [2n, 1n, 6n], 'allow'],
    ['socket', [10n, 0x80801n, 0n], 'allow'],
    ['socket', [2n, 0x80802n, 17n], 'allow'],
    ['socket', [2n, 2n, 1n], 'EPROTONOSUPPORT'],
    ['socket', [2n, 3n, 6n], 'EPROTONOSUPPORT'],
    ['socket', [2n, 1n, 132n], 'EPROTONOSUPPORT'],
    ['socket', [16n, 3n, 0n], 'allow'],
    ['socket', [16n, 3n, 12n], 'EPROTONOSUPPORT'],
    ['socket', [17n, 3n, 0n], 'EAFNOSUPPORT'],
    ['socket', [38n, 5n, 0n], 'EAFNOSUPPORT'],
    ['socket', [40n, 1n, 0n], 'EAFNOSUPPORT'],
    ['socketpair', [1n, 1n, 0n], 'allow'],
    ['socketpair', [30n, 1n, 0n], 'EAFNOSUPPORT'],
    // What pthread_create asks for, and fork.
    ['clone', [0x3d0f00n], 'allow'],
    ['clone', [0x1200011n], 'allow'],
    ['clone', [0x10000011n], 'EPERM'],
    ['clone', [0x40000011n], 'EPERM'],
    ['clone3', [0n], 'ENOSYS'],
    ['memfd_create', [0n, 0n], 'ENOSYS'],
    ['memfd_secret', [0n], 'ENOSYS'],
    ['shmget', [0n, 4096n, 0o1600n], 'ENOSYS'],
    ['semget', [0n, 1n, 0o1600n], 'ENOSYS'],
    ['msgget', [0n, 0o1600n], 'ENOSYS'],
    ['io_setup', [65_536n], 'ENOSYS'],
    ['mq_open', [0n, 0x42n, 0o600n, 0n], 'ENOSYS'],
    ['ioctl', [0n, 0x5412n], 'EPERM'],
    ['ioctl', [0n, 0xffffffff00005412n], 'EPERM'],
    ['ioctl', [0n, 0x541cn], 'EPERM'],
    ['ioctl', [0n, 0x5401n], 'allow'],
    ['personality', [0xffffffffn], 'allow'],
    ['personality', [0x40000n], 'EPERM'],
  ] as const)('%s %o: %s', (call, values, verdict) => {
    const number = numbers.get(call) ?? -1;
    expect(runFilter(program, { number, architecture: audit, arguments: values })).toBe(returns[verdict]);
  });

  it('is a program that the kernel takes: short enough, jumps forward within it, ends in a return on every way', () => {
    expect(program.length).toBeLessThanOrEqual(4096);
    for (const [at, { jt, jf, k, code }] of program.entries()) {
      expect(at + 1 + Math.max(jt, jf, code === 0x05 ? k : 0)).toBeLessThan(
        program.length + (code === 0x06 ? 1 : 0),
      );
    }
  });

  it('encodes to eight bytes an instruction', () => {
    const bytes = encodeFilter(program);
    expect(bytes.length).toBe(program.length * 8);
    // ld [4]; jeq #arch, 1, 0; ret kill
    const architecture = Buffer.alloc(4);
    architecture.writeUInt32LE(audit);
    expect(bytes.subarray(0, 24).toString('hex')).toBe(
      `200000000400000015000100${architecture.toString('hex')}0600000000000080`,
    );
  });

  it('reads as it did when it was last reviewed', async () => {
    await expect(disassemble(program)).toMatchFileSnapshot(`golden/filter-${name}.txt`);
  });
});
