/**
 * The owner's limits at the gate: what a request is held to is counted once, when nothing else refuses it and before it is
 * on record as begun, and in flight until it is answered. Who is refused is told when to come again.
 */
import { AppError, type Random } from '../../kernel/index.ts';
import { type DecidedLimit, resultBytesMax, type RuleDecision } from '../../policy/index.ts';
import { countedFor } from './counted-for.ts';
import type { Forwarded, Target } from './forwarded.ts';
import type { RpcResponse } from '../protocol/message.ts';
import { refusedThing } from './named.ts';
import type { CallAudit } from '../ports/call-audit.ts';
import type { Principal } from '../ports/callers.ts';
import type { CallLimits } from '../ports/governance.ts';
import type { Judged } from './ruling.ts';
import { SessionNames } from '../client/session-names.ts';
import type { ClientFacts } from '../client/client-facts.ts';

interface LimitingDeps {
  readonly limits: CallLimits;
  readonly audit: Pick<CallAudit, 'refused'>;
  readonly random: Random;
}

/** @throws AppError `limit_result_too_large` */
export type Measure = (answer: RpcResponse) => RpcResponse;

const unmeasured: Measure = (answer) => answer;

/** Whether anything is counted. */
export const isLimited = (decision: RuleDecision | null): boolean =>
  decision !== null && (decision.limits.length > 0 || decision.usage !== undefined);

export class Limiting {
  readonly #deps: LimitingDeps;
  readonly #sessions: SessionNames;

  constructor(deps: LimitingDeps) {
    this.#deps = deps;
    this.#sessions = new SessionNames(deps.random);
  }

  /**
   * @param work told how to measure the answer
   * @throws AppError `limit_exceeded`, `usage_moved`, and whatever `work` does
   */
  async held<T>(
    target: Target,
    { subject, name, decision }: Judged,
    request: Pick<Forwarded, 'client'>,
    work: (measure: Measure) => Promise<T>,
  ): Promise<T> {
    const held = decision?.limits ?? [];
    const usage = decision?.usage;
    if (held.length === 0 && usage === undefined) return work(unmeasured);
    const { principal, profile, server } = target;
    const asked = {
      ...countedFor(target, { subject, name }),
      session: this.#sessionOf(principal, request.client),
    };
    const taken = await this.#deps.limits.take(principal.workspace, held, asked, usage);
    if (!taken.ok) {
      const { code, message, hint, retryAfterSeconds } = taken.refusal;
      await this.#deps.audit.refused({
        principal,
        profile,
        server: server.slug,
        ...refusedThing({ subject, name }),
        code,
        rule: taken.rule,
      });
      throw new AppError(code, message, { kind: 'limited', hint, retryAfterSeconds });
    }
    const largest = resultBytesMax(held);
    try {
      return await work(largest === null ? unmeasured : (answer) => measured(answer, largest));
    } finally {
      taken.end();
    }
  }

  /** Clients that have no sessions, and calls outside of any, have one for each caller. */
  #sessionOf({ actor }: Principal, client: ClientFacts): string {
    return this.#sessions.of(client) ?? `${actor.kind} ${actor.id}`;
  }
}

function measured(answer: RpcResponse, limit: DecidedLimit): RpcResponse {
  const bytes = Buffer.byteLength(answer.text);
  const { resultBytes, rule, message, instead } = limit;
  if (resultBytes === null || bytes <= resultBytes) return answer;
  throw new AppError(
    'limit_result_too_large',
    `${message ?? `The result may have ${resultBytes} bytes`}. Rule: ${rule}. It has ${bytes}.`,
    { kind: 'denied', hint: instead ?? 'Ask for less.' },
  );
}
