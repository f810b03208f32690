/**
 * The only way from a client to a server: kill switch, profile, tool choice, the owner's rules, audit, then the server. Every
 * request of every session passes here, each time anew, so that a change holds from the next request on.
 *
 * What has nothing to do for a request is not entered: most calls are held back by nobody, limited by nothing and not masked.
 */
import { AppError, type CellId, type Clock, type Log, newId, type Random } from '../../kernel/index.ts';
import { Admission } from './admission.ts';
import { nameUnknown } from '../endpoint/aggregate-routes.ts';
import { CallerLoad } from '../client/caller-load.ts';
import { CallsInFlight } from './cell-calls.ts';
import type { ClientFacts } from '../client/client-facts.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { Forwarded, Target } from './forwarded.ts';
import { HeldCalls, isBack, isHeld } from './held-calls.ts';
import { KillReach } from './kill-reach.ts';
import { listsAndSettings } from '../protocol/lists.ts';
import { Limiting } from './limiting.ts';
import { AnswerMasking } from '../masking/answer-masking.ts';
import type { BesideMask } from '../masking/beside-mask.ts';
import type { RpcResponse } from '../protocol/message.ts';
import { ParkedCalls } from './parked-calls.ts';
import { Pins } from '../pinning/pins.ts';
import type { Named } from './named.ts';
import type { CallAudit } from '../ports/call-audit.ts';
import type { Principal } from '../ports/callers.ts';
import type { CellCalls } from '../ports/cell-calls.ts';
import type { Definitions } from '../ports/definitions.ts';
import type { Approvals, CallLimits, KillSwitch, RuleBook } from '../ports/governance.ts';
import type { MaskBook } from '../ports/masks.ts';
import type { ProfileListener, ProfileServer, ProfileView, Upstreams } from '../ports/upstreams.ts';
import type { RequestControl } from '../client/request-control.ts';
import { type Judged, Ruling } from './ruling.ts';
import { argumentsOf, send } from './sending.ts';
import { Shown } from './shown.ts';
import { isLater, type Soon } from '../soon.ts';
import type { Standings } from '../client/standings.ts';
import { Terms } from './terms.ts';
import { ToolCalls } from './tool-calls.ts';
import type { ListedTool } from '../upstream/tool-catalog.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import type { UpstreamDirectory } from '../upstream/upstream-directory.ts';

export interface GateDeps {
  /** See `FrontDeps`. */
  readonly revision?: () => number;
  readonly upstreams: Upstreams;
  readonly directory: UpstreamDirectory;
  readonly audit: CallAudit;
  readonly kills: KillSwitch;
  readonly standings: Pick<Standings, 'watch'>;
  readonly definitions: Definitions;
  readonly rules: RuleBook;
  readonly limits: CallLimits;
  readonly approvals: Approvals;
  /** How long a client is kept waiting for somebody to agree, in milliseconds. */
  readonly holdMs: number;
  readonly masks: Pick<MaskBook, 'maskersOf'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const LISTS: ReadonlySet<string> = new Set(listsAndSettings);

export class Gate {
  /** Requests that are not answered yet, also those that wait for a server to start. */
  readonly load = new CallerLoad();
  /** What callers are shown of what servers offer. */
  readonly shown: Shown;
  readonly #deps: GateDeps;
  readonly #calls: CallsInFlight;
  readonly #parking: ParkedCalls;
  readonly #terms: Terms;
  readonly #reach: KillReach;
  readonly #admission: Admission;
  readonly #ruling: Ruling;
  readonly #limiting: Limiting;
  readonly #held: HeldCalls;
  readonly #masking: AnswerMasking;
  readonly #toolCalls: ToolCalls;

