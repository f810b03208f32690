/** Who asks for what, as limits and rules count it. */
import { plainReading } from '../../policy/index.ts';
import type { Target } from './forwarded.ts';
import type { Named } from './named.ts';

/** By the server's own name of what is asked for. */
export const countedFor = (
  { principal: { actor, agent }, server }: Target,
  { subject, name }: Pick<Named, 'subject' | 'name'>,
) => ({
  server: server.slug,
  // Whoever writes it in another way begins no other count.
  name: subject === 'resource' ? plainReading(name) : name,
  agent,
  token: actor.kind === 'token' ? actor.id : null,
  user: actor.kind === 'user' ? actor.id : null,
});
