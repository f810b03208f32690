/**
 * Clients of revision 2026-07-28 in front of servers with sessions. Such a server asks its client in the middle of a
 * call; such a client is asked by ending its request with `input_required`, and answers with another try. In between
 * the call stays open at the server: it is parked here, under a handle that the client gives back as `requestState`.
 *
 * The handle is the client's to show, so it is worth nothing by itself: it holds for the caller, endpoint, method and
 * parameters that it was made for, once, and for a while. What it stands for is in this process only.
 */
import { AppError, limits, type Random } from '../../kernel/index.ts';
import { callerOf } from '../client/caller.ts';
import type { ClientFacts } from '../client/client-facts.ts';
import type { Forwarded, Target } from './forwarded.ts';
import { ABOUT_INPUT, inputResponses, mayAsk } from '../client/input-required.ts';
import { type RpcResponse, paramSpan, paramString } from '../protocol/message.ts';
import { ParkedCall } from './parked-call.ts';
import type { Principal } from '../ports/callers.ts';
import { membersOf, slice } from '../protocol/raw-json.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import { elicitationRequired } from '../client/url-elicitation.ts';
import { withoutMembers } from '../protocol/without-members.ts';

const HANDLE_BYTES = 24;

/** One request of a client, and what is done for it. */
export interface Errand {
  readonly target: Target;
  readonly upstream: OpenUpstream;
  readonly request: Forwarded;
  /** The server's own name of the tool that is called; null for anything else. */
  readonly tool: string | null;
  /** Decides whether the caller may, once more. @throws AppError */
  readonly admit: () => Promise<void>;
  /** Does it, from its admission to its record. */
  readonly run: (request: Forwarded) => Promise<RpcResponse>;
  /** What is left of the server's questions once rules masked them. */
  readonly masked: (answer: RpcResponse) => Promise<RpcResponse>;
}

interface Parked {
  readonly call: ParkedCall;
  readonly caller: string;
  readonly connection: UpstreamConnection;
  /** Others need not put up with it any more. */
  givesWay: boolean;
  /** What it was made for. */
  readonly purpose: ReadonlyMap<string, string>;
  /** Lets go of what would end it. */
  readonly release: () => void;
}

export interface ParkingDeps {
  readonly random: Random;
  /** Calls `end` once the caller may not go on. Returns the way to stop watching. */
  watch(principal: Principal, end: (error: AppError) => void): () => void;
  /** A handle that does not hold was shown. */
  refused(errand: Errand, code: string): Promise<void>;
}

export class ParkedCalls {
  readonly #deps: ParkingDeps;
  readonly #parked = new Map<string, Parked>();

  constructor(deps: ParkingDeps) {
    this.#deps = deps;
  }