  constructor(deps: GateDeps) {
    const { audit, definitions, log } = deps;
    this.#deps = deps;
    this.#calls = new CallsInFlight(deps.clock);
    this.#parking = new ParkedCalls({
      random: deps.random,
      watch: (principal, end) => deps.standings.watch(principal, end),
      refused: ({ target: { principal, profile, server }, tool }, code) =>
        audit.refused({ principal, profile, server: server.slug, tool, code }),
    });
    const terms = new Terms(deps);
    const pins = new Pins(definitions, terms);
    const ruling = new Ruling(deps, terms);
    this.#terms = terms;
    this.#ruling = ruling;
    this.#reach = new KillReach(deps, terms);
    this.#admission = new Admission({ audit, pins, ruling, terms });
    this.shown = new Shown({ definitions, pins, ruling, log });
    this.#limiting = new Limiting(deps);
    this.#held = new HeldCalls(deps);
    this.#masking = new AnswerMasking(deps, terms);
    this.#toolCalls = new ToolCalls({
      ...deps,
      reach: this.#reach,
      admission: this.#admission,
      held: this.#held,
      limiting: this.#limiting,
      masking: this.#masking,
      inFlight: this.#calls,
    });
  }

  close(why: AppError): void {
    this.#reach.close();
    this.#parking.close(why);
  }

  /** Told the slug of a server of which more, or other, definitions are agreed to. Returns the way to stop listening. */
  onAgreed(listener: (slug: string) => void): () => void {
    return this.#deps.definitions.onApproved(listener);
  }

  /** Told that other rules hold from now on. Returns the way to stop listening. */
  onRules(listener: () => void): () => void {
    return this.#deps.rules.onChange(listener);
  }

  /** Whether this server runs for this caller already. */
  isOpen({ principal, profile, server }: Target): boolean {
    return this.#deps.directory.isOpen(principal, profile, server.slug);
  }

  /** It, where it is ready for this client's requests now: nothing is begun, and nobody waited for. */
  running({ principal, profile, server }: Target, client: ClientFacts): OpenUpstream | null {
    return this.#deps.directory.running(principal, profile, server.slug, client);
  }

  /** Told the slug of a server that runs for somebody for whom it did not. Returns the way to stop listening. */
  onOpen(listener: (slug: string) => void): () => void {
    return this.#deps.directory.onOpen(listener);
  }

  /** Told when this profile is another from now on. Returns the way to stop listening. */
  onProfile({ workspace }: Principal, name: string | null, listener: ProfileListener): () => void {
    return this.#deps.upstreams.onProfile(workspace, name, listener);
  }

  callsIn(cell: CellId): CellCalls {
    return this.#calls.of(cell);
  }

  callCount(cell: CellId): number {
    return this.#calls.count(cell);
  }

  /** @param about as in `open`. @throws AppError `mcp_profile_unknown`, `kill_active` */
  async profile(principal: Principal, name: string | null, about: Named | null = null): Promise<ProfileView> {
    const allowed = this.#reach.checkCaller(principal, name, about);
    if (isLater(allowed)) await allowed;
    return this.known(principal, name);
  }

  /**
   * The same without a look at the kill switch, for whoever then opens one of its servers.
   *
   * @throws AppError `mcp_profile_unknown`, also as a rejection
   */
  known(principal: Principal, name: string | null): Soon<ProfileView> {
    const view = this.#terms.profile(principal, name);
    return isLater(view) ? view.then((found) => viewed(name, found)) : viewed(name, view);
  }

  /**
   * Without a look at the kill switch, which `open` asks for this very server.
   *
   * @throws AppError `mcp_server_unknown`, `mcp_profile_unknown`, also as a rejection
   */
  server(principal: Principal, profile: string | null, slug: string): Soon<ProfileServer> {
    const view = this.known(principal, profile);
    return isLater(view)
      ? view.then((found) => serverIn(found, profile, slug))
      : serverIn(view, profile, slug);
  }

  /**
   * The running server, started if need be.
   *
   * @param client whose capabilities the server is told, if this is what starts it
   * @param about what is asked for, so that its refusal is on record; null: nothing that is recorded
   * @throws AppError `kill_active`, or why it does not start, also as a rejection
   */
  open(target: Target, client: ClientFacts, about: Named | null = null): Soon<OpenUpstream> {
    const allowed = this.#reach.check(target, about);
    if (isLater(allowed)) return allowed.then(() => this.#opened(target, client, about));
    return this.#opened(target, client, about);
  }

  #opened(target: Target, client: ClientFacts, about: Named | null): Soon<OpenUpstream> {
    const { principal, profile, server } = target;
    const { seen } = this.#reach;
    const found = this.#deps.directory.open(principal, profile, server.slug, client);
    return isLater(found) ? this.#started(target, about, { seen, found }) : found;
  }

  async #started(
    target: Target,
    about: Named | null,
    { seen, found }: { readonly seen: number; readonly found: Promise<OpenUpstream> },
  ): Promise<OpenUpstream> {
    const upstream = await this.telling(target, () => found);
    // A start takes a while; a switch that was set meanwhile holds too.
    if (seen !== this.#reach.seen) await this.#reach.check(target, about);
    return upstream;
  }

  /**
   * Keeps an answer that is there until what comes before it has gone out, and looks then whether it still may.
   *
   * @param about as in `open`
   * @throws AppError `kill_active`, and why its request has ended meanwhile
   */
  async inTurn(
    target: Target,
    about: Named | null,
    control: RequestControl,
    before: Promise<unknown>,
  ): Promise<void> {
    const active = this.#reach.enter(target, control);
    try {
      await before;
      await this.#reach.check(target, about);
      control.assertGoing();
    } finally {
      this.#reach.leave(active);
    }
  }

  /** Any request but `tools/call`. */
  forward(target: Target, upstream: OpenUpstream, given: Forwarded): Promise<RpcResponse> {
    const request = this.#held.asFirst(given);
    const wasAsked = isBack(given);
    const run = (own: Forwarded): Promise<RpcResponse> => this.#forwarded(target, upstream, own, wasAsked);
    if (!this.#parking.takes(target, upstream, request)) return this.telling(target, () => run(request));
    // Its use was taken when it began.
    const admit = async (): Promise<void> => void (await this.#judged(target, request));
    return this.#parked(target, { upstream, request, tool: null, admit, run });
  }

  async #forwarded(
    target: Target,
    upstream: OpenUpstream,
    request: Forwarded,
    wasAsked: boolean,
  ): Promise<RpcResponse> {
    const { control } = request;
    const active = this.#reach.enter(target, control);
    try {
      const first = await this.#judged(target, request);
      let sent = request;
      const go = (): Promise<RpcResponse> => send(upstream, sent);
      const { method } = request.message;
      if (first === null)
        return await (LISTS.has(method)
          ? this.#listed(target, go)
          : this.#masking.heldBeside(target, { about: { method }, control }, go));
      const judged = await this.#agreedTo(target, request, first, wasAsked);
      if ('answer' in judged) return judged.answer;
      const { subject, name, decision } = judged;
      sent = judged.request;
      request.taped?.asked({ cell: upstream.connection.cell, server: target.server.slug });
      const masked = (): Promise<RpcResponse> =>
        this.#masking.held(target, decision?.masks ?? [], { about: { [subject]: name }, control }, go);
      return await this.#limiting.held(target, judged, request, async (measure) => measure(await masked()));
    } finally {
      this.#reach.leave(active);
    }
  }

  /** As rules and its profile are now: they may be others since it came, while somebody thought about it or its server started. */
  async #judged(target: Target, request: Forwarded): Promise<Judged | null> {
    const { principal, profile, server } = target;
    if (!LISTS.has(request.message.method)) {
      const still = this.server(principal, profile, server.slug);
      if (isLater(still)) await still;
    }
    return this.#ruling.judgeForwarded(target, request);
  }

  /** Holds it back where a rule says so. @returns what was judged last, or what its client is told in place of an answer */
  async #agreedTo(
    target: Target,
    request: Forwarded,
    first: Judged,
    wasAsked: boolean,
  ): Promise<(Judged & { readonly request: Forwarded }) | { readonly answer: RpcResponse }> {
    const { subject, name } = first;
    const judgement = { decision: first.decision, definition: null };
    if (!isHeld(judgement)) return { ...first, request };
    const call = newId<'call'>('call', this.#deps.random);
    const argumentsText = argumentsOf(request);
    const held = { target, request, subject, name, argumentsText, call, isBack: wasAsked };
    const cleared = await this.#held.clear(held, judgement, async () => {
      const judged = await this.#judged(target, request);
      return { decision: judged?.decision ?? null, definition: null };
    });
    if (cleared.kind === 'wait') return cleared;
    return { subject, name, decision: cleared.admitted.decision, request: cleared.request };
  }

  /**
   * Watching a resource, where that is no request of the client's which `forward` takes.
   *
   * @param uri the server's own
   * @param work begins it
   */
  async watch(target: Target, uri: string, request: ClientRequest, work: () => Promise<void>): Promise<void> {
    const judged = await this.#ruling.judgeWatch(target, uri, request);
    await this.#limiting.held(target, judged, request, work);
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
      const agreed = this.telling(target, async () =>
        this.#admission.agreed(target, 'prompt', upstream.prompts, name),
      );
      const listed = await agreed.catch((error: unknown) => {
        // It declares prompts, and does not list any.
        if (!(error instanceof AppError) || error.code !== 'upstream_error') throw error;
        return undefined;
      });
      // A server may know one by more names than it lists, and rules know it by that one.
      if (listed === null && (await this.#ruling.isRuled(target)))
        throw nameUnknown('prompt', name, 'List the prompts to see what there is.');
    }
    return this.forward(target, upstream, request);
  }

  /** @param tool the server's own name of it */
  call(target: Target, upstream: OpenUpstream, tool: string, given: Forwarded): Promise<RpcResponse> {
    const request = this.#held.asFirst(given);
    const wasAsked = isBack(given);
    const run = (own: Forwarded): Promise<RpcResponse> => {
      const id = newId<'call'>('call', this.#deps.random);
      return this.#toolCalls.make({ id, target, upstream, tool, request: own }, wasAsked);
    };
    if (!this.#parking.takes(target, upstream, request)) return this.telling(target, () => run(request));
    // Its use was taken when it began.
    const admit = async (): Promise<void> => {
      await this.#admission.call(target, upstream, tool, request);
    };
    return this.#parked(target, { upstream, request, tool, admit, run });
  }

  /** Runs something that may fail in the words of a server: those are masked as what it says beside its answers. */
  async telling<T>(target: Target, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await this.#masking.failure(target, error);
    }
  }

  /** Lists stay as they are; why there is none does not. */
  async #listed(target: Target, go: () => Promise<RpcResponse>): Promise<RpcResponse> {
    const answer = await go();
    return answer.failed ? this.#masking.asking(target, answer) : answer;
  }

  /** What masks what a server says to this caller beside its answers. */
  maskBeside(target: Target): BesideMask {
    return this.#masking.beside(target);
  }

  /** A request whose client may be asked in its midst by the end of it. */
  #parked(
    target: Target,
    errand: Omit<Parameters<ParkedCalls['serve']>[0], 'target' | 'masked'>,
  ): Promise<RpcResponse> {
    const masked = (answer: RpcResponse): Promise<RpcResponse> => this.#masking.asking(target, answer);
    return this.telling(target, () => this.#parking.serve({ ...errand, target, masked }));
  }

  /** See `Shown`; what is stopped is not shown either. @throws AppError `kill_active`, `definitions_unapproved` */
  async agreedTools(target: Target): Promise<readonly ListedTool[]> {
    await this.#reach.check(target, null);
    return this.shown.agreedTools(target);
  }
}

function viewed(name: string | null, profile: ProfileView | null): ProfileView {
  if (profile !== null) return profile;
  throw new AppError('mcp_profile_unknown', `There is no profile "${name ?? ''}".`, {
    kind: 'not_found',
    hint: 'See the profiles: sallyport profile list',
  });
}

function serverIn({ servers }: ProfileView, profile: string | null, slug: string): ProfileServer {
  for (const server of servers) if (server.slug === slug) return server;
  const where = profile === null ? 'There is no enabled server' : `Profile "${profile}" has no server`;
  const names = servers.map((candidate) => candidate.slug).join(', ');
  throw new AppError('mcp_server_unknown', `${where} "${slug}".`, {
    kind: 'not_found',
    hint: names === '' ? 'Add one: sallyport server add NAME' : `There are: ${names}.`,
  });
}
