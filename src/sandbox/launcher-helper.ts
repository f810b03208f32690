/**
 * Who starts launchers in the gateway's place. To start a process is to copy what this one has mapped and then
 * to wait until the other has executed its program, which takes as long as processors are wanted by others: the gateway's
 * thread would stand still for everybody's calls each time.
 *
 * One process at a time does it (`helper-process.ts`). It is killed with the gateway, and what it started with it, as if the
 * gateway had started that. Where there is none (yet), the gateway starts launchers itself; one that hangs is replaced.
 */
import { beginHelper, type HelperInput } from './helper-process.ts';
import { type StartLauncher, startLauncher } from './launcher.ts';

export interface LauncherHelper {
  readonly start: StartLauncher;
  /** Nothing is started through it any more; it ends when what it started has. Resolves when it has, or at once where something runs. */
  close(): Promise<void>;
}

export function openLauncherHelper(input: HelperInput): LauncherHelper {
  const begin = () =>
    beginHelper(input, () => {
      helper = begin();
    });
  let helper = begin();
  return {
    start(plan, stdio, onSpawn) {
      const { names } = stdio;
      if (!helper.isUsable || names === null || plan.terminal) return startLauncher(plan, stdio, onSpawn);
      return helper.start(names, plan, stdio, onSpawn);
    },
    close: () => helper.close(),
  };
}
