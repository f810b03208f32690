/** ATTACKS 8: outlive the cell, or the gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createSandbox } from '../../src/sandbox/index.ts';
import {
  hasPython,
  makeStage,
  modes,
  type Mode,
  needsPython,
  python,
  runCells,
  spawnDriver,
} from './cell-harness.ts';
import { descendants, hostProcesses, survivors } from './host-processes.ts';

const stage = makeStage();
afterAll(() => stage.remove());

const newMarker = (): string => `marker-${randomBytes(8).toString('hex')}`;

/** Each starts processes that leave every group and session, ignore signals and hold no descriptor of ours; then says READY. */
const daemons = [
  {
    language: 'a shell',
    available: true,
    command: [
      '/bin/sh',
      '-c',
      `for n in 1 2 3; do (trap '' HUP INT TERM; exec setsid sh -c 'trap "" HUP INT TERM; sleep 600; :' "$0" </dev/null >/dev/null 2>&1 &); done
       sleep 0.2; echo READY; sleep 600`,
    ],
  },
  {
    language: 'Node',
    available: true,
    command: [
      'node',
      '-e',
      `const { spawn } = require('node:child_process');
       const sleeper = "for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.on(name, () => {}); setTimeout(() => {}, 600000)";
       for (let n = 0; n < 3; n += 1) spawn('/usr/bin/setsid', ['--fork', process.execPath, '-e', sleeper, process.argv[1]], { detached: true, stdio: 'ignore' }).unref();
       setTimeout(() => console.log('READY'), 300); setTimeout(() => {}, 600000);`,
    ],
  },
  {
    language: `Python${needsPython}`,
    available: hasPython,
    command: [python, '-B', '/probes/outlive.py'],
  },
] as const;
const [{ command: shellDaemons }] = daemons;

const marked = (marker: string) => hostProcesses().filter(({ command }) => command.includes(marker));

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went with its parent.
  }
}

/** Resolves when a program printed a word. */
function printed(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(word)) resolve();
    });
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('exit', () => reject(new Error(`ended without ${word}: ${text}`)));
  });
}

/** What records of cells a gateway left. */
function records(mode: Mode): readonly string[] {
  const folder = join(stage.home(mode), 'run/cells');
  return existsSync(folder) ? readdirSync(folder) : [];
}

async function sweep(mode: Mode): Promise<number> {
  const stateDir = join(stage.home(mode), 'run');
  const sandbox = await createSandbox({ stateDir, log: silentLog, clock: systemClock, random: systemRandom });
  return sandbox.sweep();
}

describe.each(daemons)('daemons of $language', ({ available, command }) => {
  it.skipIf(!available)('control: outside, they outlive a killed parent', async () => {
    const marker = newMarker();
    const [program, ...args] = command.map((word) =>
      word === 'node' ? process.execPath : word.replace('/probes', stage.probes),
    );
    const parent = spawn(program ?? '', [...args, marker], { stdio: ['ignore', 'pipe', 'ignore'] });
    await printed(parent, 'READY');
    const before = marked(marker);
    expect(before.length).toBeGreaterThanOrEqual(4);
    // Their sleeping children bear no marker.
    const sleeping = before.flatMap(({ pid }) => descendants(pid));
    parent.kill('SIGKILL');
    await sleep(300);
    const left = marked(marker);
    expect(left.length).toBeGreaterThanOrEqual(3);
    for (const { pid } of [...left, ...sleeping]) killQuietly(pid);
  });

  it.skipIf(!available).each(modes)('do not outlive a killed cell, gateway as %s', async (mode) => {
    const marker = newMarker();
    // The first cell is killed by the driver when the second ends; the second sees nothing of the first.
    const reports = await runCells(stage, mode, {
      cells: [
        { command: [...command, marker], files: stage.grant },
        { command: ['/bin/sh', '-c', 'ls -d /proc/[0-9]* | wc -l'] },
      ],
    });
    expect(reports[0]?.stdout).toBe('READY\n');
    expect(reports[0]?.exit).toEqual({
      code: null,
      signal: 'SIGKILL',
      started: true,
      reason: 'stopped by Sallyport',
      limit: null,
    });
    expect(marked(marker)).toEqual([]);
    expect(records(mode)).toEqual([]);
  });
});

describe.each(modes)('when the gateway is killed with SIGKILL, gateway as %s', (mode) => {
  it('nothing of a running cell is left, and a new gateway forgets it', async () => {
    const marker = newMarker();
    const gateway = spawnDriver(stage, mode, { hold: true, cells: [{ command: [...shellDaemons, marker] }] });
    await printed(gateway, 'HOLDING');
    const before = descendants(gateway.pid ?? 0);
    expect(before.length).toBeGreaterThanOrEqual(5);
    expect(records(mode)).toHaveLength(1);
    gateway.kill('SIGKILL');
    expect(await survivors(before, marker)).toEqual([]);
    expect(await sweep(mode)).toBe(1);
    expect(records(mode)).toEqual([]);
  });

  it('nothing of a cell that is being built is left, whatever the moment', async () => {
    const stages = new Set<string>();
    // On a machine that is busy, the first program of a launch is there later.
    for (let delayMs = 0; delayMs <= 66 || (stages.size < 2 && delayMs <= 600); delayMs += 6) {
      const marker = newMarker();
      const gateway = spawnDriver(stage, mode, {
        hold: true,
        cells: [{ command: ['/bin/sh', '-c', 'echo READY; sleep 600', marker] }],
      });
      await printed(gateway, 'LAUNCHING');
      await sleep(delayMs);
      const before = descendants(gateway.pid ?? 0);
      gateway.kill('SIGKILL');
      for (const { command } of before) stages.add(command.split(' ')[0] ?? '');
      expect(await survivors(before, marker)).toEqual([]);
    }
    // Otherwise no launch was met in the middle, and the test shows nothing.
    expect(stages.size).toBeGreaterThanOrEqual(2);
    // What makes a cell's pipes is tied to nobody: on a busy machine it may come to that after a sweep.
    const left = async (): Promise<readonly string[]> => {
      await sweep(mode);
      return records(mode);
    };
    await expect.poll(left).toEqual([]);
  });
});
