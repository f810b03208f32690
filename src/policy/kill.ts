/** The kill switch as data: which kills are set, and whether one of them covers a subject. */
import { type Permission, type Refusal, refuse } from './decision.ts';

export type KillScope = 'all' | 'workspace' | 'server' | 'token' | 'user';

export interface Kill {
  readonly scope: KillScope;
  /** Workspace id, server slug, token id or user id; ignored for `all`. */
  readonly target: string;
  /** Why it was set, if the person said so. */
  readonly reason?: string | null;
}

/** Everything that a kill can be aimed at. What is absent is not concerned. */
export interface KillSubject {
  readonly workspace: string;
  readonly server?: string;
  readonly token?: string;
  readonly user?: string;
}

/** The first kill that covers the subject, `null` when none does. */
export function findKill(kills: readonly Kill[], subject: KillSubject): Kill | null {
  return kills.find((kill) => covers(kill, subject)) ?? null;
}

function covers({ scope, target }: Kill, subject: KillSubject): boolean {
  return scope === 'all' || subject[scope] === target;
}

/** Whether the subject may act, as far as kills go. */
export function decideKill(
  kills: readonly Kill[],
  subject: KillSubject,
): Permission | Refusal<'kill_active'> {
  const kill = findKill(kills, subject);
  if (kill === null) return { allow: true };
  const what = kill.scope === 'all' ? 'everything' : `${kill.scope} ${kill.target}`;
  const why = kill.reason ? `: ${kill.reason}` : '';
  const flag = kill.scope === 'all' ? '--all' : `--${kill.scope} ${kill.target}`;
  return refuse(
    'kill_active',
    `The kill switch is set for ${what}${why}.`,
    `An owner can lift it with: sallyport resume ${flag}`,
  );
}
