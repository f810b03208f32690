/**
 * Calls of tools, from their admission to their record: what may not go is refused, what somebody has to agree to waits, what
 * is limited is counted; then its start is on record, it goes, and its answer is masked and its end recorded.
 *
 * What has nothing to do for a call is not entered: most are held back by nobody, limited by nothing and not masked.
 */
import { AppError, type Clock, type Log } from '../../kernel/index.ts';
import type { Admission, Admitted } from './admission.ts';
import { answeredEnding, callRef, failedEnding, UNKNOWN_ENDING } from './call-record.ts';
import type { CallsInFlight } from './cell-calls.ts';
import type { Forwarded, Target } from './forwarded.ts';
import { type HeldCalls, isHeld } from './held-calls.ts';
import type { KillReach } from './kill-reach.ts';
import { isLimited, type Limiting, type Measure } from './limiting.ts';
import type { AnswerMasking } from '../masking/answer-masking.ts';
import type { RpcResponse } from '../protocol/message.ts';
import type { CallAudit, CallFacts, CallOutcome } from '../ports/call-audit.ts';
import { argumentsOf, sendCall } from './sending.ts';
import { isLater } from '../soon.ts';
import { textsOf } from '../upstream/tool-catalog.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

export interface ToolCallsDeps {
  readonly reach: KillReach;
  readonly admission: Admission;
  readonly held: HeldCalls;
  readonly limiting: Limiting;
  readonly masking: AnswerMasking;
  /** What the data plane holds the requests of cells against. */
  readonly inFlight: CallsInFlight;
  readonly audit: CallAudit;
  readonly clock: Clock;
  readonly log: Log;
}

/** One call on its way, once it is known what it is of. */
export interface Call {
  readonly id: string;
  readonly target: Target;
  readonly upstream: OpenUpstream;
  /** The server's own name. */
  readonly tool: string;
  readonly request: Forwarded;
}

export class ToolCalls {
  readonly #deps: ToolCallsDeps;

  constructor(deps: ToolCallsDeps) {
    this.#deps = deps;
  }

  /**
   * @param wasAsked its client comes back from where the gateway sent it to
   * @throws AppError whatever refuses it, or ends it
   */
  async make(call: Call, wasAsked: boolean): Promise<RpcResponse> {
    const { target, upstream, tool, request } = call;
    const active = this.#deps.reach.enter(target, request.control);
    try {
      const first = this.#deps.admission.call(target, upstream, tool, request);
      let admitted = isLater(first) ? await first : first;
      let going = call;
      if (isHeld(admitted)) {
        const argumentsText = argumentsOf(request);
        const about = { target, request, subject: 'tool', name: tool, argumentsText } as const;
        const cleared = await this.#deps.held.clear(
          { ...about, call: call.id, isBack: wasAsked },
          admitted,
          async () => this.#deps.admission.call(target, upstream, tool, request),
        );
        if (cleared.kind === 'wait') return cleared.answer;
        admitted = cleared.admitted;
        going = { ...call, request: cleared.request };
      }
      const { decision } = admitted;
      if (!isLimited(decision)) return await this.#recorded(going, admitted, null);
      const [own, last] = [going, admitted];
      const judged = { subject: 'tool', name: tool, decision } as const;
      return await this.#deps.limiting.held(target, judged, own.request, (measure) =>
        this.#recorded(own, last, measure),
      );
    } finally {
      this.#deps.reach.leave(active);
    }
  }

  /** Makes a call that may go now: its start is on record before, and its end after it. */
  async #recorded(call: Call, admitted: Admitted, measure: Measure | null): Promise<RpcResponse> {
    const { id, target, upstream, tool, request } = call;
    const { principal, profile, server } = target;
    const { connection } = upstream;
    const { cell } = connection;
    const facts: CallFacts = { id, principal, profile, server: server.slug, tool, cell };
    await this.#deps.audit.started(facts);
    request.taped?.called({ call: id, cell, server: server.slug, tool });
    const startedMs = this.#deps.clock.monotonic();
    let ending = UNKNOWN_ENDING;
    try {
      const readOnly = admitted.found?.annotations?.readOnlyHint === true;
      this.#deps.inFlight.enter(cell, callRef(facts, readOnly), { profile, exited: connection.cellExited });
      const answer = await this.#answered(call, admitted);
      const measured = measure === null ? answer : measure(answer);
      ending = answeredEnding(measured);
      return measured;
    } catch (error) {
      ending = failedEnding(error) ?? ending;
      throw error;
    } finally {
      this.#deps.inFlight.leave(cell, id);
      this.#finished(facts, { ...ending, durationMs: this.#deps.clock.monotonic() - startedMs });
    }
  }

  /** The answer, masked as rules say. */
  #answered(call: Call, admitted: Admitted): Promise<RpcResponse> {
    const { id, target, tool } = call;
    const masks = admitted.decision?.masks;
    if (masks === undefined || masks.length === 0) return this.#timed(call, admitted);
    const { control } = call.request;
    const schema = admitted.found === null ? null : textsOf(admitted.found).outputSchema;
    const answered = { about: { call: id, tool }, control, schema };
    return this.#deps.masking.held(target, masks, answered, () => this.#timed(call, admitted));
  }

  #timed(call: Call, admitted: Admitted): Promise<RpcResponse> {
    const { callSeconds } = call.target.server;
    return callSeconds === null ? this.#sent(call, admitted) : this.#sentInTime(call, admitted, callSeconds);
  }

  /** Ends a call that takes longer than its server's manifest allows, whatever progress it shows: the server is told, and its client. */
  async #sentInTime(call: Call, admitted: Admitted, seconds: number): Promise<RpcResponse> {
    const { target, request } = call;
    const error = callTimeLimit(target.server.slug, seconds);
    const timer = setTimeout(() => request.control.cancel(error), seconds * 1_000);
    try {
      return await this.#sent(call, admitted);
    } finally {
      clearTimeout(timer);
    }
  }

  #sent({ target, upstream, tool, request }: Call, admitted: Admitted): Promise<RpcResponse> {
    return sendCall(upstream, admitted.found, request, async () => {
      // What somebody agreed to was the definition as it was.
      if (isHeld(admitted)) return null;
      upstream.tools.invalidate();
      // Under the same rules as before: it may be another, which nobody agreed to.
      const now = await this.#deps.admission.call(target, upstream, tool, request);
      return isHeld(now) ? null : now.found;
    });
  }

  #finished(facts: CallFacts, outcome: CallOutcome): void {
    this.#deps.audit.finished(facts, outcome).catch((error: unknown) => {
      this.#deps.log.error('mcp.call.finish_not_recorded', { call: facts.id, error: String(error) });
    });
  }
}

const callTimeLimit = (slug: string, seconds: number): AppError =>
  new AppError('call_time_limit', `The call to "${slug}" was stopped: call limit ${seconds} s.`, {
    kind: 'unavailable',
    hint: `The limit is \`limits.callSeconds\` of its manifest. See what it is doing: sallyport server logs ${slug}`,
  });
