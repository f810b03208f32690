/** How a cell is asked to end, and ended when it does not listen. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type Cell, createSandbox } from '../../src/sandbox/index.ts';
import { cellSpec } from './cell-spec.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-stop-'));
chmodSync(root, 0o755);
mkdirSync(join(root, 'home'), { mode: 0o700 });
const stateDir = join(root, 'home/run');
const sandbox = await createSandbox({ stateDir, log: silentLog, clock: systemClock, random: systemRandom });
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Longer than any test may take: what waits for it fails. */
const NEVER_MS = 600_000;
/** For a program to end, also on a machine that is busy. */
const ENOUGH_MS = 4_000;
const cells: Cell[] = [];
afterEach(async () => {
  await Promise.all(cells.splice(0).map((cell) => cell.kill()));
});

interface Running {
  readonly cell: Cell;
  /** What it wrote to stdout so far. */
  readonly out: () => string;
}

/** Starts a shell, and waits until it says READY. */
async function started(script: string): Promise<Running> {
  const cell = await sandbox.launch(cellSpec({ command: ['/bin/sh', '-c', script] }), {
    onTcp: () => undefined,
    onDnsUdp: () => undefined,
    onDnsTcp: () => undefined,
  });
  cells.push(cell);
  cell.stderr.resume();
  let text = '';
  await new Promise<void>((resolve) => {
    cell.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('READY\n')) resolve();
    });
    void cell.exited.then(() => resolve());
  });
  return { cell, out: () => text };
}

const forEver = 'while :; do sleep 600 & wait $!; done';

describe('a cell that is asked to end', () => {
  it('ends by itself when its stdin closes, and its last words are read', async () => {
    const { cell, out } = await started('echo READY; cat; echo bye; exit 3');
    cell.stdin.write('last message\n');
    await cell.stop(NEVER_MS);
    expect(await cell.exited).toMatchObject({ code: 3, signal: null });
    expect(out()).toBe('READY\nlast message\nbye\n');
  });

  it('gets SIGTERM when it goes on', async () => {
    const { cell, out } = await started(`trap 'echo bye; exit 7' TERM; echo READY; ${forEver}`);
    await cell.stop(ENOUGH_MS);
    expect(await cell.exited).toMatchObject({ code: 7, signal: null });
    expect(out()).toBe('READY\nbye\n');
  });

  it('is killed when it goes on after that, with all that it started', async () => {
    const { cell } = await started(
      `trap '' TERM; (trap '' TERM; exec setsid sleep 600) & echo READY; ${forEver}`,
    );
    await cell.stop(20);
    expect(await cell.exited).toMatchObject({
      code: null,
      signal: 'SIGKILL',
      reason: 'stopped by Sallyport',
    });
    expect(readdirSync(join(stateDir, 'cells'))).toEqual([]);
  });

  it('ends although it never read what was written to it', async () => {
    const { cell } = await started(`echo READY; ${forEver}`);
    cell.stdin.write('x'.repeat(1_000_000));
    await cell.stop(ENOUGH_MS);
    expect(await cell.exited).toMatchObject({ signal: 'SIGTERM', reason: 'it was ended by SIGTERM' });
  });

  it('is killed at once when it must be, whatever it was promised', async () => {
    const { cell } = await started(`trap '' TERM; echo READY; ${forEver}`);
    const stopped = [cell.stop(NEVER_MS), cell.stop(NEVER_MS)];
    await cell.kill();
    await Promise.all(stopped);
    expect(await cell.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  it('may have ended already', async () => {
    const { cell } = await started('echo READY');
    await cell.exited;
    await cell.stop(NEVER_MS);
    cell.signal('SIGTERM');
    expect(await cell.exited).toMatchObject({ code: 0 });
  });
});

describe('a signal', () => {
  it('reaches the program, and nothing else of the cell', async () => {
    const { cell, out } = await started(
      `(trap 'echo child' USR1; ${forEver}) & trap 'echo program; sleep 0.3; exit 0' USR1; echo READY; ${forEver}`,
    );
    cell.signal('SIGUSR1');
    await cell.exited;
    expect(out()).toBe('READY\nprogram\n');
  });
});
