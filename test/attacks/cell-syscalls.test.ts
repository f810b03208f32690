/**
 * ATTACKS 6: every system call, by the kernel's own verdict in a real cell, compared with the table that the filter is made
 * from. Nothing here compiles or interprets a filter: what is asked is what runs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conditional } from '../../src/sandbox/seccomp/allowlist.ts';
import { table } from '../../src/sandbox/seccomp/filter.ts';
import { arm64Numbers, x64Numbers } from '../../src/sandbox/seccomp/syscall-numbers.ts';
import { judge } from '../sandbox/judge.ts';
import { hasPython, makeStage, modes, needsPython, python, runCell, runOutside } from './cell-harness.ts';

interface Question {
  readonly call: readonly bigint[];
  readonly verdict: string;
}

const numbers = process.arch === 'arm64' ? arm64Numbers : x64Numbers;
const entries = table(process.arch === 'arm64' ? 'arm64' : 'x64');
const X32_BIT = 0x4000_0000;

/** uretprobe and uprobe: the kernel's own return from a probe, which newer kernels keep from every filter. */
const unseen = (number: number): boolean => process.arch === 'x64' && (number === 335 || number === 336);

const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, number) => number);

/** Calls with a fixed verdict, with nothing in the arguments and with everything. */
const fixed: readonly Question[] = upTo(1024)
  .filter((number) => !unseen(number))
  .flatMap((number): Question[] => {
    const entry = entries[number] ?? 'ENOSYS';
    if (typeof entry !== 'string') return [];
    const filled = Array.from({ length: 5 }, () => 0xffff_ffff_ffff_ffffn);
    return [[], filled].map((values) => ({ call: [BigInt(number), ...values], verdict: entry }));
  });

/** The third table of x86-64, and what lies beyond every table. */
const x32 = upTo(1024).map((number) => X32_BIT + number);
const beyond = [1024, 4096, X32_BIT - 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const foreign: readonly Question[] = [...x32, ...beyond].map((number) => ({
  call: [BigInt(number)],
  verdict: 'ENOSYS',
}));

/** The kernel looks at the low half of the register only: the high half must not hide a number from the filter. */
const hidden: readonly Question[] = ['unshare', 'mount', 'ptrace', 'bpf', 'setns', 'read', 'getpid'].map(
  (name) => {
    const number = numbers.get(name) ?? -1;
    const entry = entries[number];
    return {
      call: [BigInt(number) + (1n << 32n)],
      verdict: typeof entry === 'string' ? entry : 'has no fixed verdict',
    };
  },
);

const flags = [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
/** By argument. What is not named here is refused whatever the arguments are. */
const tried: Readonly<Record<string, readonly (readonly number[])[]>> = {
  clone: [[0, 17, 0x3d_0f00, 0x120_0011, 0x80, ...flags, ...flags.map((flag) => flag | 0x3d_0f00)]],
  // Every family that Linux has, types with their flags, and each protocol that has a number.
  socket: [
    upTo(64),
    [0, 1, 2, 3, 4, 5, 6, 10, 0x8_0001, 0x8_0802, 0x8_0803, 0xf],
    [0, 1, 2, 6, 12, 16, 17, 33, 58, 132, 136, 255, 256, 262, 263],
  ],
  socketpair: [upTo(64), [1, 2, 5]],
  ioctl: [[0], [0x5401, 0x5411, 0x5412, 0x5413, 0x541b, 0x541c, 0x541d, 0x8912, 0x2_5412, 0xffff_ffff]],
  personality: [[0, 0x2_0000, 0x4_0000, 0x40_0000, 0x100_0000, 0x6_0000, 0xffff_ffff, 0xffff_fffe]],
};

/** Every combination, with nothing and with something in the high half of each register. */
const judged: readonly Question[] = Object.entries(conditional).flatMap(([name, rule]): Question[] => {
  const number = numbers.get(name) ?? -1;
  const lists = tried[name] ?? [[0, 88]];
  const combinations = lists.reduce<readonly (readonly number[])[]>(
    (found, values) => found.flatMap((before) => values.map((value) => [...before, value])),
    [[]],
  );
  return combinations.flatMap((values) =>
    [0n, 1n << 32n, 0xffff_ffffn << 32n].map((high) => {
      const wide = values.map((value) => BigInt(value) | high);
      return { call: [BigInt(number), ...wide], verdict: judge(rule, wide) };
    }),
  );
});

const questions = [...fixed, ...foreign, ...hidden, ...judged];
const stage = makeStage();
afterAll(() => stage.remove());

/** Readable when something is wrong: only what differs. */
const differences = (answers: readonly string[]): readonly string[] =>
  questions.flatMap(({ call, verdict }, index) =>
    answers[index] === verdict ? [] : [`${call.join(' ')}: ${answers[index]} instead of ${verdict}`],
  );

describe.skipIf(!hasPython)(`every system call${needsPython}`, () => {
  beforeAll(() => {
    const calls = questions.map(({ call }) => call.map(String));
    writeFileSync(join(stage.probes, 'calls.json'), JSON.stringify(calls), { mode: 0o644 });
  });

  it('is asked about, each rule on arguments with both outcomes', () => {
    expect(new Set(fixed.map(({ call }) => call[0])).size + Object.keys(conditional).length).toBe(
      process.arch === 'x64' ? 1022 : 1024,
    );
    for (const name of Object.keys(conditional)) {
      const seen = judged.filter(({ call }) => call[0] === BigInt(numbers.get(name) ?? -1));
      const verdicts = new Set(seen.map(({ verdict }) => verdict));
      expect(verdicts.has('allow'), name).toBe(name in tried);
      expect(verdicts.size, name).toBeGreaterThan(name in tried ? 1 : 0);
    }
  });

  it('control: outside, the kernel refuses none of them', async () => {
    const stdout = await runOutside([
      python,
      '-B',
      `${stage.probes}/every-call.py`,
      `${stage.probes}/calls.json`,
    ]);
    const answers = JSON.parse(stdout) as string[];
    expect(answers).toHaveLength(questions.length);
    expect(new Set(answers)).toEqual(new Set(['allow']));
  });

  it.each(modes)('is answered in a cell as the table says, gateway as %s', async (mode) => {
    const { stdout } = await runCell(stage, mode, {
      command: [python, '-B', '/probes/every-call.py', '/probes/calls.json'],
    });
    const answers = JSON.parse(stdout) as string[];
    expect(answers).toHaveLength(questions.length);
    expect(differences(answers)).toEqual([]);
  });
});

describe.skipIf(!hasPython || process.arch !== 'x64')(
  `every system call of the 32-bit table${needsPython || ' (waits for x86-64)'}`,
  () => {
    const all = upTo(480);

    it('control: outside, the entry is open', async () => {
      const getpid = 20;
      const stdout = await runOutside([python, '-B', `${stage.probes}/foreign-calls.py`, `[${getpid}]`]);
      expect(JSON.parse(stdout)).toEqual(['returned']);
    });

    it.each(modes)('ends the program in a cell, gateway as %s', async (mode) => {
      const { stdout } = await runCell(stage, mode, {
        command: [python, '-B', '/probes/foreign-calls.py', JSON.stringify(all)],
      });
      expect(JSON.parse(stdout)).toEqual(all.map(() => 'SIGSYS'));
    });
  },
);