  /** Gives up all that is parked. */
  close(why: AppError): void {
    for (const handle of this.#parked.keys()) this.#take(handle)?.call.control.cancel(why);
  }

  /** Whether a request is one for `serve`, whose client may be asked in its midst. Before it begins: makes way for it. */
  takes(target: Target, { connection, hello }: OpenUpstream, { message, client }: Forwarded): boolean {
    if (!mayAsk(message.method)) return false;
    if (this.#parked.size > 0) this.#makeWay(connection, client, target);
    return client.era === 'stateless' && hello.era === 'session';
  }

  /** A request that it takes. @throws AppError `mcp_input_state_invalid`, and as `admit` and `run` */
  async serve(errand: Errand): Promise<RpcResponse> {
    const { request } = errand;
    const { message, client } = request;
    const state = paramSpan(message, 'requestState');
    const call = state === null ? this.#begin(errand) : await this.#resumed(errand);
    const end = await call.attend(request);
    if (end !== 'input') return elicitationRequired(call.told(end), client);
    return errand.masked(call.inputRequired(this.#park(errand, call)));
  }

  /**
   * Gives up what its client left alone while others want to use the same server, which does not say whom it asks: until
   * then nobody could be asked about their calls. Before theirs begins, so that no question is put to the wrong one.
   */
  #makeWay(connection: UpstreamConnection, client: ClientFacts, { principal }: Target): void {
    if (connection.saysWhichCall) return;
    const own = client.era === 'stateless' ? callerOf(principal) : null;
    for (const [handle, parked] of this.#parked) {
      if (parked.connection !== connection || !parked.givesWay || parked.caller === own) continue;
      this.#take(handle)?.call.control.cancel(expired());
    }
  }

  #begin(errand: Errand): ParkedCall {
    const { request, target } = errand;
    const caller = callerOf(target.principal);
    const call = new ParkedCall(request, caller, () => this.#count(caller) < limits.mcpParkedCallsMax);
    // Answers to what an error of the server asked for: the server itself knows of none.
    const plain = withoutMembers(request, ['inputResponses']);
    call.follow(errand.run({ ...plain, owner: call, control: call.control }));
    return call;
  }

  /** @throws AppError `mcp_input_state_invalid`, and as `admit` */
  async #resumed(errand: Errand): Promise<ParkedCall> {
    const { request, target, admit } = errand;
    const handle = paramString(request.message, 'requestState') ?? '';
    const parked = this.#parked.get(handle);
    const holds =
      parked !== undefined &&
      parked.caller === callerOf(target.principal) &&
      isSame(parked.purpose, purposeOf(errand));
    if (!holds) {
      const error = stateInvalid();
      await this.#deps.refused(errand, error.code);
      throw error;
    }
    await admit();
    // Somebody else may have shown it meanwhile: it counts once.
    if (this.#take(handle) === null) throw stateInvalid();
    parked.call.answer(inputResponses(request.message));
    return parked.call;
  }

  #park(errand: Errand, call: ParkedCall): string {
    const handle = this.#deps.random.bytes(HANDLE_BYTES).toString('base64url');
    const { principal } = errand.target;
    const end = (error: AppError): void => this.#take(handle)?.call.control.cancel(error);
    const timer = setTimeout(() => end(expired()), limits.mcpParkedMs);
    const stopWatching = this.#deps.watch(principal, end);
    const alone = setTimeout(() => {
      parked.givesWay = true;
    }, limits.mcpParkedAloneMs);
    const release = (): void => {
      clearTimeout(timer);
      clearTimeout(alone);
      stopWatching();
    };
    const { connection } = errand.upstream;
    const [caller, purpose] = [callerOf(principal), purposeOf(errand)];
    const parked: Parked = { call, caller, connection, givesWay: false, purpose, release };
    this.#parked.set(handle, parked);
    return handle;
  }

  #take(handle: string): Parked | null {
    const parked = this.#parked.get(handle);
    if (parked === undefined) return null;
    this.#parked.delete(handle);
    parked.release();
    return parked;
  }

  #count(caller: string): number {
    let count = 0;
    for (const parked of this.#parked.values()) if (parked.caller === caller) count += 1;
    return count;
  }
}

/** What a handle is good for: the endpoint, the method, and the parameters but for those about the answers. */
function purposeOf({ target, request: { message } }: Errand): ReadonlyMap<string, string> {
  const purpose = new Map([
    ['method', message.method],
    ['at', JSON.stringify([target.profile, target.server.slug])],
  ]);
  const params = message.members.get('params');
  for (const [name, span] of (params === undefined ? null : membersOf(message.text, params.start)) ?? []) {
    if (!ABOUT_INPUT.has(name)) purpose.set(`params ${name}`, slice(message.text, span));
  }
  return purpose;
}

const isSame = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);

const stateInvalid = (): AppError =>
  new AppError('mcp_input_state_invalid', 'Invalid params: this requestState is not good for this request.', {
    kind: 'invalid',
    hint: 'It holds once, for some minutes, and for the very request that it came with. Send that one without it.',
  });

const expired = (): AppError =>
  new AppError('mcp_input_expired', 'What the server asked for was not answered in time.', {
    kind: 'unavailable',
  });
