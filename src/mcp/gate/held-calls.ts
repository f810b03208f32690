/**
 * Requests that a rule holds back until somebody agrees to them. A client of revision 2026-07-28 is sent to an address that
 * says how, and comes back with another try; any other one is kept waiting for a while, and told so, and then told to make
 * the same request again. Whatever it comes back with, what runs is decided anew by the request itself: nothing that a client
 * says about an approval counts.
 *
 * Each look begins with the whole admission, so that a rule, a kill switch, a tool choice or a definition that changed while
 * somebody thought about it holds, and ends with the use that is taken, right before the request goes.
 */
import { AppError, limits, type Random } from '../../kernel/index.ts';
import { combineAsks, type HeldRequest, type RuleDecision } from '../../policy/index.ts';
import { isAnswered, isPlain } from '../client/client-abilities.ts';
import { NOTHING_CARRIED } from '../client/client-facts.ts';
import type { Forwarded, Target } from './forwarded.ts';
import {
  ownRequest,
  ownResponse,
  paramSpan,
  paramString,
  notificationText,
  type RpcResponse,
  resultText,
} from '../protocol/message.ts';
import { refusedThing } from './named.ts';
import { definitionHash } from '../pinning/definition-hash.ts';
import type { CallAudit } from '../ports/call-audit.ts';
import type { Approvals, Passage } from '../ports/governance.ts';
import { metaKey } from '../protocol/protocol.ts';
import { membersOf, slice } from '../protocol/raw-json.ts';
import type { Attachment } from '../upstream/server-requests.ts';
import { SessionNames } from '../client/session-names.ts';
import type { Standings } from '../client/standings.ts';
import { keepingOfMeta, withoutMembers, withoutOthers } from '../protocol/without-members.ts';

/** What was decided about a request that may go, at once or when somebody agrees. */
export interface Judgement {
  /** Null: no rule is about it. */
  readonly decision: RuleDecision | null;
  /** What the server says of it, as JSON; null: nothing. */
  readonly definition: string | null;
}

interface HeldCall extends Pick<HeldRequest, 'subject' | 'name' | 'argumentsText'> {
  readonly target: Target;
  readonly request: Forwarded;
  /** Identifier that the call will have. */
  readonly call: string;
  /** Its client comes back from where it was sent to. */
  readonly isBack: boolean;
}

export interface HeldCallsDeps {
  readonly approvals: Approvals;
  readonly audit: Pick<CallAudit, 'refused'>;
  readonly standings: Pick<Standings, 'watch'>;
  readonly random: Random;
  /** How long a client is kept waiting, in milliseconds. */
  readonly holdMs: number;
}

/** What a client is given to come back with. It tells that it was asked, and nothing else. */
const STATE = 'sallyport-approval:';

/** What a client comes back with, from the gateway or from its server. */
const ANSWERS = ['requestState', 'inputResponses'] as const;

export type Cleared<A extends Judgement> =
  | { readonly kind: 'go'; readonly admitted: A; readonly request: Forwarded }
  | { readonly kind: 'wait'; readonly answer: RpcResponse };

export class HeldCalls {
  readonly #deps: HeldCallsDeps;
  readonly #sessions: SessionNames;

  constructor(deps: HeldCallsDeps) {
    this.#deps = deps;
    this.#sessions = new SessionNames(deps.random);
  }

  /** The request as it would be without the gateway's question. */
  asFirst(request: Forwarded): Forwarded {
    return isBack(request) ? withoutMembers(request, ANSWERS) : request;
  }

