/**
 * The owner's rules about requests that servers send. Who asked for one is known as far as calls are in flight: a rule about
 * a user, an agent or a tool holds for a request while any call of theirs is, and a moment longer.
 */
import type { Clock } from '../kernel/index.ts';
import { type DecidedAlert, refusalOf, type RuleRequest, type Rules } from '../policy/index.ts';
import type { Correlation } from './correlation.ts';
import type { CellEgressSpec, RequestRules } from './ports.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';

export interface RuledHost {
  readonly spec: CellEgressSpec;
  readonly rules: RequestRules;
  readonly clock: Clock;
  readonly correlation: Correlation;
}

/** A cell that serves every profile is held to the rules of each that called it. */
export const currentRules = ({ occasion }: EgressRequest, { rules, spec }: RuledHost): Rules =>
  rules.current(spec.identity, occasion.calls.profiles);

/** Notes on the request which rules want somebody to be told of it. */
export function judgeRules(request: EgressRequest, host: RuledHost): Refusal | null {
  const current = currentRules(request, host);
  if (current.all.length === 0) return null;
  for (const method of request.methods) {
    const asked = askedOf(request, method, host);
    const decision = current.decide(asked);
    noteAlerts(request, decision.alerts);
    if (decision.outcome === 'allow') continue;
    const rule = decision.decisive?.rule.id;
    return Refusal.byPolicy(refusalOf(asked, decision, current), rule === undefined ? {} : { rule });
  }
  return null;
}

/** The same list for as long as nothing is added: what is recorded of a request is made anew only then. */
function noteAlerts(request: EgressRequest, alerts: readonly DecidedAlert[]): void {
  const added = alerts.filter(({ rule }) => !request.alerts.some((known) => known.rule === rule));
  if (added.length > 0) request.alerts = [...request.alerts, ...added];
}

/** Each method by itself: a condition sees one, and an upstream may take the request for any of them. */
export function askedOf(
  request: EgressRequest,
  method: string,
  { spec, clock, correlation }: RuledHost,
): RuleRequest {
  const { calls } = request.occasion;
  const { running } = calls;
  const { server, profile, proxy } = spec.identity;
  // What a tool, or whoever calls, may not send it may not leave for the moment after its call either.
  const callers = [...calls.callers, ...correlation.recentCallers(calls)];
  const bytes = bytesOf(request);
  const known = (ids: readonly (string | null)[]): readonly string[] => [
    ...new Set(ids.filter((id) => id !== null)),
  ];
  return {
    subject: 'egress',
    server,
    profile,
    name: request.host,
    users: known(callers.map(({ user }) => user)),
    agents: known(proxy === undefined ? callers.map(({ agent }) => agent) : [proxy.agent]),
    tokens: known(proxy === undefined ? callers.map(({ token }) => token) : [proxy.token]),
    now: clock.now(),
    egress: {
      methods: [method],
      path: request.target.path,
      tools: [...running, ...correlation.recentTools(calls)].map(({ tool }) => tool),
      ...(bytes === null ? {} : { bytes }),
    },
  };
}

/** Of the body; null where it does not say beforehand. */
function bytesOf({ framing, webSocket, scheme }: EgressRequest): number | null {
  if (webSocket !== null || scheme === 'tcp') return null;
  if (framing?.kind === 'length') return framing.bytes;
  return framing?.kind === 'none' ? 0 : null;
}
