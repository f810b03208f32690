/**
 * The only way from a client to a server: kill switch, profile, tool choice, audit, then the server. Every
 * request of every session passes here, each time anew, so that a change holds from the next request on.
 */
import { AppError, type CellId, type Clock, limits, type Log, newId, type Random } from '../kernel/index.ts';
import { decideCall, visibleTools } from '../policy/index.ts';
import { askBack } from './ask-back.ts';
import { CallsInFlight } from './cell-calls.ts';
import type { ClientFacts } from './client-facts.ts';
import { paramSpan, resultOf, type RpcResponse } from './message.ts';
import type { ClientRequest } from './client-request.ts';
import type { Forwarded, Target } from './forwarded.ts';
import { headerDeclarationFault, paramHeaderFault, paramHeadersOf } from './param-headers.ts';
import { ParkedCalls } from './parked-calls.ts';
import { definitionHash } from './pinning/definition-hash.ts';
import { type PinnedServer, Pins } from './pinning/pins.ts';
import type {
  CallAudit,
  CallFacts,
  CallOutcome,
  CallRef,
  CellCalls,
  Definitions,
  KillSwitch,
  Principal,
  ProfileServer,
  ProfileView,
  Upstreams,
} from './ports.ts';
import { type Edit, find, slice } from './raw-json.ts';
import type { RequestControl } from './request-control.ts';
import { printable } from './printable.ts';
import type { Standings } from './standings.ts';
import type { DefinitionCatalog, ListedDefinition, ListedTool } from './tool-catalog.ts';
import type { OpenUpstream, UpstreamDirectory } from './upstream-directory.ts';

export interface GateDeps {
  readonly upstreams: Upstreams;
  readonly directory: UpstreamDirectory;
  readonly audit: CallAudit;
  readonly kills: KillSwitch;
  readonly standings: Pick<Standings, 'watch'>;
  readonly definitions: Definitions;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How messages name the local operator's view of all servers. */
const LOCAL_PROFILE = 'local';

interface Active {
  readonly target: Target;
  readonly control: RequestControl;
}

export class Gate {
  readonly #deps: GateDeps;
  readonly #active = new Set<Active>();
  readonly #calls: CallsInFlight;
  readonly #parking: ParkedCalls;
  readonly #pins: Pins;
  readonly #stopListening: () => void;
  /** Counts the switches that were set since the start. */
  #killsSeen = 0;