  /**
   * @param first why it is held back
   * @param admit decides whether the caller may at all, and whether somebody has to agree; asked at every further look
   * @returns `go`: it may go now, once, as it is there. `wait`: what its client is told in place of an answer
   * @throws AppError as `admit`, `approval_…`, and why it was cancelled
   */
  async clear<A extends Judgement>(held: HeldCall, first: A, admit: () => Promise<A>): Promise<Cleared<A>> {
    const { control } = held.request;
    const patience = new Patience(held, this.#deps);
    try {
      for (let admitted = first; ; admitted = await admit()) {
        if (!isHeld(admitted)) return { kind: 'go', admitted, request: held.request };
        control.assertGoing();
        const passage = await this.#pass(held, admitted);
        if (passage.state === 'granted') return { kind: 'go', admitted, request: asShown(held.request) };
        if (passage.state === 'rejected') throw await this.#refused(held, rejected(passage.id));
        const answer = askedOf(held, passage);
        if ((answer !== null && !held.isBack) || !(await patience.holdsOn(passage.id)))
          return { kind: 'wait', answer: answer ?? (await this.#pending(held, passage.id)) };
      }
    } finally {
      patience.end();
    }
  }

  #pass(
    { target: { principal, profile, server }, request, subject, name, argumentsText, call }: HeldCall,
    { decision, definition }: Judgement,
  ): Promise<Passage> {
    const rules = decision?.matched.flatMap(({ rule }) => (rule.action.do === 'approve' ? [rule.id] : []));
    return this.#deps.approvals.pass({
      principal,
      profile,
      server: server.slug,
      subject,
      name,
      definitionHash: definition === null ? null : definitionHash(definition),
      argumentsText,
      besideText: besideOf(request, subject),
      session: this.#sessions.of(request.client),
      rules: rules ?? [],
      ask: combineAsks(decision?.approvals ?? []),
      call,
    });
  }

  /** A tool's result, so that an agent reads it; of anything else there is none that could say it. */
  async #pending(held: HeldCall, id: string): Promise<RpcResponse> {
    const error = await this.#refused(held, pending(id));
    if (held.subject !== 'tool') throw error;
    const text = `${error.message} ${error.hint ?? ''}`;
    const result = { content: [{ type: 'text', text }], isError: true };
    return ownResponse(resultText('0', JSON.stringify(result)));
  }

  async #refused(held: HeldCall, error: AppError): Promise<AppError> {
    const { principal, profile, server } = held.target;
    const thing = refusedThing(held);
    await this.#deps.audit.refused({ principal, profile, server: server.slug, ...thing, code: error.code });
    return error;
  }
}

/** Whether its client comes back from where the gateway sent it to. */
export const isBack = ({ message }: Forwarded): boolean =>
  paramString(message, 'requestState')?.startsWith(STATE) === true;

/** Parameters that are shown by themselves, but for what names the thing, and those of `_meta`. Answers to a server's question are none of them. */
const EXPLAINED: ReadonlySet<string> = new Set(['arguments', '_meta']);

/** What numbers a trace and a step of it, and has no room for words (https://www.w3.org/TR/trace-context/). */
const TRACE = /^"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"$/;

/**
 * The request without what nobody could see who agreed to it, and what it is not bound to either, because clients put other
 * things there each time. Its server is told the gateway's name in place of the client's, and beside it, in headers, only what its
 * definition wants: that is made anew of the arguments.
 */
const asShown = (request: Forwarded): Forwarded => ({
  ...keepingOfMeta(
    withoutOthers(request),
    (name, text) => name === 'progressToken' || (name === 'traceparent' && TRACE.test(text)),
  ),
  client: { ...request.client, infoText: null },
  carried: { ...request.carried, paramHeaders: NOTHING_CARRIED.paramHeaders },
});

/** Parameters of a request that change what it is, and that nothing else here is about. */
function besideOf({ message, client }: Forwarded, subject: HeldRequest['subject']): string | null {
  const naming = subject === 'resource' ? 'uri' : 'name';
  const params = message.members.get('params');
  const members = params === undefined ? null : membersOf(message.text, params.start);
  const beside = [...(members ?? [])]
    .filter(([name]) => name !== naming && !EXPLAINED.has(name))
    .map(([name, span]) => `${JSON.stringify(name)}:${slice(message.text, span)}`);
  // A server of revision 2026-07-28 is told them with each request.
  if (!isPlain(client)) beside.push(`"_meta":{"${metaKey.clientCapabilities}":${client.capabilitiesText}}`);
  return beside.length === 0 ? null : `{${beside.join(',')}}`;
}

