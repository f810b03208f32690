/**
 * A launcher that another process started (`helper-process.ts`), as the gateway sees it: what it was given of it, what it is told,
 * and its end. Killed by what the process is, not by its number alone.
 */
import type { SendHandle } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { killGroup, killOnly } from './kill.ts';
import { launchFailed } from './launch-errors.ts';
import {
  type Launcher,
  type LauncherEnd,
  notExecuted,
  type NoteListener,
  type streamsOf,
} from './launcher.ts';
import type { Told } from './launcher-host.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

type Spawned = Extract<Told, { readonly pid: number | null }>;

interface HelpedInput {
  onSpawn(pid: number): void;
  /** It was started, or was not. */
  complete(): void;
  hangUp(): void;
  /** It was killed: its end is to be told. */
  killed(): void;
}

export class HelpedLauncher {
  readonly streams = new Map<number, Duplex>();
  readonly #input: HelpedInput;
  readonly #ended = Promise.withResolvers<LauncherEnd>();
  #identity: ProcessIdentity | null = null;
  #pid: number | null = null;
  #failure: unknown = null;
  #isComplete = false;
  #isKilled = false;
  #end: LauncherEnd | null = null;
  /** What was said before anybody listened. */
  #said: Parameters<NoteListener>[] = [];
  #listener: NoteListener | null = null;

  constructor(input: HelpedInput) {
    this.#input = input;
  }

  told(told: Told, handle?: SendHandle): void {
    if ('pid' in told) this.#spawned(told);
    else if ('descriptor' in told) this.#given(told.descriptor, handle);
    else if ('complete' in told) this.#complete();
    else if ('note' in told) this.#heard(told.note, handle);
    else this.over({ code: told.code, signal: told.signal });
  }

  over(end: LauncherEnd): void {
    this.#end ??= end;
    this.#ended.resolve(this.#end);
    this.#complete();
  }

  /** Whether something of it is still to be told. */
  get isAwaited(): boolean {
    return !this.#isComplete || (this.#isKilled && this.#end === null);
  }

  /** Whether that could have been told: what is killed, and is still there, has no end yet. */
  get isOwed(): boolean {
    return this.isAwaited && (!this.#isComplete || this.#identity === null || !isAlive(this.#identity));
  }

  /** @throws AppError `sandbox_launch_failed`, and what `onSpawn` threw */
  started({ inputs, report }: ReturnType<typeof streamsOf>, program: string): Launcher {
    if (this.#failure !== null) throw this.#failure;
    const pid = this.#pid;
    // Told of none, it has an end only with the one who was to start it.
    if (pid === null && this.#end !== null) throw launchFailed('what was to start the launcher has ended');
    if (pid === null || report === undefined) throw notExecuted(program);
    const end = (): LauncherEnd | null => this.#end;
    return {
      pid,
      inputs,
      report,
      get end() {
        return end();
      },
      ended: this.#ended.promise,
      hear: (listener) => this.#hear(listener),
      hangUp: () => this.#input.hangUp(),
      kill: () => this.#kill(killOnly),
      killGroup: () => this.#kill(killGroup),
    };
  }

  discard(): void {
    this.#kill(killGroup);
    for (const stream of this.streams.values()) stream.destroy();
    for (const [, handle] of this.#said.splice(0)) close(handle);
    this.#listener = (_note, handle) => close(handle);
  }

  #complete(): void {
    this.#isComplete = true;
    this.#input.complete();
  }

  #spawned({ pid, startTime }: Spawned): void {
    this.#pid = pid;
    if (pid === null) {
      this.#complete();
      return;
    }
    this.#identity = startTime === null ? null : { pid, startTime };
    try {
      this.#input.onSpawn(pid);
    } catch (error) {
      this.#failure = error;
    }
  }

  #given(descriptor: number, handle: SendHandle | undefined): void {
    if (handle !== undefined && 'destroy' in handle) this.streams.set(descriptor, handle);
    else close(handle);
  }

  #heard(note: unknown, handle: SendHandle | undefined): void {
    if (this.#listener === null) this.#said.push([note, handle]);
    else this.#listener(note, handle);
  }

  #hear(listener: NoteListener): void {
    this.#listener = listener;
    for (const [note, handle] of this.#said.splice(0)) listener(note, handle);
  }

  #kill(how: (pid: number) => void): void {
    if (this.#end !== null || this.#identity === null) return;
    killIfSame(this.#identity, how);
    this.#isKilled = true;
    this.#input.killed();
  }
}

/** The helper may have taken notice of its end already, so that its number could be another's: looked at, then killed. */
function killIfSame({ pid, startTime }: ProcessIdentity, how: (pid: number) => void): void {
  if (identify(pid)?.startTime === startTime) how(pid);
}

/** Of a launcher that nobody waits for any more. */
export function drop(told: Told, handle: SendHandle | undefined): void {
  if ('pid' in told && told.pid !== null && told.startTime !== null)
    killIfSame({ pid: told.pid, startTime: told.startTime }, killGroup);
  close(handle);
}

function close(handle: SendHandle | undefined): void {
  if (handle === undefined) return;
  if ('destroy' in handle) handle.destroy();
  else if ('close' in handle) handle.close();
}