  constructor(deps: GateDeps) {
    this.#deps = deps;
    this.#calls = new CallsInFlight(deps.clock);
    this.#parking = new ParkedCalls({
      random: deps.random,
      watch: (principal, end) => deps.standings.watch(principal, end),
      refused: ({ target: { principal, profile, server }, tool }, code) =>
        deps.audit.refused({ principal, profile, server: server.slug, tool, code }),
    });
    this.#pins = new Pins(deps.definitions);
    this.#stopListening = deps.kills.onKill(() => this.#recheck());
  }

  close(why: AppError): void {
    this.#stopListening();
    this.#parking.close(why);
  }

  /** Told the slug of a server of which more, or other, definitions are agreed to. Returns the way to stop listening. */
  onAgreed(listener: (slug: string) => void): () => void {
    return this.#deps.definitions.onApproved(listener);
  }

  callsIn(cell: CellId): CellCalls {
    return this.#calls.of(cell);
  }

  callCount(cell: CellId): number {
    return this.#calls.count(cell);
  }

  /** @throws AppError `mcp_profile_unknown`, `kill_active` */
  async profile(principal: Principal, name: string | null): Promise<ProfileView> {
    await this.#deps.kills.check(principal, null);
    return this.#view(principal, name);
  }

  /** Without a look at the kill switch, which `open` asks for this very server. @throws AppError `mcp_server_unknown`, `mcp_profile_unknown` */
  async server(principal: Principal, profileName: string | null, slug: string): Promise<ProfileServer> {
    const profile = await this.#view(principal, profileName);
    const server = profile.servers.find((candidate) => candidate.slug === slug);
    if (server !== undefined) return server;
    const where =
      profileName === null ? 'There is no enabled server' : `Profile "${profileName}" has no server`;
    const names = profile.servers.map((candidate) => candidate.slug).join(', ');
    throw new AppError('mcp_server_unknown', `${where} "${slug}".`, {
      kind: 'not_found',
      hint: names === '' ? 'Add one: sallyport server add NAME' : `There are: ${names}.`,
    });
  }

  /**
   * The running server, started if need be.
   *
   * @param client whose capabilities the server is told, if this is what starts it
   * @param tool what is to be called, so that a refusal is recorded as that of a call
   * @throws AppError `kill_active`, or why it does not start
   */
  async open(target: Target, client: ClientFacts, tool?: string): Promise<OpenUpstream> {
    const { principal, profile, server } = target;
    await this.#checkKills(target, tool);
    const kills = this.#killsSeen;
    const upstream = await this.#deps.directory.open(principal, profile, server.slug, client);
    // A start takes a while; a switch that was set meanwhile holds too.
    if (kills !== this.#killsSeen) await this.#checkKills(target, tool);
    return upstream;
  }

  /** Any request but `tools/call`. */
  forward(target: Target, upstream: OpenUpstream, request: Forwarded): Promise<RpcResponse> {
    const run = (own: Forwarded): Promise<RpcResponse> =>
      this.#tracked(target, own, () => this.#send(upstream, own));
    return this.#parking.serve({ target, upstream, request, tool: null, admit: async () => {}, run });
  }

  /** `prompts/get`. @param name the server's own name of it */
  async prompt(
    target: Target,
    upstream: OpenUpstream,
    name: string,
    request: Forwarded,
  ): Promise<RpcResponse> {
    // What it does not list is its own to answer: no client can have been told what it would be.
    if (upstream.hello.has('prompts')) {
      await this.#agreed(target, 'prompt', upstream.prompts, name).catch((error: unknown) => {
        // It declares prompts, and does not list any.
        if (!(error instanceof AppError) || error.code !== 'upstream_error') throw error;
      });
    }
    return this.forward(target, upstream, request);
  }

  /** @param tool the server's own name of it */
  call(target: Target, upstream: OpenUpstream, tool: string, request: Forwarded): Promise<RpcResponse> {
    const admit = async (): Promise<void> => void (await this.#admit(target, upstream, tool, request));
    const run = (own: Forwarded): Promise<RpcResponse> => this.#call(target, upstream, tool, own);
    return this.#parking.serve({ target, upstream, request, tool, admit, run });
  }

  #call(target: Target, upstream: OpenUpstream, tool: string, request: Forwarded): Promise<RpcResponse> {
    return this.#tracked(target, request, async () => {
      const found = await this.#admit(target, upstream, tool, request);
      const { principal, profile, server } = target;
      const { cell } = upstream.connection;
      const id = newId<'call'>('call', this.#deps.random);
      const facts: CallFacts = { id, principal, profile, server: server.slug, tool, cell };
      await this.#deps.audit.started(facts);
      const call = callRef(facts, found?.annotations?.readOnlyHint === true);
      const told = found === null ? request : repeating(found, request);
      return this.#recorded(facts, () => {
        this.#calls.enter(cell, call, upstream.connection.exited);
        return this.#timed(server, request, () => this.#send(upstream, told));
      });
    });
  }

  /**
   * Of a server's tools, those that this caller may see; exactly those that it may call.
   *
   * @throws AppError `definitions_unapproved`
   */
  async visible<Tool extends ListedTool>(target: Target, tools: readonly Tool[]): Promise<readonly Tool[]> {
    const agreed = await this.#pins.kept(pinned(target), 'tool', tools);
    const chosen = visibleTools(agreed, choiceOf(target.server));
    return target.mirrored === true ? chosen.filter((tool) => this.#isMirrorable(target, tool)) : chosen;
  }

  /** Of a server's prompts, those that somebody agreed to. @throws AppError `definitions_unapproved` */
  visiblePrompts(target: Target, prompts: readonly ListedDefinition[]): Promise<readonly ListedDefinition[]> {
    return this.#pins.kept(pinned(target), 'prompt', prompts);
  }

  /** Whether somebody agreed to what a server tells every agent to begin with. @param text a JSON string */
  async instructionsAgreed(target: Target, text: string): Promise<boolean> {
    const seen = { name: '', text, hash: definitionHash(text) };
    return (await this.#pins.verdict(pinned(target), 'instructions', seen)) === 'approved';
  }

  /** A client that repeats parameters in headers must not be shown a tool that says it wrongly how. */
  #isMirrorable({ server }: Target, { name, text }: ListedTool): boolean {
    const reason = headerDeclarationFault(text);
    if (reason !== null)
      this.#deps.log.warn('mcp.tool.left_out', { server: server.slug, tool: shown(name), reason });
    return reason === null;
  }

  /** Runs a request in reach of the kill switch. */
  async #tracked<T>(target: Target, { control }: Forwarded, work: () => Promise<T>): Promise<T> {
    const active: Active = { target, control };
    this.#active.add(active);
    try {
      return await work();
    } finally {
      this.#active.delete(active);
    }
  }

  /** Runs a call whose start is on record, which `work` puts in flight. It is not any more after it, and its outcome recorded. */
  async #recorded(facts: CallFacts, work: () => Promise<RpcResponse>): Promise<RpcResponse> {
    const startedMs = this.#deps.clock.monotonic();
    let outcome: Outcome = { outcome: 'failed', code: 'internal_error' };
    try {
      const response = await work();
      outcome = outcomeOf(response);
      return response;
    } catch (error) {
      if (error instanceof AppError) {
        outcome = { outcome: error.code === 'mcp_cancelled' ? 'cancelled' : 'failed', code: error.code };
      }
      throw error;
    } finally {
      this.#calls.leave(facts.cell, facts.id);
      this.#finished(facts, { ...outcome, durationMs: this.#deps.clock.monotonic() - startedMs });
    }
  }

  /** Ends a call that takes longer than its server's manifest allows, whatever progress it shows: the server is told, and its client. */
  async #timed<T>(server: ProfileServer, { control }: Forwarded, work: () => Promise<T>): Promise<T> {
    if (server.callSeconds === null) return work();
    const error = callTimeLimit(server.slug, server.callSeconds);
    const timer = setTimeout(() => control.cancel(error), server.callSeconds * 1_000);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  async #checkKills(target: Target, tool: string | undefined): Promise<void> {
    const { principal, profile, server } = target;
    try {
      await this.#deps.kills.check(principal, server.slug);
    } catch (error) {
      if (tool !== undefined && error instanceof AppError) {
        const refusal = { principal, profile, server: server.slug, tool, code: error.code };
        await this.#deps.audit.refused(refusal);
      }
      throw error;
    }
  }

  async #view(principal: Principal, name: string | null): Promise<ProfileView> {
    const profile = await this.#deps.upstreams.profile(principal.workspace, name);
    if (profile !== null) return profile;
    throw new AppError('mcp_profile_unknown', `There is no profile "${name ?? ''}".`, {
      kind: 'not_found',
      hint: 'See the profiles: sallyport profile list',
    });
  }

  async #send(upstream: OpenUpstream, request: Forwarded): Promise<RpcResponse> {
    const answer = await sendOnce(upstream, request);
    if (upstream.hello.era === 'session' || request.client.era === 'stateless') return answer;
    const { message, owner, control } = request;
    const send = (edits: readonly Edit[]): Promise<RpcResponse> =>
      sendOnce(upstream, { ...request, edits: [...(request.edits ?? []), ...edits] });
    return askBack({ slug: upstream.connection.slug, message, owner, control, send }, answer);
  }

  /** @returns the tool as the server lists it; null where it does not */
  async #admit(
    target: Target,
    upstream: OpenUpstream,
    tool: string,
    request: ClientRequest,
  ): Promise<ListedTool | null> {
    const { principal, profile, server } = target;
    const refused = (code: string): Promise<void> =>
      this.#deps.audit.refused({ principal, profile, server: server.slug, tool, code });
    const found = await this.#agreed(target, 'tool', upstream.tools, tool).catch(async (error: unknown) => {
      if (error instanceof AppError && error.kind === 'denied') await refused(error.code);
      throw error;
    });
    const decision = decideCall(
      { workspace: principal.workspace, profile: profile ?? LOCAL_PROFILE, server: server.slug, tool },
      // No kills here: the switch is asked through its port, which knows what other processes set.
      { ...choiceOf(server), tool: found ?? undefined, kills: [] },
    );
    if (decision.allow) {
      const fault = target.mirrored === true && found !== null ? headerFault(found, request) : null;
      if (fault === null) return found;
      await refused('mcp_header_mismatch');
      throw headersDisagree(fault);
    }
    const { code, message, hint } = decision;
    await refused(code);
    throw new AppError(code, message, { kind: code === 'tool_unknown' ? 'not_found' : 'denied', hint });
  }

  /**
   * A definition that somebody agreed to; null where the server lists none of that name. What is not agreed to may be what
   * it said before, so it is asked once more.
   *
   * @throws AppError `definitions_unapproved`, `tool_new`, `tool_changed`, `prompt_new`, `prompt_changed`
   */
  async #agreed<Kind extends ListedDefinition>(
    target: Target,
    kind: 'tool' | 'prompt',
    catalog: Pick<DefinitionCatalog<Kind>, 'find' | 'findNow'>,
    name: string,
  ): Promise<Kind | null> {
    const found = await catalog.find(name);
    if (found === null || (await this.#pins.verdict(pinned(target), kind, found)) === 'approved')
      return found;
    const now = await catalog.findNow(name);
    if (now !== null) await this.#pins.check(pinned(target), kind, now);
    return now;
  }

  #finished(facts: CallFacts, outcome: CallOutcome): void {
    this.#deps.audit.finished(facts, outcome).catch((error: unknown) => {
      this.#deps.log.error('mcp.call.finish_not_recorded', { call: facts.id, error: String(error) });
    });
  }

  /** A kill switch was set: what it covers and is in flight ends now. */
  #recheck(): void {
    this.#killsSeen += 1;
    for (const { target, control } of this.#active) {
      this.#deps.kills.check(target.principal, target.server.slug).catch((error: unknown) => {
        if (error instanceof AppError) control.cancel(error);
      });
    }
  }
}

