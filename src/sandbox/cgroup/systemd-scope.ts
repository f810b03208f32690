/**
 * Asks systemd for a scope of this process's own, with a group that it may divide: what a program that was started in a
 * login session does not have, and cannot make by itself, since its group is the session's.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { limits } from '../../kernel/index.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import type { Manager, OwnGroup } from './detect.ts';

const SYSTEMD_TOOLS = { busctl: '/usr/bin/busctl', systemctl: '/usr/bin/systemctl' } as const;
const RUNNING = '/run/systemd/system';

/** @returns whose scope it would be; null for a process that has no business with a manager: a service, or in a container */
export function scopeManager({ path }: OwnGroup, userId: number): Manager | null {
  if (!path.startsWith('/user.slice/') || path.endsWith('.service')) return null;
  return userId === 0 ? 'system' : 'user';
}

export const scopeName = ({ pid, startTime }: ProcessIdentity): string =>
  `sallyport-${pid}-${startTime}.scope`;

/** Arguments of `busctl`: the call, its signature, and a value for each part of it. */
export function scopeArguments(self: ProcessIdentity, manager: Manager): readonly string[] {
  const properties = [
    ['Description', 's', 'Sallyport and its cells'],
    ['PIDs', 'au', '1', String(self.pid)],
    ['Delegate', 'b', 'true'],
    ['CollectMode', 's', 'inactive-or-failed'],
  ];
  return [
    `--${manager}`,
    'call',
    'org.freedesktop.systemd1',
    '/org/freedesktop/systemd1',
    'org.freedesktop.systemd1.Manager',
    'StartTransientUnit',
    'ssa(sv)a(sa(sv))',
    scopeName(self),
    'fail',
    String(properties.length),
    ...properties.flat(),
    '0',
  ];
}

/** @returns whether a program of systemd ended well; its output */
export type Ask = (program: string, args: readonly string[]) => Promise<boolean>;

/** The bus of a user is where its session keeps it; no variable of this process is believed. */
const busEnvironment = (userId: number): Record<string, string> => ({
  XDG_RUNTIME_DIR: `/run/user/${userId}`,
});

export function systemdAsk(userId: number): Ask {
  return (program, args) =>
    new Promise((resolve) => {
      const options = { env: busEnvironment(userId), cwd: '/', timeout: limits.systemdAnswerMs };
      execFile(program, args, options, (error) => resolve(error === null));
    });
}

/**
 * @param inScope whether this process is in its scope by now: the manager answers before it has moved it
 * @returns whether it is
 */
export async function enterScope(
  self: ProcessIdentity,
  manager: Manager,
  ask: Ask,
  inScope: () => boolean,
): Promise<boolean> {
  if (!(await ask(SYSTEMD_TOOLS.busctl, scopeArguments(self, manager)))) return false;
  const waitMs = 5;
  for (let waited = 0; !inScope(); waited += waitMs) {
    if (waited > limits.systemdAnswerMs) return false;
    await sleep(waitMs);
  }
  return true;
}

/** Whether systemd is what runs this machine, and can be talked to. */
export const systemdRuns = (): boolean => existsSync(RUNNING) && existsSync(SYSTEMD_TOOLS.busctl);

/** @returns whether a unit has `Delegate=`; null where that cannot be asked */
export function unitDelegates(unit: string, manager: Manager, userId: number): boolean | null {
  if (!existsSync(RUNNING)) return null;
  const { status, stdout } = spawnSync(
    SYSTEMD_TOOLS.systemctl,
    [`--${manager}`, 'show', '--property=Delegate', '--', unit],
    { env: busEnvironment(userId), cwd: '/', encoding: 'utf8', timeout: limits.systemdAnswerMs },
  );
  return status === 0 ? stdout.trim() === 'Delegate=yes' : null;
}
