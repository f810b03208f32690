/**
 * Whether a caller may have what it names: its definition is one that somebody agreed to, the profile chooses the tool, the
 * headers beside the call repeat what it says, and the owner's rules allow it. What is refused is on record first.
 */
import { AppError } from '../../kernel/index.ts';
import { decideCall } from '../../policy/index.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { Target } from './forwarded.ts';
import type { Judgement } from './held-calls.ts';
import { paramHeaderFault } from '../protocol/param-headers.ts';
import type { Pins } from '../pinning/pins.ts';
import type { CallAudit } from '../ports/call-audit.ts';
import type { PinVerdict } from '../ports/definitions.ts';
import type { ProfileServer, ProfileView } from '../ports/upstreams.ts';
import type { Ruling } from './ruling.ts';
import { argumentsOf } from './sending.ts';
import { isLater, type Soon } from '../soon.ts';
import type { Terms } from './terms.ts';
import type { DefinitionCatalog, ListedDefinition, ListedTool } from '../upstream/tool-catalog.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

/** How messages name the local operator's view of all servers. */
const LOCAL_PROFILE = 'local';

export interface AdmissionDeps {
  readonly audit: Pick<CallAudit, 'refused'>;
  readonly pins: Pins;
  readonly ruling: Ruling;
  readonly terms: Pick<Terms, 'profile'>;
}

/** A call that may go, at once or when somebody agrees. */
export interface Admitted extends Judgement {
  /** The tool as its server lists it; null where it does not. */
  readonly found: ListedTool | null;
}

export class Admission {
  readonly #deps: AdmissionDeps;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /**
   * @param tool the server's own name of it
   * @throws AppError, also as a rejection: `definitions_unapproved`, `tool_…`, `server_…`, `mcp_header_mismatch`, and as rules say
   */
  call(target: Target, upstream: OpenUpstream, tool: string, request: ClientRequest): Soon<Admitted> {
    const found = this.agreed(target, 'tool', upstream.tools, tool);
    return isLater(found)
      ? this.#lookedUp(target, tool, found, request)
      : this.#chosen(target, tool, found, request);
  }

  /**
   * A definition that somebody agreed to; null where the server lists none of that name. What is not agreed to may be what
   * it said before, so it is asked once more.
   *
   * @throws AppError, as a rejection: `definitions_unapproved`, `tool_new`, `tool_changed`, `prompt_new`, `prompt_changed`
   */
  agreed<Kind extends ListedDefinition>(
    target: Target,
    kind: 'tool' | 'prompt',
    catalog: Pick<DefinitionCatalog<Kind>, 'known' | 'find' | 'findNow'>,
    name: string,
  ): Soon<Kind | null> {
    const known = catalog.known(name);
    if (known === null) return this.#found(target, kind, catalog, name);
    const verdict = this.#deps.pins.verdict(target, kind, known);
    return verdict === 'approved' ? known : this.#again(target, kind, catalog, { found: known, verdict });
  }

  async #found<Kind extends ListedDefinition>(
    target: Target,
    kind: 'tool' | 'prompt',
    catalog: Pick<DefinitionCatalog<Kind>, 'find' | 'findNow'>,
    name: string,
  ): Promise<Kind | null> {
    const found = await catalog.find(name);
    if (found === null) return null;
    return this.#again(target, kind, catalog, {
      found,
      verdict: this.#deps.pins.verdict(target, kind, found),
    });
  }

  async #again<Kind extends ListedDefinition>(
    target: Target,
    kind: 'tool' | 'prompt',
    catalog: Pick<DefinitionCatalog<Kind>, 'findNow'>,
    { found, verdict }: { readonly found: Kind; readonly verdict: Soon<PinVerdict> },
  ): Promise<Kind | null> {
    if ((await verdict) === 'approved') return found;
    const now = await catalog.findNow(found.name);
    if (now !== null) await this.#deps.pins.check(target, kind, now);
    return now;
  }

  async #lookedUp(
    target: Target,
    tool: string,
    found: Promise<ListedTool | null>,
    request: ClientRequest,
  ): Promise<Admitted> {
    let listed: ListedTool | null;
    try {
      listed = await found;
    } catch (error) {
      if (error instanceof AppError && error.kind === 'denied')
        await this.#recordRefusal(target, tool, error.code);
      throw error;
    }
    return this.#chosen(target, tool, listed, request);
  }

  /** As the profile chooses now: it may be another since the request came, while somebody thought about it or its server started. */
  #chosen(target: Target, tool: string, found: ListedTool | null, request: ClientRequest): Soon<Admitted> {
    const view = this.#deps.terms.profile(target.principal, target.profile);
    return isLater(view)
      ? view.then((now) => this.#chosenIn(now, target, { tool, found, request }))
      : this.#chosenIn(view, target, { tool, found, request });
  }

  #chosenIn(
    view: ProfileView | null,
    target: Target,
    { tool, found, request }: { tool: string; found: ListedTool | null; request: ClientRequest },
  ): Soon<Admitted> {
    const { principal, profile, server } = target;
    const now = view?.servers.find(({ slug }) => slug === server.slug);
    const choice = decideCall(
      { workspace: principal.workspace, profile: profile ?? LOCAL_PROFILE, server: server.slug, tool },
      // No kills here: the switch is asked through its port, which knows what other processes set.
      {
        ...choiceOf(now ?? server),
        ...(now === undefined ? { choice: undefined } : {}),
        tool: found ?? undefined,
        kills: [],
      },
    );
    if (!choice.allow) {
      const { code, message, hint } = choice;
      const kind = code === 'tool_unknown' ? 'not_found' : 'denied';
      return this.#refuse(target, tool, new AppError(code, message, { kind, hint }));
    }
    const fault = target.mirrored === true && found !== null ? headerFault(found, request) : null;
    if (fault !== null) return this.#refuse(target, tool, headersDisagree(fault));
    const definition = found?.text ?? null;
    const about = { subject: 'tool', name: tool, definition: found } as const;
    const decision = this.#deps.ruling.judge(target, about, request);
    return isLater(decision)
      ? decision.then((judged) => ({ found, decision: judged, definition }))
      : { found, decision, definition };
  }

  async #refuse(target: Target, tool: string, error: AppError): Promise<never> {
    await this.#recordRefusal(target, tool, error.code);
    throw error;
  }

  #recordRefusal({ principal, profile, server }: Target, tool: string, code: string): Promise<void> {
    return this.#deps.audit.refused({ principal, profile, server: server.slug, tool, code });
  }
}

/** The kill switch is asked separately, through its port, and a server that is not enabled is in no profile. */
export const choiceOf = (server: ProfileServer) => ({
  serverEnabled: true,
  choice: server.tools,
  defaultTools: server.defaultTools ?? undefined,
});

const headerFault = ({ text }: ListedTool, request: ClientRequest): string | null =>
  paramHeaderFault(text, argumentsOf(request), request.carried);

const headersDisagree = (fault: string): AppError =>
  new AppError('mcp_header_mismatch', `Bad Request: the request headers and body disagree: ${fault}`, {
    kind: 'invalid',
    hint: 'List the tools again: the definition says which parameters are repeated in headers, and how.',
  });
