/** Who a caller is, and whether it still may: `main/` supplies what stands behind these interfaces, here and in this whole folder. */
import type { Actor } from '../../audit/index.ts';
import type { WorkspaceId } from '../../kernel/index.ts';
import type { Soon } from '../soon.ts';

/** Who a client is, as decided at the door and never by anything that the client says afterwards. */
export interface Principal {
  readonly workspace: WorkspaceId;
  readonly actor: Actor;
  /** The only profile that it may use; null for the local operator, who may use every one. */
  readonly profile: string | null;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
  /** Its token stood in the address of the request that it came with. */
  readonly tokenInUrl?: true;
}

/** Whether a caller that was let in may go on. */
export interface Standing {
  /**
   * From memory where possible: asked for each client.
   *
   * @returns until when, in milliseconds since the Unix epoch, Infinity for no end; null: not any more
   */
  until(principal: Principal): Promise<number | null>;
  /** Told when that may have changed for anybody. Returns the way to stop listening. */
  onChange(listener: () => void): () => void;
}

/**
 * Who presents this token.
 *
 * @param remoteAddress for rate limits
 * @returns the same object for as long as nothing about it has changed, where that is known
 * @throws AppError of kind `unauthenticated` or `limited`, as a rejection
 */
export type Authenticate = (token: string, remoteAddress: string) => Soon<Principal>;
