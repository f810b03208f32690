/** How often the caller called before, as conditions name it: `usage.tool.day`. Counts that a rule asks for are read, no others. */
import { Unjudged } from './meter.ts';

/** Calls of this very tool, of its server, and of everything. */
export const usageScopes = ['tool', 'server', 'all'] as const;
/** Since the hour, the day, the month began, in UTC; `ever`: for as long as usage is kept. */
export const usagePeriods = ['hour', 'day', 'month', 'ever'] as const;

type UsageScope = (typeof usageScopes)[number];
export type UsagePeriod = (typeof usagePeriods)[number];
export interface UsageName {
  readonly scope: UsageScope;
  readonly period: UsagePeriod;
}

/** Calls that began, by `tool.day`. */
export type UsageCounts = ReadonlyMap<string, number>;

export const usageNames: readonly UsageName[] = usageScopes.flatMap((scope) =>
  usagePeriods.map((period) => ({ scope, period })),
);
export const usageKey = ({ scope, period }: UsageName): string => `${scope}.${period}`;

/** Those that a set of uses names, such as `usage.tool.day`. */
export const usageOf = (uses: ReadonlySet<string>): readonly UsageName[] =>
  uses.has('usage') ? usageNames.filter((name) => uses.has(`usage.${usageKey(name)}`)) : [];

/** What conditions see of one scope. Own properties, those that were read. */
export class UsageCountsValue {
  readonly hour?: bigint;
  readonly day?: bigint;
  readonly month?: bigint;
  readonly ever?: bigint;

  constructor(scope: UsageScope, counts: UsageCounts) {
    for (const period of usagePeriods) {
      const count = counts.get(usageKey({ scope, period }));
      if (count !== undefined) Object.assign(this, { [period]: BigInt(count) });
    }
  }
}

export class UsageValue {
  readonly tool: UsageCountsValue;
  readonly server: UsageCountsValue;
  readonly all: UsageCountsValue;

  /** @throws Unjudged where nobody counted */
  constructor(counts: UsageCounts | undefined) {
    if (counts === undefined) throw new Unjudged('how often it was called before is not known here');
    this.tool = new UsageCountsValue('tool', counts);
    this.server = new UsageCountsValue('server', counts);
    this.all = new UsageCountsValue('all', counts);
  }
}