/** Whether somebody has to agree first. */
export const isHeld = ({ decision }: Judgement): boolean => decision?.outcome === 'approve';

/** One client's wait, with what tells it that it still waits and what ends it. */
class Patience {
  readonly #held: HeldCall;
  readonly #approvals: Approvals;
  readonly #ends: (() => void)[];
  #wake = Promise.withResolvers<void>();
  #isOver: boolean;
  #told = 0;

  constructor(held: HeldCall, { approvals, standings, holdMs }: HeldCallsDeps) {
    this.#held = held;
    this.#approvals = approvals;
    const { owner, control } = held.request;
    // Nobody to be told meanwhile: a command is better told at once.
    this.#isOver = owner === null;
    const look = (): void => this.#wake.resolve();
    const timer = setTimeout(() => {
      this.#isOver = true;
      look();
    }, holdMs);
    const progress = setInterval(() => this.#progress(owner), limits.approvalProgressIntervalMs);
    this.#ends = [
      () => clearTimeout(timer),
      () => clearInterval(progress),
      approvals.onChange(look),
      standings.watch(held.target.principal, (error) => control.cancel(error)),
    ];
    control.onEnd(look);
  }

  /** @returns whether it is worth another look; false: it has waited long enough. @throws AppError why it was cancelled */
  async holdsOn(id: string): Promise<boolean> {
    if (this.#isOver) return false;
    if (this.#told === 0) this.#progress(this.#held.request.owner, id);
    for (;;) {
      await this.#wake.promise;
      // From now on, whatever changes is about the next look.
      this.#wake = Promise.withResolvers<void>();
      this.#held.request.control.assertGoing();
      if (!(await this.#approvals.waits(id))) return true;
      if (this.#isOver) return false;
    }
  }

  end(): void {
    for (const end of this.#ends) end();
  }

  /** Its numbers stay below any that the server counts from. */
  #progress(owner: Attachment | null, id?: string): void {
    const { message } = this.#held.request;
    const token = paramSpan(message, '_meta', 'progressToken');
    if (token === null || owner === null) return;
    this.#told += 1;
    const words = JSON.stringify(`Waits for an approval${id === undefined ? '' : `: ${id}`}`);
    const params = `{"progressToken":${slice(message.text, token)},"progress":${this.#told / PARTS},"message":${words}}`;
    owner.progressed(notificationText('notifications/progress', params), message.idText);
  }
}

const PARTS = 1_000_000;

/**
 * The answer that sends a client to where it says how to agree; null for one that cannot be sent there. So is one that
 * answers its server's question: it would come back with the gateway's state in place of the server's.
 */
function askedOf({ request, name }: HeldCall, { id, address }: Passage): RpcResponse | null {
  const { client, message: own } = request;
  if (client.era !== 'stateless' || address === null) return null;
  if (ANSWERS.some((member) => paramSpan(own, member) !== null)) return null;
  const message = `${name.slice(0, limits.toolNameShownCharsMax)} waits for an approval: ${id}. Come back when it is given.`;
  const params = JSON.stringify({ mode: 'url', message, url: address });
  if (!isAnswered(client, ownRequest('elicitation/create', params))) return null;
  const requests = `{"approval":{"method":"elicitation/create","params":${params}}}`;
  const result = `{"resultType":"input_required","inputRequests":${requests},"requestState":"${STATE}${id}"}`;
  return ownResponse(resultText('0', result));
}

const pending = (id: string): AppError =>
  new AppError('approval_pending', `This has not run: it waits for an approval, ${id}.`, {
    kind: 'denied',
    hint: `Somebody who may decide runs: sallyport approval show ${id}. Once it is approved, make the very same request again, and it runs once.`,
  });

const rejected = (id: string): AppError =>
  new AppError('approval_rejected', `This has not run: somebody rejected it, ${id}.`, {
    kind: 'denied',
    hint: 'Do not make the same request again; ask the person you work for what to do instead.',
  });
