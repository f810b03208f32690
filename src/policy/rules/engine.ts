/**
 * The decision. Every rule that matches counts, and the strictest wins: deny, then approve, then allow. The order of rules
 * and of rule sets means nothing. A condition that cannot be judged counts as met, so that no argument talks its way past a
 * rule by breaking it; only a rule that would allow something counts as not met.
 *
 * Most rules are about other servers and other tools: which ones are about this one is remembered, so that what a decision
 * costs depends on those alone.
 */
import { limits } from '../../kernel/index.ts';
import type { Condition } from './condition.ts';
import { Facts } from './facts.ts';
import { resetMeter } from './meter.ts';
import { coversCaller, coversSomeOf, coversThing, openTemplate } from './patterns.ts';
import { leadsElsewhere, readingsOf } from './readings.ts';
import type { RuleRequest, Subject } from './request.ts';
import type { Deed, Matched, Rule, RuleDecision, RuleSet } from './types.ts';
import { type UsageCounts, type UsageName, usageKey, usageNames, usageOf } from './usage.ts';

/** Why a rule did not match, or that it did. */
type Look = 'subject' | 'match' | 'caller' | 'when' | 'matched';

interface Looked {
  readonly rule: Rule;
  readonly look: Look;
  readonly fault: string | null;
}

interface Explanation {
  readonly decision: RuleDecision;
  /** Every rule, in the order of the texts. */
  readonly looked: readonly Looked[];
  readonly fallback: 'allow' | 'deny';
}

export interface Rules {
  /** What becomes of calls that no rule allows or refuses. */
  readonly fallback: 'allow' | 'deny';
  readonly all: readonly Rule[];
  decide(request: RuleRequest): RuleDecision;
  /** What has to be counted before rules about this can be asked: `RuleRequest.usage`. */
  counts(request: RuleRequest): readonly UsageName[];
  explain(request: RuleRequest): Explanation;
  /** Whether it may be shown to this caller: whether there are arguments with which it would not be refused. */
  shows(request: RuleRequest): boolean;
  /** The same of a template of URIs, which is the name here: whether one that it can become would not be refused. */
  showsTemplate(request: RuleRequest): boolean;
}

/** Rules about one thing, what they count, and what else its name may mean. */
interface Selection {
  readonly rules: readonly Rule[];
  readonly counts: readonly UsageName[];
  /** Other names. */
  readonly others: readonly string[];
}

const NO_OTHERS: readonly string[] = [];
const NONE: Selection = { rules: [], counts: [], others: NO_OTHERS };

/** What a resource's URI may mean beside what it says. */
const othersOf = (subject: Subject, name: string): readonly string[] =>
  subject === 'resource' ? readingsOf(name).slice(1) : NO_OTHERS;

interface Names {
  readonly name: string;
  readonly others: readonly string[];
}

/** Whether a rule is about this, as somebody may read it; one that allows something, as everybody does. */
function isAbout(
  { match, action }: Rule,
  subject: Subject,
  server: string,
  { name, others }: Names,
): boolean {
  const covers = (one: string): boolean => coversThing(match, subject, server, one);
  if (action.do !== 'allow') return covers(name) || others.some(covers);
  return covers(name) && (!leadsElsewhere(name) || others.every(covers));
}

function countsOf(rules: readonly Rule[]): readonly UsageName[] {
  const asked = new Set(rules.flatMap(({ when }) => (when === null ? [] : usageOf(when.uses).map(usageKey))));
  return asked.size === 0 ? NONE.counts : usageNames.filter((name) => asked.has(usageKey(name)));
}

const NOTHING = { approvals: [], limits: [], masks: [], records: [], alerts: [] } as const;
const ALLOWED: RuleDecision = { outcome: 'allow', matched: [], decisive: null, ...NOTHING };

/** All rule sets that hold, as one. Where one of them denies by default, that is the default. */
export function combineRules(sets: readonly RuleSet[]): Rules {
  const all = sets.flatMap(({ rules }) => rules);
  const fallback = sets.some((set) => set.fallback === 'deny') ? 'deny' : 'allow';
  return new Combined(all, fallback);
}

