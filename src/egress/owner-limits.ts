/**
 * The owner's limits on what servers send, counted once for each request: when everything else lets it go, and before its
 * intent is on record. What is counted by credential is counted for each that is put into it.
 */
import { type DecidedLimit, limitRefusal } from '../policy/index.ts';
import { askedOf, currentRules, type RuledHost } from './owner-rules.ts';
import type { RequestLimits } from './ports.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';

export interface LimitedHost extends RuledHost {
  readonly limits: RequestLimits;
}

/**
 * @param credentials names of those that are about to be opened
 * @param isMore the request as such was counted before
 * @throws Refusal `limit_exceeded`; AppError `store_*`: what cannot be counted does not leave
 */
export async function countRequest(
  request: EgressRequest,
  host: LimitedHost,
  credentials: readonly string[],
  isMore = false,
): Promise<void> {
  const held = limitsOn(request, host).filter(({ by }) => !isMore || by.includes('credential'));
  if (held.length === 0) return;
  const { workspace, server, proxy } = host.spec.identity;
  const exceeded = await host.limits.count(workspace, held, {
    server,
    name: request.host,
    credentials,
    ...(proxy === undefined ? {} : { token: proxy.token, agent: proxy.agent }),
  });
  if (exceeded !== null) throw Refusal.limited(limitRefusal(exceeded), { rule: exceeded.limit.rule });
}

/** Of each method that an upstream may take it for, each limit once. */
function limitsOn(request: EgressRequest, host: LimitedHost): readonly DecidedLimit[] {
  const current = currentRules(request, host);
  if (current.all.length === 0) return [];
  const found = new Map<string, DecidedLimit>();
  for (const method of request.methods) {
    for (const limit of current.decide(askedOf(request, method, host)).limits)
      found.set(JSON.stringify([limit.source, limit.rule]), limit);
  }
  return [...found.values()];
}
