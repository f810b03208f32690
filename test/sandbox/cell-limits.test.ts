import { describe, expect, it } from 'vitest';
import { appliedLimits, limitOptions } from '../../src/sandbox/cell-limits.ts';

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
    expect(limitOptions(appliedLimits(wanted, true))).toEqual([
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
    expect(limitOptions(appliedLimits(wanted, true, new Set(controllers)))).toEqual(options);
  });
});
