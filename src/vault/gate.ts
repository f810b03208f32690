/** The first step of everything that the vault does: may this caller do this, here and now? Refuses by throwing. */
import { RECEIVERS } from '../audit/index.ts';
import type { ServerId } from '../kernel/index.ts';
import type { Store } from '../store/index.ts';
import { type Deed, mayDo } from './authority.ts';
import { type KillState, killActive } from './kill-state.ts';
import { ServerDirectory } from './server-directory.ts';
import type { Caller } from './types.ts';
import { denied } from './vault-error.ts';

/** What it is about, as far as the decision needs it. */
export interface GateSubject {
  readonly server: ServerId;
  readonly serverSlug: string;
  readonly owner: string | null;
  /** Name of a credential whose value is to go somewhere; absent: none does. */
  readonly credential?: string;
}

export class Gate {
  readonly #kills: KillState;
  readonly #servers: ServerDirectory;

  constructor(kills: KillState, store: Pick<Store, 'servers' | 'revision'>) {
    this.#kills = kills;
    this.#servers = new ServerDirectory(store);
  }

  /** @throws AppError `kill_active`, `vault_denied` */
  async admit(caller: Caller, deed: Deed, subject: GateSubject): Promise<void> {
    // The kill switch stops what runs. Whoever cleans up after an incident must be able to change and delete.
    if (deed === 'use') await this.stopIfKilled(caller, subject);
    this.allow(caller, deed, subject.owner);
    if (deed === 'use' && isReceivers(subject) && caller.actor.kind !== 'system')
      throw denied('Only the gateway itself uses what its receivers need.');
    const server = await this.#servers.find(caller.workspace, subject.server);
    // The slug goes into the audit and decided the kill switch: it must be the server's own.
    if (server === null || server.slug !== subject.serverSlug) {
      throw denied(`There is no server \`${subject.serverSlug}\` in this workspace.`);
    }
    if (deed === 'use' && !server.enabled) throw denied(`The server \`${server.slug}\` is disabled.`);
  }

  /** For what is not about a server. @throws AppError `vault_denied` */
  allow(caller: Caller, deed: Deed, owner: string | null): void {
    const allowed = mayDo(caller.actor, deed, owner);
    if (!allowed.ok) throw denied(allowed.error);
  }

  /** @throws AppError `kill_active` */
  async stopIfKilled(caller: Caller, subject: GateSubject): Promise<void> {
    // What leaves while everything is stopped is decided by whoever tells it: an alarm does.
    if (isReceivers(subject)) return;
    const { serverSlug, owner, credential } = subject;
    const kill = await this.#kills.active({
      ...caller,
      server: serverSlug,
      owner,
      ...(credential === undefined ? {} : { credential }),
    });
    if (kill !== null) throw killActive(kill);
  }
}

/** No server is called so: see there. */
const isReceivers = ({ serverSlug }: GateSubject): boolean => serverSlug === RECEIVERS;
