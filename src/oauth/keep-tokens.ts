/**
 * New tokens to where they are kept. A login and a renewal may end at the same time, in two processes as well, and a
 * logout between them: the tokens in the vault are always those of the login on record, or there are none. So whoever
 * stores tokens says first who it is, and looks afterwards whether the record still says so.
 */
import { Secret } from '../kernel/index.ts';
import type { Grant } from './grant.ts';
import { GRANT_SLOTS, type GrantDeps, type GrantServer } from './ports.ts';

export async function putToken(
  values: GrantDeps['values'],
  server: GrantServer,
  slot: 'OAUTH_ACCESS_TOKEN' | 'OAUTH_REFRESH_TOKEN',
  token: string,
): Promise<void> {
  const value = Secret.fromString(token);
  try {
    await values.put(server, slot, value);
  } finally {
    value.destroy();
  }
}

/** A login that a person has to have again. */
export const lost = (grant: Grant): Grant => ({
  ...grant,
  state: 'login_needed',
  refreshable: false,
  refreshing: null,
});

/**
 * Puts on record what tokens belong to that were just stored. Where the record is another's by now nobody can say whose
 * they are: they are removed, and that login is lost.
 *
 * @param change null: it is another's
 * @returns whether they are kept
 */
export async function settle(
  { rows, values }: Pick<GrantDeps, 'rows' | 'values'>,
  server: GrantServer,
  change: (stored: Grant) => Grant | null,
): Promise<boolean> {
  let isKept = false;
  await rows.edit(server, (stored) => {
    const after = stored === null ? null : change(stored);
    isKept = after !== null;
    return after ?? (stored === null ? null : lost(stored));
  });
  if (isKept) return true;
  for (const slot of ['OAUTH_ACCESS_TOKEN', 'OAUTH_REFRESH_TOKEN'] as const)
    await values.remove(server, slot);
  return false;
}

/** Nothing is left of a login, nor of the client that it was had as; the record first, so that whoever stores more is told. */
export async function clear(
  { rows, values }: Pick<GrantDeps, 'rows' | 'values'>,
  server: GrantServer,
): Promise<void> {
  await rows.edit(server, () => null);
  for (const slot of GRANT_SLOTS) await values.remove(server, slot);
}
