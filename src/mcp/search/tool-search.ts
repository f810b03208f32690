/**
 * The tools of a profile, found by words. No server is started for it: what is searched is what somebody agreed to, as it
 * is stored, and what is given is what this caller may see at this moment, by the same decision as a list.
 */
import { AppError, limits, type WorkspaceId } from '../../kernel/index.ts';
import type { ClientSession } from '../client/client-session.ts';
import { type LeftOut, leftOutMeta } from '../endpoint/aggregate-lists.ts';
import type { Target } from '../gate/forwarded.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import { membersOf, slice } from '../protocol/raw-json.ts';
import type { ListedTool } from '../upstream/tool-catalog.ts';
import { exposedName } from '../protocol/tool-names.ts';
import { type Asked, metaTools, namedOffers, type Offer } from './meta-tools.ts';
import { type Hit, type Indexed, ToolIndex } from './tool-index.ts';

/** The tools of one server that can be searched now. */
interface Searchable extends Indexed {
  readonly target: Target;
}

interface Shelf {
  readonly searchable: readonly Searchable[];
  /** Servers whose tools cannot be searched, and why. */
  readonly leftOut: readonly LeftOut[];
}

interface Known {
  /** What it was made from. */
  readonly from: readonly Indexed[];
  readonly index: Promise<ToolIndex>;
}

export class ToolSearch {
  /** By workspace and profile; the one that was asked last is the last. */
  readonly #indexes = new Map<string, Known>();

  /** The `result` of `tools/list`. */
  async list(session: ClientSession, servers: readonly ProfileServer[]): Promise<string> {
    const shelf = await shelfOf(session, servers);
    return `{"tools":[${metaTools(await offersOf(session, shelf)).join(',')}]${leftOutMeta(shelf)}}`;
  }

  /** The `result` of a call of `find_tools`. */
  async find(session: ClientSession, servers: readonly ProfileServer[], asked: Asked): Promise<string> {
    const shelf = await shelfOf(session, servers);
    if (asked.server !== null && !servers.some(({ slug }) => slug === asked.server)) {
      const offers = namedOffers(await offersOf(session, shelf));
      return failedText(`There is no server "${asked.server.slice(0, 100)}" here. There are: ${offers}.`);
    }
    const index = await this.#indexOf(session, shelf.searchable);
    const ranked = index.rank(asked.query, asked.server);
    const { hits, more } = await visibleHits(session, shelf.searchable, ranked, asked.limit);
    const note = hits.length > 0 ? null : nothingFound(await offersOf(session, shelf), shelf.leftOut);
    return foundText(hits, more, note, leftOutMeta(shelf));
  }

