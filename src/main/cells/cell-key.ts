/**
 * Which cell of a server serves whom: one for each profile and each owner of credentials, unless its manifest says that
 * everybody shares one. Pure.
 */
import { err, ok, type Result } from '../../kernel/index.ts';
import type { Manifest } from '../../manifest/index.ts';
import type { CredentialInfo } from '../../vault/index.ts';

/** Who wants to use a server. */
export interface CellUser {
  /** Null is the operator's own view of all servers. */
  readonly profile: string | null;
  /** Null for whoever is no user: the operator, an agent's token. */
  readonly user: string | null;
}

export interface CellKey {
  readonly slug: string;
  readonly profile: string | null;
  /** The user whose own values its credentials have, where there are any; null: those that the workspace shares. */
  readonly owner: string | null;
  /** It serves every profile and every user. */
  readonly shared: boolean;
}

/** One value that a cell may use. */
interface HeldCredential {
  readonly owner: string | null;
  readonly version: number;
}

/** By the names of the credentials. */
export type HeldCredentials = ReadonlyMap<string, HeldCredential>;

export const keyText = ({ slug, profile, owner }: Omit<CellKey, 'shared'>): string =>
  `${slug}\n${profile === null ? '' : `+${profile}`}\n${owner === null ? '' : `+${owner}`}`;

/**
 * @param infos what is set for the server, of every owner
 * @returns an error with the name of a user who has a value of their own for a server that everybody shares: its cell would
 *   do in the name of one what another asked for
 */
export function cellKey(
  slug: string,
  { server }: Pick<Manifest, 'server'>,
  { profile, user }: CellUser,
  infos: readonly Pick<CredentialInfo, 'owner'>[],
): Result<CellKey, string> {
  if (server.kind === 'sandboxed' && server.shared === true) {
    const another = infos.find(({ owner }) => owner !== null)?.owner ?? null;
    return another === null ? ok({ slug, profile: null, owner: null, shared: true }) : err(another);
  }
  const owns = user !== null && infos.some(({ owner }) => owner === user);
  return ok({ slug, profile, owner: owns ? user : null, shared: false });
}

/** Whether a cell is still the right one for those whom it serves. */
export function stillServes(
  { slug, profile, owner, shared }: CellKey,
  manifest: Pick<Manifest, 'server'>,
  infos: readonly Pick<CredentialInfo, 'owner'>[],
): boolean {
  const now = cellKey(slug, manifest, { profile, user: owner }, infos);
  return now.ok && now.value.shared === shared && now.value.owner === owner;
}

/** The owner's own value wins over the shared one, credential by credential. */
export function heldBy(
  owner: string | null,
  infos: readonly Pick<CredentialInfo, 'name' | 'owner' | 'version'>[],
): HeldCredentials {
  const of = (wanted: string | null): [string, HeldCredential][] =>
    infos
      .filter((info) => info.owner === wanted)
      .map((info) => [info.name, { owner: info.owner, version: info.version }]);
  return new Map([...of(null), ...(owner === null ? [] : of(owner))]);
}

export const sameHeld = (one: HeldCredentials, other: HeldCredentials): boolean =>
  one.size === other.size &&
  [...one].every(([name, { owner, version }]) => {
    const now = other.get(name);
    return now?.owner === owner && now.version === version;
  });
