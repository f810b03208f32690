/** The kill switch as data: which kills are set, and whether one of them covers a subject. */
import { type Permission, type Refusal, refuse } from './decision.ts';

export type KillScope = 'all' | 'workspace' | 'server' | 'token' | 'user' | 'credential';

export interface Kill {
  readonly scope: KillScope;
  /** Whose it is, where those of several workspaces are asked together; absent: of the workspace that is asked about. */
  readonly workspace?: string | null;
  /** Server slug, token id, user id, or `SERVER/NAME` of a credential; for `workspace` its id, unless the field above names it; ignored for `all`. */
  readonly target: string;
  /** Why it was set, if the person said so. */
  readonly reason?: string | null;
}

/** Everything that a kill can be aimed at. What is absent or null is not concerned. */
export interface KillSubject {
  readonly workspace: string;
  readonly server?: string | null;
  readonly token?: string | null;
  readonly user?: string | null;
  /** `SERVER/NAME` of one that is about to be used. */
  readonly credential?: string | null;
  /** The user on whose behalf it happens, where that is not the one above. */
  readonly owner?: string | null;
}

/** The first kill that covers the subject, `null` when none does. */
export function findKill<K extends Kill>(kills: readonly K[], subject: KillSubject): K | null {
  return kills.find((kill) => covers(kill, subject)) ?? null;
}

function covers({ scope, workspace, target }: Kill, subject: KillSubject): boolean {
  if (scope === 'all') return true;
  if (workspace !== undefined && workspace !== subject.workspace) return false;
  if (scope === 'server') return subject.server === target;
  if (scope === 'credential') return subject.credential === target;
  if (scope === 'token') return subject.token === target;
  if (scope === 'user') return subject.user === target || subject.owner === target;
  if (scope === 'workspace') return (workspace ?? target) === subject.workspace;
  // A scope that this version does not know stops the whole workspace.
  return true;
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