  /** Made anew when what it is made from has changed; those who ask meanwhile share one. */
  #indexOf(session: ClientSession, from: readonly Indexed[]): Promise<ToolIndex> {
    const key = indexKey(session.principal.workspace, session.profile);
    const known = this.#indexes.get(key);
    this.#indexes.delete(key);
    const current = known !== undefined && isSame(known.from, from) ? known : madeFrom(from);
    this.#indexes.set(key, current);
    current.index.catch(() => {
      if (this.#indexes.get(key) === current) this.#indexes.delete(key);
    });
    for (const oldest of this.#indexes.keys()) {
      if (this.#indexes.size <= limits.mcpFindIndexesMax) break;
      this.#indexes.delete(oldest);
    }
    return current.index;
  }
}

const indexKey = (workspace: WorkspaceId, profile: string | null): string =>
  JSON.stringify([workspace, profile]);

const madeFrom = (from: readonly Indexed[]): Known => ({ from, index: ToolIndex.of(from) });

const isSame = (before: readonly Indexed[], now: readonly Indexed[]): boolean =>
  before.length === now.length &&
  before.every(({ slug, title, tools }, at) => {
    const other = now[at];
    return other?.slug === slug && other.title === title && other.tools === tools;
  });

async function shelfOf(session: ClientSession, servers: readonly ProfileServer[]): Promise<Shelf> {
  const leftOut: LeftOut[] = [];
  const searchable = await Promise.all(
    servers.map(async (server): Promise<readonly Searchable[]> => {
      // Nothing beside a call of `call_tool` repeats what is in it.
      const target: Target = { ...session.target(server), mirrored: false };
      try {
        const tools = await session.gate.agreedTools(target);
        return [{ slug: server.slug, title: server.title, tools, target }];
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        leftOut.push({ server: server.slug, code: error.code });
        return [];
      }
    }),
  );
  return { searchable: searchable.flat(), leftOut };
}

async function offersOf(session: ClientSession, { searchable }: Shelf): Promise<readonly Offer[]> {
  return Promise.all(
    searchable.map(async ({ slug, title, tools, target }) => ({
      slug,
      title,
      count: (await session.gate.shown.tools(target, tools)).length,
    })),
  );
}

/** The best that the caller may see. Whether it may is asked of no more than it takes to find them. */
async function visibleHits(
  session: ClientSession,
  searchable: readonly Searchable[],
  ranked: readonly Hit[],
  wanted: number,
): Promise<{ readonly hits: readonly Hit[]; readonly more: boolean }> {
  const targets = new Map(searchable.map(({ slug, target }) => [slug, target]));
  const hits: Hit[] = [];
  for (let from = 0; from < ranked.length && hits.length <= wanted; from += wanted) {
    const piece = ranked.slice(from, from + wanted);
    const visible = new Map<string, readonly ListedTool[]>();
    for (const [slug, target] of targets) {
      const tools = piece.filter((hit) => hit.slug === slug).map(({ tool }) => tool);
      if (tools.length === 0) continue;
      visible.set(slug, await session.gate.shown.tools(target, tools));
    }
    hits.push(...piece.filter(({ slug, tool }) => visible.get(slug)?.includes(tool) === true));
  }
  return { hits: hits.slice(0, wanted), more: hits.length > wanted };
}

/** A definition under the name that it is called by, with its server; everything else as it was given. */
function definitionText({ slug, tool }: Hit): string {
  const rest = [...(membersOf(tool.text) ?? [])]
    .filter(([member]) => member !== 'name' && member !== 'server')
    .map(([member, span]) => `${JSON.stringify(member)}:${slice(tool.text, span)}`);
  const own = [`"server":${JSON.stringify(slug)}`, `"name":${JSON.stringify(exposedName(slug, tool.name))}`];
  return `{${[...own, ...rest].join(',')}}`;
}

/** As structured content, and as text for clients that read nothing else. */
function foundText(hits: readonly Hit[], more: boolean, note: string | null, meta: string): string {
  const definitions: string[] = [];
  let left = limits.mcpFindCharsMax;
  for (const hit of hits) {
    const text = definitionText(hit);
    left -= text.length;
    if (left < 0 && definitions.length > 0) break;
    definitions.push(text);
  }
  const members = [
    `"tools":[${definitions.join(',')}]`,
    `"more":${more || definitions.length < hits.length}`,
  ];
  if (note !== null) members.push(`"note":${JSON.stringify(note)}`);
  const found = `{${members.join(',')}}`;
  const text = `{"type":"text","text":${JSON.stringify(found)}}`;
  return `{"content":[${text}],"structuredContent":${found}${meta}}`;
}

function nothingFound(offers: readonly Offer[], leftOut: readonly LeftOut[]): string {
  const servers = offers.length === 0 ? 'no server' : namedOffers(offers);
  const missing = leftOut.map(({ server, code }) => `${server} (${code})`).join(', ');
  const rest = missing === '' ? '' : ` Not searched: ${missing}.`;
  return `No tool fits. Try other words, or those of a server: ${servers}.${rest}`;
}

/** The `result` of a call that was not made rightly: for the model to read and do better. */
export const failedText = (message: string): string =>
  JSON.stringify({ content: [{ type: 'text', text: message }], isError: true });
