/** What of an endpoint's lists may be another since its profile is. Pure. */
import { listChanged, listed } from '../protocol/lists.ts';
import type { ProfileServer, ProfileView } from '../ports/upstreams.ts';

/** Of a profile that is gone nothing is shown, and its clients are told in other ways. */
type View = Pick<ProfileView, 'servers' | 'search'>;
const NOTHING: View = { servers: [], search: false };

const namesOf = ({ servers }: View): string => JSON.stringify(servers.map(({ slug }) => slug));

/** Where tools of a server are chosen: the only thing in it that lists depend on. */
const choices = ({ servers }: View): string =>
  JSON.stringify(servers.map(({ slug, tools, defaultTools }) => [slug, tools, defaultTools]));

const only = (slug: string, { servers, search }: View): View => ({
  servers: servers.filter((server: ProfileServer) => server.slug === slug),
  search,
});

/** Of a whole profile: the changes to tell, by their methods. Two tools in place of all stay the same. */
export function profileChanges(before: View | null, now: View | null): readonly string[] {
  const [was, is] = [before ?? NOTHING, now ?? NOTHING];
  const lists = new Set<(typeof listed)[number]>();
  if (namesOf(was) !== namesOf(is)) for (const list of listed) lists.add(list);
  if (choices(was) !== choices(is)) lists.add('tools');
  if (was.search && is.search) lists.delete('tools');
  if (was.search !== is.search) lists.add('tools');
  return [...lists].map(listChanged);
}

/** The same of one of its servers. */
export function serverChanges(slug: string, before: View | null, now: View | null): readonly string[] {
  const [was, is] = [only(slug, before ?? NOTHING), only(slug, now ?? NOTHING)];
  if (namesOf(was) !== namesOf(is)) return listed.map(listChanged);
  return choices(was) === choices(is) ? [] : [listChanged('tools')];
}
