/** Who a client is, as decided at the door. */
import type { Actor } from '../audit/index.ts';
import type { WorkspaceId } from '../kernel/index.ts';
import type { TokenRecord } from '../store/index.ts';

export interface Principal {
  readonly workspace: WorkspaceId;
  readonly actor: Actor;
  /** The only profile that it may use; null for the local operator, who may use every one. */
  readonly profile: string | null;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
}

/** Whom a token stands for. */
export const principalOf = ({ workspace, id, profile, agent }: TokenRecord): Principal => ({
  workspace,
  actor: { kind: 'token', id },
  profile,
  agent,
});
