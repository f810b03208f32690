/**
 * Holds a request against the calls that it may belong to: once when its head is judged, and once more when everything
 * is known and credentials are about to be opened. The rules themselves are `policy`'s.
 */
import type { Clock } from '../kernel/index.ts';
import { decideToolEgress, decideUse, type ToolEgress } from '../policy/index.ts';
import type { Correlation } from './correlation.ts';
import type { Injection } from './inject/injection.ts';
import { judgeRules } from './owner-rules.ts';
import type { CellEgressSpec, RequestRules } from './ports.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';

/** What a request is judged by. */
export interface CorrelationHost {
  readonly spec: CellEgressSpec;
  readonly rules: RequestRules;
  readonly clock: Clock;
  readonly correlation: Correlation;
}

/** Where a cell's rules say nothing. */
const WATCHED: ToolEgress = { rules: [], readOnly: 'report' };

/** Whether the tools that run may send this request, and the owner's rules let it. Notes what is only to be told. */
export function judgeTools(request: EgressRequest, host: CorrelationHost): Refusal | null {
  const { spec, correlation } = host;
  const { calls } = request.occasion;
  const decision = decideToolEgress(
    spec.tools ?? WATCHED,
    {
      host: request.host,
      methods: request.methods,
      path: request.target.path,
      isOpaque: request.webSocket !== null,
      isUnread: request.scheme === 'tcp',
    },
    calls.running,
    () => correlation.recentTools(calls),
  );
  if (!decision.allow) return Refusal.byPolicy(decision);
  request.unexpected ??= decision.unexpected;
  return judgeRules(request, host);
}

/**
 * Whether more of it may be sent now: a body can be begun in one call and held until another runs, or until none does,
 * when what is said under a key for calls is not said in one. The request still belongs to the calls that it began in,
 * unless those that run now are the reason for what is told of it.
 *
 * @param uses what was opened for it
 */
export function judgeMore(
  request: EgressRequest,
  host: CorrelationHost,
  uses: readonly Pick<Injection, 'binding'>[] = request.injections,
): Refusal | null {
  const { occasion, unexpected } = request;
  const refused = judgeAgain(request, host, uses);
  if (refused === null && request.unexpected === unexpected) request.occasion = occasion;
  return refused;
}

/**
 * The last word before credentials are opened, when body and head are known. A call may have ended while the body
 * came, and with it what the request was allowed for.
 *
 * @param uses what is about to be opened
 */
export function judgeUses(
  request: EgressRequest,
  host: CorrelationHost,
  uses: readonly Pick<Injection, 'binding'>[] = request.injections,
): Refusal | null {
  /* Where nothing was waited for, nothing has changed; otherwise a tool that ended lately may be long over. */
  const isBrief = request.bodyMode === 'none' && request.webSocket === null;
  if (isBrief && host.correlation.now() === request.occasion) return judgeMoment(request, host, uses);
  return judgeAgain(request, host, uses);
}

/** The same once more, when it has waited for something else since: for a connection to be made, for example. */
export function judgeAgain(
  request: EgressRequest,
  host: CorrelationHost,
  uses: readonly Pick<Injection, 'binding'>[] = request.injections,
): Refusal | null {
  request.occasion = host.correlation.now();
  return judgeTools(request, host) ?? judgeMoment(request, host, uses);
}

/** Whether this is a moment for these credentials. */
function judgeMoment(
  { occasion }: EgressRequest,
  { correlation }: CorrelationHost,
  uses: readonly Pick<Injection, 'binding'>[],
): Refusal | null {
  for (const { binding } of uses) {
    if (binding.use !== 'during-calls') continue;
    const decision = decideUse(binding, correlation.times(occasion.calls));
    if (!decision.allow) return Refusal.byPolicy(decision, { credential: binding.name });
  }
  return null;
}
