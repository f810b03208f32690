import { describe, expect, it } from 'vitest';
import { appliedLimits, limitOptions } from '../../src/sandbox/cell-limits.ts';
import { parseHardLimits } from '../../src/sandbox/hard-limits.ts';

const MIB = 1_048_576;
const wanted = { memoryMiB: 512, processes: 32, cpus: 0.5, openFiles: 64, diskMiB: 8 };

describe('appliedLimits', () => {
  it('has a default for everything but processors', () => {
    expect(appliedLimits({}, true)).toEqual({
      memoryBytes: 4_096 * MIB,
      dataBytes: 5_120 * MIB,
      processes: 256,
      cpus: null,
      openFiles: 1_024,
      diskBytes: 256 * MIB,
      inGroup: [],
    });
  });

  it('leaves a process room to reserve what it does not use', () => {
    expect(appliedLimits(wanted, true)).toMatchObject({ memoryBytes: 512 * MIB, dataBytes: 1_536 * MIB });
  });

  it('has no limit on processes where neither the kernel nor a group can count them', () => {
    expect(appliedLimits(wanted, false).processes).toBeNull();
    expect(appliedLimits(wanted, false, new Set(['pids'])).processes).toBe(32);
  });
});

describe('limitOptions', () => {
  /** What the kernel counts for a user on the whole machine too. */
  const shared = ['--sigpending=1024', '--memlock=1048576'];

  it('are those of each process', () => {
    expect(limitOptions(appliedLimits(wanted, true), new Map())).toEqual([
      '--core=1',
      `--data=${1_536 * MIB}`,
      `--fsize=${8 * MIB}`,
      '--nofile=64',
      ...shared,
      '--nproc=32',
    ]);
  });

  it.each([
    [['memory'], ['--core=1', `--fsize=${8 * MIB}`, '--nofile=64', ...shared, '--nproc=32']],
    [['pids'], ['--core=1', `--data=${1_536 * MIB}`, `--fsize=${8 * MIB}`, '--nofile=64', ...shared]],
    [
      ['cpu', 'memory', 'pids'],
      ['--core=1', `--fsize=${8 * MIB}`, '--nofile=64', ...shared],
    ],
  ] as const)('leave to a group with %o what it counts better', (controllers, options) => {
    expect(limitOptions(appliedLimits(wanted, true, new Set(controllers)), new Map())).toEqual(options);
  });

  it('ask for no more than the machine lets a process have', () => {
    const hard = parseHardLimits(
      [
        'Limit                     Soft Limit           Hard Limit           Units     ',
        'Max cpu time              unlimited            unlimited            seconds   ',
        'Max file size             unlimited            unlimited            bytes     ',
        'Max core file size        0                    0                    bytes     ',
        'Max open files            1024                 4096                 files     ',
        'Max locked memory         65536                65536                bytes     ',
        'Max pending signals       500                  500                  signals   ',
        'Max nice priority         0                    0                    ',
      ].join('\n'),
    );
    expect([...hard]).toEqual([
      ['core', 0],
      ['nofile', 4096],
      ['memlock', 65536],
      ['sigpending', 500],
    ]);
    expect(limitOptions(appliedLimits(wanted, true, new Set(['memory', 'pids'])), hard)).toEqual([
      '--core=0',
      `--fsize=${8 * MIB}`,
      '--nofile=64',
      '--sigpending=500',
      '--memlock=65536',
    ]);
  });
});
