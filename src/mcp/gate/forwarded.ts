/** A request of a client on its way through the gate. */
import type { ClientRequest } from '../client/client-request.ts';
import type { Principal } from '../ports/callers.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import type { Edit } from '../protocol/raw-json.ts';
import type { Attachment } from '../upstream/server-requests.ts';

/** Whose request it is, and what for. */
export interface Target {
  readonly principal: Principal;
  readonly profile: string | null;
  readonly server: ProfileServer;
  /** Whether headers beside the request repeat its parameters (HTTP, revision 2026-07-28). */
  readonly mirrored?: boolean;
}

export interface Forwarded extends ClientRequest {
  /** Changes that the server's own names and the profile's choices make necessary. */
  readonly edits?: readonly Edit[];
  readonly owner: Attachment | null;
}
