/** The process that starts launchers in the gateway's place, for real; a stand-in takes the launcher's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { limits, silentLog } from '../../src/kernel/index.ts';
import { drop } from '../../src/sandbox/helped-launcher.ts';
import { type LauncherHelper, openLauncherHelper } from '../../src/sandbox/launcher-helper.ts';
import { descriptors, type ShellPlan } from '../../src/sandbox/plan-shell.ts';
import { type CellStdio, openPipeStock, type PipeStock } from '../../src/sandbox/stdio-pipes.ts';
import { identify, isAlive } from '../../src/sandbox/process-identity.ts';
import { completeTools, findTools } from '../../src/sandbox/tools.ts';
import { descendants, type HostProcess } from '../attacks/host-processes.ts';

const PATIENT = { timeout: 20_000, interval: 5 };
const tools = completeTools(findTools());
if (tools === null) throw new Error('this machine lacks the programs of cells');
const { setpriv, mkfifo } = tools;
const root = mkdtempSync(join(tmpdir(), 'sallyport-helper-'));
let made = 0;
const stock: PipeStock = openPipeStock({
  mkfifo,
  newPaths() {
    made += 1;
    const key = made;
    return (name) => join(root, `${key}.${name}`);
  },
});
afterAll(() => {
  stock.close();
  rmSync(root, { recursive: true, force: true });
});

let helper: LauncherHelper | null = null;
const taken: CellStdio[] = [];
afterEach(async () => {
  for (const { stdin, stdout, stderr } of taken.splice(0))
    for (const each of [stdin, stdout, stderr]) each.destroy();
  await helper?.close();
  await vi.waitFor(() => expect(descendants(process.pid)).toEqual([]), PATIENT);
});

function open(timeoutMs?: number): LauncherHelper {
  helper = openLauncherHelper({
    node: process.execPath,
    setpriv,
    log: silentLog,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  return helper;
}

const isHelper = ({ command }: HostProcess): boolean => command.includes('/launcher-host.');
const running = (): Promise<HostProcess> =>
  vi.waitFor(() => {
    const found = descendants(process.pid).find(isHelper);
    if (found === undefined) throw new Error('it does not run yet');
    return found;
  }, PATIENT);

const PROGRAM = `
  const { readFileSync, createReadStream } = require('node:fs');
  process.send({ said: readFileSync(${descriptors.options}, 'utf8') });
  process.stdin.once('data', (data) => { console.log('heard ' + data); process.exit(3); });
`;
const planOf = (program: string, first: string = process.execPath): ShellPlan => ({
  launcher: [first, '--eval', program],
  inputs: [descriptors.options],
  terminal: false,
});

async function start(
  from: LauncherHelper,
  plan: ShellPlan,
  onSpawn: (pid: number) => void = () => undefined,
) {
  const stdio = await stock.take();
  taken.push(stdio);
  return { stdio, launcher: await from.start(plan, stdio, onSpawn) };
}

describe('a helper', () => {
  it('starts what it is told: with its pipes, inputs, channel and end, as a child of its own', async () => {
    const from = open();
    const spawned: number[] = [];
    const { stdio, launcher } = await start(from, planOf(PROGRAM), (pid) => spawned.push(pid));
    expect([spawned, launcher.end]).toEqual([[launcher.pid], null]);
    const { pid } = await running();
    expect(descendants(process.pid).find((one) => one.pid === launcher.pid)?.parent).toBe(pid);
    const notes: unknown[] = [];
    launcher.hear((note) => notes.push(note));
    launcher.inputs.get(descriptors.options)?.end('an option');
    await vi.waitFor(() => expect(notes).toEqual([{ said: 'an option' }]), PATIENT);
    const heard = new Promise((resolve) => stdio.stdout.once('data', (data) => resolve(String(data))));
    stdio.stdin.write('a word');
    expect(await heard).toBe('heard a word\n');
    expect(await launcher.ended).toEqual({ code: 3, signal: null });
    expect(launcher.end).toEqual({ code: 3, signal: null });
  });

  it('has nothing of this process: no variable, and no stream but its channel', async () => {
    open();
    const { pid } = await running();
    const environment = (): string => readFileSync(`/proc/${pid}/environ`, 'latin1');
    expect(environment()).toMatch(/^(NODE_CHANNEL_\w+=\w+\0)*$/);
    // As a control: this process has others, and whoever may look sees them.
    expect(readFileSync('/proc/self/environ', 'latin1')).not.toMatch(/^(NODE_CHANNEL_\w+=\w+\0)*$/);
  });

  it('takes what it started with it when it is killed, and others are started without it', async () => {
    const from = open();
    const { launcher } = await start(from, planOf('setTimeout(() => {}, 60_000)'));
    const first = await running();
    // What is tied to who started it, as launchers are.
    const tied: ShellPlan = { ...planOf(''), launcher: [setpriv, '--pdeathsig=KILL', 'sleep', '60'] };
    const other = await start(from, tied);
    await vi.waitFor(
      () => expect(readFileSync(`/proc/${other.launcher.pid}/comm`, 'utf8')).toBe('sleep\n'),
      PATIENT,
    );
    process.kill(first.pid, 'SIGKILL');
    expect(await other.launcher.ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await launcher.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await vi.waitFor(
      () => expect(descendants(process.pid).map(({ pid }) => pid)).not.toContain(other.launcher.pid),
      PATIENT,
    );
    const next = await start(from, planOf('setTimeout(() => {}, 60_000)'));
    expect(descendants(process.pid).find(({ pid }) => pid === next.launcher.pid)?.parent).toBe(process.pid);
    next.launcher.killGroup();
    expect(await next.launcher.ended).toEqual({ code: null, signal: 'SIGKILL' });
    process.kill(launcher.pid, 'SIGKILL');
  });

  it('leaves nothing of what nobody could note, or what is no program', async () => {
    const from = open();
    const unnoted = start(from, planOf('setTimeout(() => {}, 60_000)'), () => {
      throw new Error('no room');
    });
    await expect(unnoted).rejects.toThrow('no room');
    await expect(start(from, planOf('', join(root, 'nothing')))).rejects.toMatchObject({
      code: 'sandbox_launch_failed',
    });
    await vi.waitFor(() => expect(descendants(process.pid).every(isHelper)).toBe(true), PATIENT);
  });

  it('that does not answer is not waited for, and what it starts then is ended', async () => {
    const from = open(200);
    const { pid } = await running();
    process.kill(pid, 'SIGSTOP');
    try {
      const late = start(from, planOf('setTimeout(() => {}, 60_000)'));
      await expect(late).rejects.toMatchObject({ code: 'sandbox_launch_timeout' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await vi.waitFor(() => expect(descendants(process.pid).every(isHelper)).toBe(true), PATIENT);
  });

  describe('that hangs', () => {
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    /** Its limits run out, however slow the machine is: nothing else is held to them. */
    async function hanging(work: (helperPid: number) => Promise<unknown>): Promise<void> {
      const { pid } = await running();
      process.kill(pid, 'SIGSTOP');
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        await work(pid);
        for (const _look of ['the first', 'the second']) {
          vi.advanceTimersByTime(limits.launcherHelperSilentMs);
          await turn();
        }
      } finally {
        vi.useRealTimers();
      }
    }
    const sleeping: ShellPlan = { ...planOf(''), launcher: [setpriv, '--pdeathsig=KILL', 'sleep', '60'] };
    const sleeper = async (from: LauncherHelper) => {
      const { launcher } = await start(from, sleeping);
      const comm = (): string => readFileSync(`/proc/${launcher.pid}/comm`, 'utf8');
      await vi.waitFor(() => expect(comm()).toBe('sleep\n'), PATIENT);
      return launcher;
    };

    it('is killed with what it started, and another takes its place', async () => {
      const from = open();
      const before = await sleeper(from);
      const stdio = await stock.take();
      taken.push(stdio);
      let late: Promise<unknown> = Promise.resolve();
      let hung = 0;
      await hanging(async (pid) => {
        hung = pid;
        late = expect(from.start(sleeping, stdio, () => undefined)).rejects.toMatchObject({
          code: 'sandbox_launch_failed',
        });
      });
      await late;
      expect(await before.ended).toEqual({ code: null, signal: 'SIGKILL' });
      const after = await sleeper(from);
      const { parent } = descendants(process.pid).find(({ pid }) => pid === after.pid) ?? {};
      expect(parent).toBe((await running()).pid);
      expect(parent).not.toBe(hung);
      after.killGroup();
      await after.ended;
    });

    it('does not keep to itself that what was killed has ended', async () => {
      const launcher = await sleeper(open());
      await hanging(async () => {
        const known = identify(launcher.pid);
        launcher.killGroup();
        while (known !== null && isAlive(known)) await turn();
      });
      expect(await launcher.ended).toEqual({ code: null, signal: 'SIGKILL' });
    });

    it('is ended when it is closed', async () => {
      const from = open();
      let closed: Promise<void> = Promise.resolve();
      await hanging(async () => {
        closed = from.close();
      });
      await closed;
      await vi.waitFor(() => expect(descendants(process.pid)).toEqual([]), PATIENT);
    });
  });

  it('that is told of late is killed as what it is, and nothing that has its number by now', async () => {
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const ended = once(child, 'exit');
    const pid = child.pid ?? 0;
    const startTime = identify(pid)?.startTime ?? '';
    drop({ of: 1, pid, startTime: `${Number(startTime) - 1}` }, undefined);
    expect(process.kill(pid, 'SIGTERM')).toBe(true);
    expect((await ended)[1]).toBe('SIGTERM');
    const other = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const otherEnded = once(other, 'exit');
    drop({ of: 1, pid: other.pid ?? 0, startTime: identify(other.pid ?? 0)?.startTime ?? '' }, undefined);
    expect((await otherEnded)[1]).toBe('SIGKILL');
  });

  it('stays until what it started has ended, when it is closed', async () => {
    const from = open();
    const { launcher } = await start(from, planOf('setTimeout(() => {}, 60_000)'));
    await from.close();
    const { pid } = await running();
    expect(launcher.end).toBeNull();
    launcher.killGroup();
    expect(await launcher.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await vi.waitFor(
      () => expect(descendants(process.pid).map((one) => one.pid)).not.toContain(pid),
      PATIENT,
    );
  });
});
