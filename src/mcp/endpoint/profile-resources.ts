/**
 * What the servers of one profile list as resources, as of when each was asked last, whoever asked: so that an address
 * means the same in every session, and in none at all. A URI belongs to the first server of the profile that lists it,
 * and what matches a template to the first that has one; the same of a later server is shown as
 * `sallyport://<server>/<the URI>`, which says itself where it goes. Pure.
 *
 * Servers say what they like here: what one of them says must never make the address of an earlier one mean something
 * else, nor take room without end.
 */
import { limits } from '../../kernel/index.ts';
import type { ProfileServer, UpstreamEra } from '../ports/upstreams.ts';
import { UriPattern } from '../protocol/uri-pattern.ts';

const OWN_SCHEME = 'sallyport://';

export interface ResourceRoute {
  readonly slug: string;
  /** The server's own URI. */
  readonly uri: string;
}

interface Offer {
  /** Whether it has resources at all. */
  readonly isAny: boolean;
  /** Null: not listed yet. */
  readonly uris: ReadonlySet<string> | null;
  readonly templates: ReadonlyMap<string, UriPattern> | null;
}

const UNKNOWN: Offer = { isAny: true, uris: null, templates: null };
const NONE: Offer = { isAny: false, uris: new Set(), templates: new Map() };

export class ProfileResources {
  #order: readonly string[] = [];
  /** Of each server what it said to either kind of client: those may be shown different things. */
  readonly #offers = new Map<string, Map<UpstreamEra, Offer>>();

  /** The servers of the profile as it is now. */
  ordered(servers: readonly ProfileServer[]): void {
    this.#order = servers.map(({ slug }) => slug);
    for (const slug of this.#offers.keys()) if (!this.#order.includes(slug)) this.#offers.delete(slug);
  }

  /** It has none. @param era in which it said so, here and below */
  hasNone(slug: string, era: UpstreamEra): void {
    this.#offersOf(slug).set(era, NONE);
  }

  /** Whether it has listed both, since it is in the profile. */
  knows(slug: string, era: UpstreamEra): boolean {
    return isListed(this.#offers.get(slug)?.get(era) ?? UNKNOWN);
  }

  listedUris(slug: string, era: UpstreamEra, uris: readonly string[]): void {
    let chars = 0;
    const kept = uris.filter((uri) => {
      chars += uri.length;
      return chars <= limits.mcpRoutedUriCharsMax && !uri.startsWith(OWN_SCHEME);
    });
    this.#said(slug, era, { uris: new Set(kept) });
  }

  listedTemplates(slug: string, era: UpstreamEra, templates: readonly string[]): void {
    const kept = templates
      .filter((one) => one.length <= limits.mcpRoutedTemplateCharsMax && !one.startsWith(OWN_SCHEME))
      .slice(0, limits.mcpRoutedTemplatesMax)
      .map((one) => [one, new UriPattern(one)] as const);
    this.#said(slug, era, { templates: new Map(kept) });
  }

  /** Under which URI clients see one that this server lists. */
  exposedUri(slug: string, uri: string): string {
    const owner = this.#order.find((each) => this.#lists(each, uri));
    return owner === slug ? uri : qualifiedUri(slug, uri);
  }

  /** The same of a template: as it is, unless an earlier server has one that could become the same URI. */
  exposedTemplate(slug: string, template: string): string {
    const pattern = this.#all(slug)
      .find(({ templates }) => templates?.has(template))
      ?.templates?.get(template);
    const before = this.#order.slice(0, this.#order.indexOf(slug));
    const isFree =
      pattern !== undefined &&
      before.every((each) => !this.#patterns(each).some((other) => other.overlaps(pattern)));
    // Not encoded: its variables could not be filled in rightly then.
    return isFree ? template : `${OWN_SCHEME}${slug}/${template}`;
  }

  /** Under which URI clients know something that the server speaks of, listed or not. */
  known(slug: string, uri: string): string {
    const route = this.find(uri);
    return route?.slug === slug && route.uri === uri ? uri : qualifiedUri(slug, uri);
  }

  /** Null when no server has said that it has it. */
  find(uri: string): ResourceRoute | null {
    if (uri.startsWith(OWN_SCHEME)) return ownUri(uri);
    const slug =
      this.#order.find((each) => this.#lists(each, uri)) ??
      this.#order.find((each) => this.#all(each).some(({ templates }) => templates?.has(uri))) ??
      this.#order.find((each) => this.#patterns(each).some((pattern) => pattern.matches(uri))) ??
      this.#onlyOffer();
    return slug === undefined ? null : { slug, uri };
  }

  /** The only server that has resources at all, once all have said so: an unlisted URI can only be its. */
  #onlyOffer(): string | undefined {
    const [only, ...others] = this.#order.filter((slug) => this.#all(slug).some(({ isAny }) => isAny));
    if (only === undefined || others.length > 0) return undefined;
    // One kind of client that asked for less must not hide from the other what it asked for.
    return this.#all(only).some(isListed) ? only : undefined;
  }

  #lists(slug: string, uri: string): boolean {
    return this.#all(slug).some(({ uris }) => uris?.has(uri));
  }

  #said(slug: string, era: UpstreamEra, said: Partial<Offer>): void {
    const offers = this.#offersOf(slug);
    offers.set(era, { ...(offers.get(era) ?? UNKNOWN), isAny: true, ...said });
  }

  #offersOf(slug: string): Map<UpstreamEra, Offer> {
    const known = this.#offers.get(slug) ?? new Map<UpstreamEra, Offer>();
    this.#offers.set(slug, known);
    return known;
  }

  #all(slug: string): readonly Offer[] {
    const offers = this.#offers.get(slug);
    return offers === undefined ? [UNKNOWN] : [...offers.values()];
  }

  #patterns(slug: string): readonly UriPattern[] {
    return this.#all(slug).flatMap(({ templates }) => [...(templates?.values() ?? [])]);
  }
}

const isListed = ({ uris, templates }: Offer): boolean => uris !== null && templates !== null;

/** A URI that says itself which server it is of. */
export const qualifiedUri = (slug: string, uri: string): string =>
  `${OWN_SCHEME}${slug}/${encodeURIComponent(uri)}`;

function ownUri(uri: string): ResourceRoute | null {
  const rest = uri.slice(OWN_SCHEME.length);
  const slash = rest.indexOf('/');
  if (slash <= 0) return null;
  const [slug, own] = [rest.slice(0, slash), rest.slice(slash + 1)];
  // A colon is encoded where the whole is, and what a template became begins with a scheme.
  if (own.includes(':')) return { slug, uri: own };
  try {
    return { slug, uri: decodeURIComponent(own) };
  } catch {
    return null;
  }
}
