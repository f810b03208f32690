/** What becomes of a launcher whose processes end at the worst moment. A stand-in takes the launcher's place. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { enterCell } from '../../src/sandbox/launch.ts';
import type { ShellPlan } from '../../src/sandbox/plan-shell.ts';
import { prepareCell, type PreparedCell } from '../../src/sandbox/prepare.ts';
import { ownStdio } from '../../src/sandbox/stdio-pipes.ts';

const started: PreparedCell[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const prepared of started.splice(0)) await prepared.discard();
});

/** Says that it is ready when it has started what it is to start, and waits to be ended. */
async function prepare(program: string, terminal: boolean): Promise<PreparedCell> {
  const ready = "process.on('message', () => {}); process.send({ ready: true, dualStack: true });";
  const launcher = [
    process.execPath,
    '--input-type=module',
    '--eval',
    `${program}; ${ready} setTimeout(() => {}, 60_000)`,
  ];
  const plan: ShellPlan = { launcher, inputs: [4], terminal };
  const prepared = await prepareCell(plan, ownStdio(), () => undefined);
  started.push(prepared);
  return prepared;
}

describe('what carries a terminal', () => {
  it('may end between a look and a kill', async () => {
    const two = `import { spawn } from 'node:child_process';
      const child = spawn('/bin/sh', ['-c', 'sleep 60 & echo; wait']);
      child.on('exit', () => process.exit(0));
      await new Promise((done) => child.stdout.once('data', done))`;
    const prepared = await prepare(two, true);
    const { first } = prepared;
    expect(first).not.toBeNull();
    const kill = vi.spyOn(process, 'kill').mockImplementationOnce(() => {
      throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' });
    });
    expect(() => prepared.kill()).not.toThrow();
    expect(kill).toHaveBeenCalledExactlyOnceWith(first?.pid, 'SIGKILL');
  });
});

describe('a cell whose first process is gone before it is told anything', () => {
  it('is not started: nothing would hold its limits', async () => {
    const prepared = await prepare('', false);
    expect(prepared.first).toBeNull();
    const called = vi.fn();
    const listeners = { onTcp: called, onDnsTcp: called, onDnsUdp: called };
    const plan = { inputs: [{ descriptor: 4, content: Buffer.from('x') }] };
    await expect(enterCell(prepared, plan, listeners, called)).rejects.toMatchObject({
      code: 'sandbox_launch_failed',
      detail: { why: 'its first process was gone before it was told what to start' },
    });
    expect(called).not.toHaveBeenCalled();
  });
});