class Combined implements Rules {
  readonly all: readonly Rule[];
  readonly fallback: 'allow' | 'deny';
  readonly #selections = new Map<string, Selection>();

  constructor(all: readonly Rule[], fallback: 'allow' | 'deny') {
    this.all = all;
    this.fallback = fallback;
  }

  decide(request: RuleRequest): RuleDecision {
    const { rules: selected, counts: names, others } = this.#selected(request);
    if (selected.length === 0 && !this.#deniesByDefault(request)) return ALLOWED;
    resetMeter();
    const told = new Told(request, others);
    const matched: Matched[] = [];
    for (const rule of selected) {
      if (!coversCaller(rule.match, request)) continue;
      const fault = judged(rule, told);
      if (fault !== false) matched.push({ rule, fault });
    }
    const decision = this.#outcome(request, matched);
    if (names.length === 0) return decision;
    const moved = (usage: UsageCounts): string | null => this.#moved(decision, { ...request, usage });
    return { ...decision, usage: { names, moved } };
  }

  counts(request: RuleRequest): readonly UsageName[] {
    return this.#selected(request).counts;
  }

  /** Whoever is only told of a call is told of it before it begins, or not at all. */
  #moved(before: RuleDecision, request: RuleRequest): string | null {
    const now = this.decide(request);
    const known = new Set(before.matched.map(({ rule }) => rule));
    const more = now.matched.find(
      ({ rule }) => !known.has(rule) && rule.action.do !== 'alert' && rule.action.do !== 'allow',
    );
    if (more !== undefined) return more.rule.id;
    return now.outcome === 'deny' && before.outcome !== 'deny' ? (before.decisive?.rule.id ?? '') : null;
  }

  explain(request: RuleRequest): Explanation {
    resetMeter();
    const { subject, server, name } = request;
    const others = othersOf(subject, name);
    const told = new Told(request, others);
    const looked = this.all.map((rule): Looked => {
      const not = (look: Look): Looked => ({ rule, look, fault: null });
      if (!rule.subjects.has(subject)) return not('subject');
      if (!isAbout(rule, subject, server, { name, others })) return not('match');
      if (!coversCaller(rule.match, request)) return not('caller');
      const fault = judged(rule, told);
      if (fault !== false) return { rule, look: 'matched', fault };
      const verdict = rule.when?.judge(told.facts);
      return { rule, look: 'when', fault: verdict?.met === null ? verdict.fault : null };
    });
    const matched = looked.filter(({ look }) => look === 'matched');
    return { decision: this.#outcome(request, matched), looked, fallback: this.fallback };
  }

  shows(request: RuleRequest): boolean {
    return this.#isShown(
      request,
      this.#selected(request).rules,
      ({ when }) => when !== null && dependsOnCall(when),
    );
  }

