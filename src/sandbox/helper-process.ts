/**
 * One process that starts launchers in the gateway's place. It does what it is told in order, so that it is slow where much is
 * wanted of it; one that owes an answer and says nothing at all for a while hangs. That one is killed, and what it started with
 * it: of the end of any of that nobody could be told.
 *
 * The process has nothing: an empty environment, no files, a channel that nobody else has.
 */
import { type SendHandle, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { limits, type Log } from '../kernel/index.ts';
import { drop, HelpedLauncher } from './helped-launcher.ts';
import { launchTimeout } from './launch-errors.ts';
import { furtherDescriptors, pipesOf, type StartLauncher, streamsOf } from './launcher.ts';
import type { Order, Told } from './launcher-host.ts';

export interface HelperProcess {
  /** Whether it can be told to start something. */
  readonly isUsable: boolean;
  /** @param names of the launcher's stdin, stdout and stderr */
  start(names: readonly string[], ...launch: Parameters<StartLauncher>): ReturnType<StartLauncher>;
  /**
   * Nothing is started through it any more; it ends when what it started has. Resolves when it has, or at once where something
   * runs; it is killed where it does not end.
   */
  close(): Promise<void>;
}

export interface HelperInput {
  /** Absolute paths of the programs. */
  readonly node: string;
  readonly setpriv: string;
  readonly log: Log;
  /** How long one start may take. */
  readonly timeoutMs?: number;
}

/** @param hangs called when it does, once nothing is started through it any more */
export function beginHelper(
  { node, setpriv, log, timeoutMs = limits.cellSetupTimeoutMs }: HelperInput,
  hangs: () => void,
): HelperProcess {
  const program = import.meta.url.endsWith('.ts') ? './launcher-host.ts' : './launcher-host.js';
  const host = fileURLToPath(new URL(program, import.meta.url));
  const helper = spawn(setpriv, ['--pdeathsig=KILL', node, host], {
    cwd: '/',
    env: {},
    // Out of reach of the terminal's Ctrl-C: it goes with the gateway, not before it.
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  helper.on('error', () => undefined);
  const launchers = new Map<number, HelpedLauncher>();
  let nextId = 1;
  const hasBegun = helper.pid !== undefined;
  let isUsable = hasBegun;
  let told = 0;
  /** The next look at whether it hangs; null where nothing is to be told. */
  let look: NodeJS.Timeout | null = null;
  /** How much it had told at the last look, where it owed a word then. */
  let toldWhenOwing: number | null = null;
  const ended = new Promise<boolean>((resolve) => helper.once('exit', () => resolve(true)));
  // What it does for nobody must not keep this process alive.
  const hold = (): void => {
    if (launchers.size > 0) helper.channel?.ref();
    else helper.channel?.unref();
  };
  helper.unref();
  hold();

  function tell(order: Order): void {
    if (helper.connected) helper.send(order, () => undefined);
  }

  /** Looks until nothing is to be told any more: who owes a word, and says none until the next look, hangs. */
  function watch(): void {
    look ??= setTimeout(() => {
      // Where this process itself stood still, what it was told meanwhile is read first.
      setImmediate(judge);
    }, limits.launcherHelperSilentMs).unref();
  }

  function judge(): void {
    const owes = [...launchers.values()].some(({ isOwed }) => isOwed);
    if (owes && toldWhenOwing === told) kill();
    toldWhenOwing = owes ? told : null;
    look = null;
    if (isAwaited()) watch();
  }

  const isAwaited = (): boolean => [...launchers.values()].some((launcher) => launcher.isAwaited);

  function rest(): void {
    if (look === null || isAwaited()) return;
    clearTimeout(look);
    look = null;
    toldWhenOwing = null;
  }

  function kill(): void {
    log.error('cell.helper_hangs', { launchers: launchers.size });
    helper.kill('SIGKILL');
    if (!isUsable) return;
    isUsable = false;
    hangs();
  }

  helper.on('message', (note: Told, handle?: SendHandle) => {
    told += 1;
    const launcher = launchers.get(note.of);
    if (launcher !== undefined) launcher.told(note, handle);
    else drop(note, handle);
    if ('code' in note) launchers.delete(note.of);
    hold();
    rest();
  });
  helper.once('exit', (code, signal) => {
    isUsable = false;
    if (launchers.size > 0) log.error('cell.helper_ended', { code, signal, launchers: launchers.size });
    // The kernel kills them with it.
    for (const launcher of launchers.values()) launcher.over({ code: null, signal: 'SIGKILL' });
    launchers.clear();
    rest();
  });

  async function endsInTime(): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), limits.launcherHelperSilentMs);
    try {
      return await Promise.race([ended, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    get isUsable() {
      return isUsable && helper.connected;
    },
    async start(names, plan, stdio, onSpawn) {
      const of = nextId;
      nextId += 1;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const hangUp = (): void => tell({ hangUp: of });
      const launcher = new HelpedLauncher({ onSpawn, complete: resolve, hangUp, killed: watch });
      launchers.set(of, launcher);
      hold();
      const timer = setTimeout(() => reject(launchTimeout(timeoutMs)), timeoutMs);
      try {
        tell({ start: of, launcher: plan.launcher, names, further: furtherDescriptors(pipesOf(plan)) });
        watch();
        await promise;
        const streams = streamsOf(plan, (descriptor) => launcher.streams.get(descriptor));
        return launcher.started(streams, plan.launcher[0] ?? '');
      } catch (error) {
        launcher.discard();
        launchers.delete(of);
        throw error;
      } finally {
        clearTimeout(timer);
        stdio.giveAway();
        hold();
      }
    },
    async close() {
      isUsable = false;
      tell({ close: true });
      if (!hasBegun || launchers.size > 0) return;
      if (helper.exitCode !== null || helper.signalCode !== null) return;
      // Whoever waits for it must not come to an end before it.
      helper.ref();
      if (await endsInTime()) return;
      kill();
      await endsInTime();
      helper.unref();
    },
  };
}
