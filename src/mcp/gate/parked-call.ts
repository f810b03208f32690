/**
 * One call that outlives the requests of its stateless client: in turn it is attended by one of them, or parked with
 * questions of the server that nobody has answered yet.
 */
import type { AppError } from '../../kernel/index.ts';
import { abilityFor, isAnswered, isInputMethod } from '../client/client-abilities.ts';
import type { Forwarded } from './forwarded.ts';
import {
  ownResponse,
  paramSpan,
  parseMessage,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  resultOf,
  resultText,
  rewritten,
} from '../protocol/message.ts';
import { find, slice } from '../protocol/raw-json.ts';
import { RequestControl } from '../client/request-control.ts';
import { errorText, rpcCode } from '../protocol/rpc-error.ts';
import type { Attachment, Kin } from '../upstream/server-requests.ts';

interface Question {
  readonly request: RpcRequest;
  readonly reply: (response: RpcResponse) => void;
}

/** How often a call was attended, any. */
let turns = 0;

export class ParkedCall implements Attachment {
  /** The reins of the call at the server, whoever attends it. */
  readonly control = new RequestControl();
  readonly #caller: string;
  readonly #roomLeft: () => boolean;
  readonly #questions = new Map<string, Question>();
  #outcome: Promise<RpcResponse> | null = null;
  #client: Forwarded['client'];
  /** The client's request that is waiting now; null while it is parked. */
  #attending: Forwarded | null = null;
  /** Settled when the server asks for something. */
  #asked: PromiseWithResolvers<'input'> | null = null;
  /** What the server asked for in vain, since the client does not answer such: as members of `requiredCapabilities`. */
  readonly #lacking = new Set<string>();
  #questionsAsked = 0;
  #turn = 0;

  /** @param roomLeft whether one more call of this caller may be parked */
  constructor(first: Forwarded, caller: string, roomLeft: () => boolean) {
    this.#client = first.client;
    this.#caller = caller;
    this.#roomLeft = roomLeft;
  }

  /** @param outcome what becomes of it at the server */
  follow(outcome: Promise<RpcResponse>): void {
    this.#outcome = outcome;
    // While it is parked nobody waits for it. Whatever the server still asks then, it need not know any more.
    outcome.catch(() => {}).finally(() => this.#withdraw());
  }

  /**
   * Waits on behalf of one request of the client: for the outcome, or until the server asks for something.
   *
   * @throws AppError as the call itself
   */
  async attend(request: Forwarded): Promise<RpcResponse | 'input'> {
    if (this.#outcome === null) throw new Error('a call is attended before it began');
    if (this.#questions.size > 0) return 'input';
    this.#client = request.client;
    this.#attending = request;
    turns += 1;
    this.#turn = turns;
    const asked = Promise.withResolvers<'input'>();
    this.#asked = asked;
    request.control.onEnd((error: AppError, notification?: RpcNotification) => {
      if (this.#attending === request) this.control.cancel(error, notification);
    });
    try {
      return await Promise.race([this.#outcome, asked.promise]);
    } finally {
      this.#attending = null;
      this.#asked = null;
    }
  }

  /** The answer that asks the client for what the server wants. */
  inputRequired(handle: string): RpcResponse {
    const requests = Array.from(this.#questions, ([key, { request }]) => {
      const params = request.members.get('params');
      const rest = params === undefined ? '' : `,"params":${slice(request.text, params)}`;
      return `"${key}":{"method":${JSON.stringify(request.method)}${rest}}`;
    });
    const result = `{"resultType":"input_required","inputRequests":{${requests.join(',')}},"requestState":"${handle}"}`;
    return responseOf(result);
  }

  /**
   * What its client is told that it came to: a failure for want of a capability is one of a kind of its own (MCP
   * 2026-07-28, Overview, `_meta`). A server that did without it is believed.
   */
  told(outcome: RpcResponse): RpcResponse {
    if (this.#lacking.size === 0 || !isFailure(outcome)) return outcome;
    const message = 'The server asks for what this client does not say that it answers.';
    const data = `{"requiredCapabilities":{${[...this.#lacking].join(',')}}}`;
    const error = `{"code":${rpcCode.missingCapability},"message":${JSON.stringify(message)},"data":${data}}`;
    return ownResponse(`{"jsonrpc":"2.0","id":0,"error":${error}}`);
  }

  /** Hands the client's answers to the server. What is not among them is asked for again. */
  answer(responses: ReadonlyMap<string, string>): void {
    for (const [key, { reply }] of this.#questions) {
      const text = responses.get(key);
      if (text === undefined || !text.startsWith('{')) continue;
      this.#questions.delete(key);
      reply(responseOf(text));
    }
  }

  /** Of several, the one that was attended last; one that nobody attends has been asked already. */
  get kin(): Kin {
    return { caller: this.#caller, rank: this.#attending === null ? 0 : this.#turn };
  }

  #withdraw(): void {
    const nobody = { code: 'client_absent', message: 'No answer will come.' };
    for (const { reply } of this.#questions.values())
      reply(ownResponse(errorText(null, rpcCode.server, nobody)));
    this.#questions.clear();
  }

  reachable(): boolean {
    return this.control.ended === null && (this.#attending === null || this.#roomLeft());
  }

  answers(request: RpcRequest): boolean {
    if (isInputMethod(request.method) && isAnswered(this.#client, request)) return true;
    const ability = abilityFor(request);
    if (ability !== null) this.#lacking.add(ability);
    return false;
  }

  logLevel(): null {
    return null;
  }

  ask(request: RpcRequest, reply: (response: RpcResponse) => void): () => void {
    this.#questionsAsked += 1;
    const key = `question${this.#questionsAsked}`;
    this.#questions.set(key, { request, reply });
    this.#asked?.resolve('input');
    return () => void this.#questions.delete(key);
  }

  /** What is about no request of its own, the client's session hears by itself. */
  notified(): void {}

  progressed(text: string): void {
    const request = this.#attending;
    const token = request === null ? null : paramSpan(request.message, '_meta', 'progressToken');
    const parsed = parseMessage(text);
    if (request === null || token === null || !parsed.ok || parsed.value.kind !== 'notification') return;
    const span = paramSpan(parsed.value, 'progressToken');
    if (span === null) return;
    const own = rewritten(parsed.value, null, [{ ...span, text: slice(request.message.text, token) }]);
    request.owner?.progressed(own, request.message.idText);
  }

  /** The outcome tells. */
  gone(): void {}
}

function isFailure(response: RpcResponse): boolean {
  const result = resultOf(response);
  const isError = result === null ? null : find(response.text, result.start, ['isError']);
  return response.failed || (isError !== null && slice(response.text, isError) === 'true');
}

const responseOf = (result: string): RpcResponse => ownResponse(resultText('0', result));
