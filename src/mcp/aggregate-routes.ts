/**
 * From what a client of a whole profile names to the server that it means: tools and prompts by their prefix,
 * resources by who listed them. Where two servers list the same URI, the later one's is shown as
 * `sallyport://<server>/<the URI, percent-encoded>`.
 */
import { AppError } from '../kernel/index.ts';
import type { ProfileServer } from './ports.ts';
import { namePrefix } from './tool-names.ts';

const OWN_SCHEME = 'sallyport://';

export interface ResourceRoute {
  readonly slug: string;
  /** The server's own URI. */
  readonly uri: string;
}

/** The server that an exposed tool or prompt name belongs to; null when none. */
export function serverOfName(servers: readonly ProfileServer[], exposed: string): ProfileServer | null {
  return servers.find(({ slug }) => exposed.startsWith(namePrefix(slug))) ?? null;
}

export const nameUnknown = (what: 'tool' | 'prompt', name: string): AppError =>
  new AppError(`mcp_${what}_unknown`, `Unknown ${what}: ${name.slice(0, 100)}`, {
    kind: 'not_found',
    hint: `Names at this endpoint are <server>__<${what}>; list them to see what there is.`,
  });

export const resourceUnknown = (uri: string): AppError =>
  new AppError('mcp_resource_unknown', `Resource not found: ${uri.slice(0, 200)}`, {
    kind: 'not_found',
    hint: 'List the resources first: a URI is routed to the server that listed it.',
  });

/** The resources and templates that were listed, by server. */
export class ResourceRoutes {
  readonly #byUri = new Map<string, string>();
  readonly #templates = new Map<string, { readonly slug: string; readonly literals: readonly string[] }>();

  /** Notes a listed resource and says under which URI the client sees it. */
  exposed(slug: string, uri: string): string {
    const owner = this.#byUri.get(uri);
    if (owner === undefined) this.#byUri.set(uri, slug);
    return owner === undefined || owner === slug ? uri : `${OWN_SCHEME}${slug}/${encodeURIComponent(uri)}`;
  }

  noteTemplate(slug: string, template: string): void {
    if (this.#templates.has(template)) return;
    this.#templates.set(template, { slug, literals: template.split(/\{[^{}]*\}/) });
  }

  /** Null when nobody listed it. */
  find(uri: string): ResourceRoute | null {
    if (uri.startsWith(OWN_SCHEME)) return ownUri(uri);
    const slug = this.#byUri.get(uri) ?? this.#templates.get(uri)?.slug;
    if (slug !== undefined) return { slug, uri };
    for (const template of this.#templates.values()) {
      if (matches(template.literals, uri)) return { slug: template.slug, uri };
    }
    return null;
  }
}

function ownUri(uri: string): ResourceRoute | null {
  const rest = uri.slice(OWN_SCHEME.length);
  const slash = rest.indexOf('/');
  if (slash <= 0) return null;
  try {
    return { slug: rest.slice(0, slash), uri: decodeURIComponent(rest.slice(slash + 1)) };
  } catch {
    return null;
  }
}

/** Whether the literal parts of a template stand in the URI in order; linear, whatever the template. */
function matches(literals: readonly string[], uri: string): boolean {
  const [first = '', ...others] = literals;
  const last = others.pop();
  if (last === undefined) return uri === first;
  if (!uri.startsWith(first) || uri.length < first.length + last.length || !uri.endsWith(last)) return false;
  let at = first.length;
  const end = uri.length - last.length;
  for (const literal of others) {
    const found = uri.indexOf(literal, at);
    if (found === -1 || found + literal.length > end) return false;
    at = found + literal.length;
  }
  return true;
}
