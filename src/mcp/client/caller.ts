/** Who a request counts for, where something is kept between requests: a token or a user, at one profile. */
import type { Principal } from '../ports/callers.ts';

export const callerOf = ({ workspace, actor, profile }: Principal): string =>
  JSON.stringify([workspace, actor.kind, actor.id, profile]);
