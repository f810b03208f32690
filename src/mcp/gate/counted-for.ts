/** Who asks for what, as limits and rules count it. */
import type { Target } from './forwarded.ts';

/** @param name the server's own */
export const countedFor = ({ principal: { actor, agent }, server }: Target, name: string) => ({
  server: server.slug,
  name,
  agent,
  token: actor.kind === 'token' ? actor.id : null,
  user: actor.kind === 'user' ? actor.id : null,
});
