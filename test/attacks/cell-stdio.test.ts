/** ATTACKS 2, 4 and 5: out through stdin, stdout and stderr, the only descriptors that a program is given. */
import { spawn } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import {
  hasPython,
  makeStage,
  modes,
  needsPython,
  outcomes,
  output,
  python,
  runCell,
} from './cell-harness.ts';

const stage = makeStage();
afterAll(() => stage.remove());

const descriptors = ['stdin', 'stdout', 'stderr'] as const;
const each = (outcome: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    descriptors.flatMap((name) =>
      Object.entries(outcome).map(([what, result]) => [`${what}: ${name}`, result]),
    ),
  );

describe.skipIf(!hasPython)(`the three descriptors of a program${needsPython}`, () => {
  it('control: pairs of sockets, as Node makes them, lead to the namespace of whoever made them', async () => {
    const child = spawn(python, ['-B', `${stage.probes}/stdio.py`], { stdio: ['pipe', 'pipe', 'pipe'] });
    expect(outcomes((await output(child)).stdout)).toEqual(
      each({
        'addresses of the namespace it was made in': 'ok',
        'abstract name there': 'ok',
        'another descriptor through it': 'ok',
        'who is at the other end': 'ok',
      }),
    );
  });

  it.each(modes)('lead nowhere else from a cell, gateway as %s', async (mode) => {
    const { stdout } = await runCell(stage, mode, { command: [python, '-B', '/probes/stdio.py'] });
    expect(outcomes(stdout)).toEqual(
      each({
        'addresses of the namespace it was made in': 'ENOTTY',
        'abstract name there': 'ENOTSOCK',
        'another descriptor through it': 'ENOTSOCK',
        'who is at the other end': 'ENOTSOCK',
      }),
    );
  });

  it.each(modes)('are pipes without a name, those of the first process too, gateway as %s', async (mode) => {
    const { stdout } = await runCell(stage, mode, {
      command: [
        '/bin/sh',
        '-c',
        'for p in self 1; do for n in 0 1 2; do stat -L -c %F /proc/$p/fd/$n; done; done',
      ],
    });
    expect(stdout).toBe('fifo\n'.repeat(6));
  });
});
