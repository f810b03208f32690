/**
 * Limits counted in the store, by every process that works on it: what one has let through, the others find. What is in
 * flight is said to be so again and again; that of a process that is gone ends by itself.
 */
import { type Clock, limits, type Log, newId, type Random, type WorkspaceId } from '../../kernel/index.ts';
import type { RequestLimits } from '../../egress/index.ts';
import type { CallLimits } from '../../mcp/index.ts';
import {
  callerOf,
  countUse,
  decideLimits,
  type DecidedUsage,
  type Exceeded,
  firstDayOf,
  type LimitedRequest,
  type LimitPlan,
  limitRefusal,
  placesOf,
  planLimits,
  startUse,
  usageMoved,
  usedOf,
  type UsePlace,
} from '../../policy/index.ts';
import type { Flight, Store } from '../../store/index.ts';

export interface CallLimitsDeps {
  readonly workspace: WorkspaceId;
  readonly counters: Store['counters'];
  /** What the audit log knows of calls before anybody asked for their number, once what is on record by now is counted. */
  readonly usage: Pick<Store['usage'], 'calls'> & { settle(): Promise<void> };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface KeptLimits extends CallLimits, RequestLimits {
  close(): void;
}

interface Counted {
  readonly plan: LimitPlan;
  readonly uses: readonly UsePlace[];
  readonly moved: DecidedUsage['moved'];
  /** What to enter where it is in flight; null: it is not. */
  readonly flight: Flight | null;
}

/** A limit, or a rule that was not about it before. */
type Obstacle = Exceeded | { readonly rule: string };

const refusalOf = (obstacle: Obstacle) =>
  'limit' in obstacle
    ? { rule: obstacle.limit.rule, refusal: limitRefusal(obstacle) }
    : { rule: obstacle.rule, refusal: usageMoved(obstacle.rule) };

/** What a count is about, as usage knows it. */
function aboutOf({ scope }: UsePlace['name'], request: LimitedRequest) {
  const { server, name } = request;
  const by = callerOf(request);
  if (scope === 'all') return { by };
  return scope === 'server' ? { by, server } : { by, server, tool: name };
}

const nothingToEnd = (): void => undefined;

export function createCallLimits({
  workspace,
  counters,
  usage,
  clock,
  random,
  log,
}: CallLimitsDeps): KeptLimits {
  const flying = new Set<Flight>();
  /** Ended, and not told the store yet: whoever is counted next tells it as well. */
  let landed: Flight[] = [];
  let landing: NodeJS.Timeout | null = null;
  const prefix = newId<'flight'>('flt', random);
  let flights = 0;
  const told = (what: string) => (error: unknown) => log.error(what, { error: String(error) });
  const renewing = setInterval(() => {
    if (flying.size === 0) return;
    const until = clock.now() + limits.limitFlightMs;
    counters.renew(workspace, [...flying], until).catch(told('limits.renew_failed'));
  }, limits.limitFlightRenewMs).unref();
  const sweeping = setInterval(
    () => void counters.sweep(clock.now()).catch(told('limits.sweep_failed')),
    limits.limitSweepMs,
  ).unref();

  function land(): void {
    landing = null;
    const ended = landed;
    landed = [];
    if (ended.length > 0) counters.land(workspace, ended).catch(told('limits.end_failed'));
  }

  function ending(flight: Flight): () => void {
    flying.add(flight);
    return () => {
      if (!flying.delete(flight)) return;
      landed.push(flight);
      landing ??= setTimeout(land, limits.limitLandMs).unref();
    };
  }

  /** @returns what of it stands in the way; null: it is counted */
  async function counted(of: WorkspaceId, { plan, uses, moved, flight }: Counted): Promise<Obstacle | null> {
    const now = clock.now();
    const keys = {
      counters: [...plan.counted, ...uses].map(({ key }) => key),
      flights: plan.flying.map(({ key }) => key),
    };
    let obstacle: Obstacle | null = null;
    const ended = landed;
    landed = [];
    const counting = counters.count(of, { ...keys, landed: ended }, now, (found) => {
      const before = found.counts.slice(plan.counted.length);
      const rule = uses.length === 0 ? null : moved(usedOf(uses, before, now));
      if (rule !== null) {
        obstacle = { rule };
        return { counters: [], flight: null };
      }
      const verdict = decideLimits(plan, found, now);
      obstacle = verdict.ok ? null : verdict.exceeded;
      const added = uses.map(({ name, key }, index) => ({
        ...countUse(before[index] ?? null, name.period, now),
        key,
      }));
      const flies = verdict.ok && flight !== null;
      return {
        counters: verdict.ok ? [...verdict.counts, ...added] : verdict.counts,
        flight: flies ? { id: flight.id, untilMs: now + limits.limitFlightMs } : null,
      };
    });
    await counting.catch((error: unknown) => {
      landed.push(...ended);
      throw error;
    });
    return obstacle;
  }

  /** Those that are asked for the first time begin with what was counted elsewhere. */
  async function begin(of: WorkspaceId, places: readonly UsePlace[], request: LimitedRequest): Promise<void> {
    const now = clock.now();
    if (places.some(({ name }) => firstDayOf(name.period, now) !== null)) await usage.settle();
    const begun = await Promise.all(
      places.map(async ({ name, key }) => {
        const since = firstDayOf(name.period, now);
        const amount = since === null ? 0 : await usage.calls(of, { since, ...aboutOf(name, request) });
        return { ...startUse(amount, name.period, now), key };
      }),
    );
    const keys = { counters: begun.map(({ key }) => key), flights: [] };
    // Where somebody else did so meanwhile, theirs holds: calls may have been added to it.
    await counters.count(of, keys, now, ({ counts }) => ({
      counters: begun.filter((_, index) => counts[index] === null),
      flight: null,
    }));
  }

  const flightOf = ({ flying: at }: LimitPlan): Flight => ({
    id: `${prefix}-${(flights += 1)}`,
    keys: at.map(({ key }) => key),
  });
  const isEmpty = ({ counted: over, flying: at }: LimitPlan): boolean => over.length === 0 && at.length === 0;

  return {
    async used(of, names, request) {
      const places = placesOf(names, request);
      const keys = places.map(({ key }) => key);
      let kept = await counters.read(of, keys);
      const unknown = places.filter((_, index) => kept[index] === null);
      if (unknown.length > 0) {
        await begin(of, unknown, request);
        kept = await counters.read(of, keys);
      }
      return usedOf(places, kept, clock.now());
    },
    async take(of, held, request, asked) {
      const plan = planLimits(held, request);
      const uses = asked === undefined ? [] : placesOf(asked.names, request);
      if (isEmpty(plan) && uses.length === 0) return { ok: true, end: nothingToEnd };
      const flight = plan.flying.length === 0 ? null : flightOf(plan);
      const moved: DecidedUsage['moved'] = (counts) => asked?.moved(counts) ?? null;
      const obstacle = await counted(of, { plan, uses, moved, flight });
      if (obstacle !== null) return { ok: false, ...refusalOf(obstacle) };
      return { ok: true, end: flight === null ? nothingToEnd : ending(flight) };
    },
    async count(of, held, request) {
      const plan = planLimits(held, request);
      if (isEmpty(plan)) return null;
      const obstacle = await counted(of, { plan, uses: [], moved: () => null, flight: null });
      return obstacle !== null && 'limit' in obstacle ? obstacle : null;
    },
    close() {
      clearInterval(renewing);
      clearInterval(sweeping);
      if (landing !== null) clearTimeout(landing);
      land();
    },
  };
}