function sendOnce(upstream: OpenUpstream, request: Forwarded): Promise<RpcResponse> {
  const { control, ...outgoing } = request;
  control.assertGoing();
  const pending = upstream.connection.request(outgoing);
  control.bind(pending);
  return pending.response;
}
const pinned = ({ principal, server }: Target): PinnedServer => ({
  workspace: principal.workspace,
  slug: server.slug,
});

/** The operator at the local socket is a user of the machine, not one of ours. */
const callRef = ({ id, tool, principal: { actor, agent } }: CallFacts, readOnly: boolean): CallRef => ({
  id,
  tool,
  readOnly,
  actor: actor.id,
  token: actor.kind === 'token' ? actor.id : null,
  user: actor.kind === 'user' ? actor.id : null,
  agent,
});

const argumentsOf = ({ message }: ClientRequest): string | null => {
  const given = paramSpan(message, 'arguments');
  return given === null ? null : slice(message.text, given);
};

const headerFault = ({ text }: ListedTool, request: ClientRequest): string | null =>
  paramHeaderFault(text, argumentsOf(request), request.carried);

/** What the definition wants repeated beside the call is the gateway's to say: few clients have a place for it. */
function repeating<Asked extends ClientRequest>({ text }: ListedTool, request: Asked): Asked {
  const repeated = paramHeadersOf(text, argumentsOf(request));
  if (repeated.size === 0) return request;
  return { ...request, carried: { paramHeaders: new Map([...request.carried.paramHeaders, ...repeated]) } };
}

