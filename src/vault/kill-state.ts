/**
 * The kill switch as whoever is about to act sees it. Answers from memory as long as nothing in the store has
 * changed, which it asks before each answer: a switch that another process set holds from the next question on.
 * When the store cannot be asked, so is nobody let through.
 */
import type { Actor } from '../audit/index.ts';
import { AppError, type WorkspaceId } from '../kernel/index.ts';
import { findKill, type KillSubject } from '../policy/index.ts';
import type { KillRecord, Store } from '../store/index.ts';

/** What is about to act. */
export interface KillTarget {
  readonly workspace: WorkspaceId;
  /** The server's slug; null where none is concerned. */
  readonly server: string | null;
  readonly actor: Actor;
  /** The user on whose behalf it happens, where there is one beside the actor. */
  readonly owner?: string | null;
  /** Name of the server's credential that is about to be used; absent: none is. */
  readonly credential?: string;
}

export interface KillState {
  /** The switch that stops this, or null. @throws AppError `store_*` */
  active(target: KillTarget): Promise<KillRecord | null>;
}

export function createKillState(store: Pick<Store, 'kills' | 'revision'>): KillState {
  let known: { readonly revision: number; readonly kills: readonly KillRecord[] } | undefined;
  return {
    async active(target) {
      // Taken before reading: a change in between makes the next question read again.
      const revision = store.revision();
      if (known?.revision !== revision) known = { revision, kills: await store.kills.listEverywhere() };
      return findKill(known.kills, subjectOf(target));
    },
  };
}

function subjectOf({ workspace, server, actor, owner, credential }: KillTarget): KillSubject {
  const { kind, id } = actor;
  return {
    workspace,
    server,
    token: kind === 'token' ? id : null,
    user: kind === 'user' ? id : null,
    owner: owner ?? null,
    credential: credential === undefined || server === null ? null : `${server}/${credential}`,
  };
}

const SUBJECTS: Readonly<Record<KillRecord['scope'], (target: string) => string>> = {
  all: () => 'Everything',
  workspace: () => 'This workspace',
  server: (target) => `The server \`${target}\``,
  token: () => 'This token',
  user: () => 'This user',
  credential: (target) => `The credential \`${target}\``,
};

/** @returns the error for whoever is stopped; the reason that was given stays inside */
export const killActive = ({ scope, target, reason, by }: KillRecord): AppError =>
  new AppError('kill_active', `${SUBJECTS[scope](target)} has been stopped with the kill switch.`, {
    kind: 'denied',
    hint: `An owner can lift it: sallyport resume --${scope}${target === '' ? '' : ` ${target}`}`,
    detail: { scope, target, reason, by },
  });