  showsTemplate(request: RuleRequest): boolean {
    const { subject, server } = request;
    const template = openTemplate(request.name);
    const about = this.all.filter(
      (rule) => rule.subjects.has(subject) && coversSomeOf(rule.match, server, template),
    );
    return this.#isShown(
      request,
      about,
      ({ match, when }) =>
        !coversThing(match, subject, server, template) ||
        (when !== null && (dependsOnCall(when) || when.uses.has('call.resource'))),
    );
  }

  /** @param open whether a rule can match or not, with nothing else changed */
  #isShown(request: RuleRequest, about: readonly Rule[], open: (rule: Rule) => boolean): boolean {
    resetMeter();
    const told = new Told(request, NO_OTHERS);
    let isAllowed = !this.#deniesByDefault(request);
    for (const rule of about) {
      const { do: deed } = rule.action;
      if (deed !== 'deny' && deed !== 'approve' && deed !== 'allow') continue;
      if (!coversCaller(rule.match, request)) continue;
      const isOpen = open(rule);
      if (deed === 'deny') {
        if (!isOpen && judged(rule, told) !== false) return false;
      } else if (isOpen || judged(rule, told) !== false) isAllowed = true;
    }
    return isAllowed;
  }

  /** What may leave is a list already, the manifest's: the default is about calls. */
  #deniesByDefault({ subject }: RuleRequest): boolean {
    return this.fallback === 'deny' && subject !== 'egress';
  }

  #selected({ subject, server, name }: RuleRequest): Selection {
    if (this.all.length === 0) return NONE;
    if (name.length > limits.policyNameRememberedCharsMax) return this.#select(subject, server, name);
    const key = `${subject}\n${server}\n${name}`;
    const known = this.#selections.get(key);
    if (known !== undefined) return known;
    if (this.#selections.size >= limits.policySelectionsMax) this.#selections.clear();
    const selection = this.#select(subject, server, name);
    this.#selections.set(key, selection);
    return selection;
  }

  #select(subject: Subject, server: string, name: string): Selection {
    const others = othersOf(subject, name);
    const selected = this.all.filter(
      (rule) => rule.subjects.has(subject) && isAbout(rule, subject, server, { name, others }),
    );
    return { rules: selected, counts: countsOf(selected), others };
  }

  #outcome(request: RuleRequest, matched: readonly Matched[]): RuleDecision {
    if (matched.length === 0 && !this.#deniesByDefault(request)) return ALLOWED;
    const denial = firstOf(matched, 'deny');
    const approval = firstOf(matched, 'approve');
    const permit = firstOf(matched, 'allow');
    const { approvals, limits: limited, masks, records, alerts } = effects(matched);
    const carried = { approvals, limits: limited, masks, records, alerts, matched };
    if (denial !== null) return { outcome: 'deny', decisive: denial, ...carried };
    if (approval !== null) return { outcome: 'approve', decisive: approval, ...carried };
    if (permit !== null) return { outcome: 'allow', decisive: permit, ...carried };
    return { outcome: this.#deniesByDefault(request) ? 'deny' : 'allow', decisive: null, ...carried };
  }
}

/** @returns false where it does not match; otherwise why its condition could not be judged, if so */
function judged({ when, action }: Rule, told: Told): string | null | false {
  if (when === null) return null;
  const verdict = when.judge(told.facts);
  if (action.do === 'allow') {
    const isEverybodys =
      !told.leadsElsewhere || told.readFor(when).every((other) => when.judge(other).met === true);
    return verdict.met === true && isEverybodys ? null : false;
  }
  if (verdict.met === false && !told.readFor(when).some((other) => when.judge(other).met !== false))
    return false;
  return verdict.met === null ? verdict.fault : null;
}

/** A request, and the same with each other meaning of its name. */
class Told {
  readonly facts: Facts;
  readonly #request: RuleRequest;
  readonly #others: readonly string[];

  constructor(request: RuleRequest, others: readonly string[]) {
    this.facts = new Facts(request);
    this.#request = request;
    this.#others = others;
  }

  get leadsElsewhere(): boolean {
    return this.#others.length > 0 && leadsElsewhere(this.#request.name);
  }

  /** The others, where a condition asks for the name. */
  readFor({ uses }: Condition): readonly Facts[] {
    return uses.has('call') ? this.#others.map((name) => new Facts({ ...this.#request, name })) : [];
  }
}

/** Whether its answer can be another one at the next call, with nothing else changed. */
const dependsOnCall = ({ uses }: Condition): boolean =>
  uses.has('args') || uses.has('now') || uses.has('usage');

const firstOf = (matched: readonly Matched[], deed: Deed): Matched | null =>
  matched.find(({ rule }) => rule.action.do === deed) ?? null;

type Effects = Pick<RuleDecision, 'approvals' | 'limits' | 'masks' | 'records' | 'alerts'>;

function effects(matched: readonly Matched[]): Effects {
  const found: { [Kind in keyof Effects]: Effects[Kind][number][] } = {
    approvals: [],
    limits: [],
    masks: [],
    records: [],
    alerts: [],
  };
  for (const { rule } of matched) {
    const { action, id, message, instead, place } = rule;
    if (action.do === 'approve') found.approvals.push(action);
    if (action.do === 'limit')
      found.limits.push({ ...action, message, instead, rule: id, source: place.file });
    if (action.do === 'mask') found.masks.push({ ...action, rule: id });
    if (action.do === 'record') found.records.push(action);
    if (action.do === 'alert') found.alerts.push({ ...action, rule: id });
  }
  return found;
}

/** Where nobody has made any. */
export const NO_RULES: Rules = combineRules([]);