const headersDisagree = (fault: string): AppError =>
  new AppError('mcp_header_mismatch', `Bad Request: the request headers and body disagree: ${fault}`, {
    kind: 'invalid',
    hint: 'List the tools again: the definition says which parameters are repeated in headers, and how.',
  });

const shown = (name: string): string => printable(name, limits.toolNameShownCharsMax);

/** The kill switch is asked separately, through its port, and a server that is not enabled is in no profile. */
const choiceOf = (server: ProfileServer) => ({
  serverEnabled: true,
  choice: server.tools,
  defaultTools: server.defaultTools ?? undefined,
});

const callTimeLimit = (slug: string, seconds: number): AppError =>
  new AppError('call_time_limit', `The call to "${slug}" was stopped: call limit ${seconds} s.`, {
    kind: 'unavailable',
    hint: `The limit is \`limits.callSeconds\` of its manifest. See what it is doing: sallyport server logs ${slug}`,
  });

type Outcome = Omit<CallOutcome, 'durationMs'>;

function outcomeOf(response: RpcResponse): Outcome {
  const error = response.members.get('error');
  if (error !== undefined) {
    const code = find(response.text, error.start, ['code']);
    return { outcome: 'error', ...(code === null ? {} : { code: slice(response.text, code).slice(0, 20) }) };
  }
  const result = resultOf(response);
  const isError = result === null ? null : find(response.text, result.start, ['isError']);
  return { outcome: isError !== null && slice(response.text, isError) === 'true' ? 'tool_error' : 'ok' };
}
