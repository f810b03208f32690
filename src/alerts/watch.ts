/**
 * All rules over one workspace's log. Pure: events in, alerts out, and a state that goes into a store and back. What is found
 * again within the quiet time of the same rule and key is counted, not told, and keeps it quiet for as long as it goes on.
 * Callers choose what some keys are made of: beyond so many within the quiet time, a rule tells once that there are more.
 */
import type { RecordedEvent } from '../audit/index.ts';
import { type Json, type JsonObject, limits } from '../kernel/index.ts';
import { burst } from './burst.ts';
import { each } from './each.ts';
import { firstSeen } from './first-seen.ts';
import { killSwitch } from './kill-switch.ts';
import { policyRule } from './policy-rule.ts';
import { offHours } from './off-hours.ts';
import { readNumbers, Remembered } from './remembered.ts';
import type { AlertKind, AlertRule, Detector, Finding } from './rules.ts';
import { volume } from './volume.ts';

export interface Alert {
  /** The same for the same finding in the same event, whoever finds it and how often. */
  readonly id: string;
  readonly rule: string;
  readonly kind: AlertKind;
  readonly key: string;
  readonly message: string;
  /** The event that was one too many. */
  readonly sequence: number;
  readonly at: number;
  /** How often the same was found since it was told last, and not told. */
  readonly suppressed: number;
  readonly data: JsonObject;
}

export interface Watch {
  observe(event: RecordedEvent): readonly Alert[];
  state(): JsonObject;
}

/** When it was found last, and how often since it was told. */
type Quiet = readonly [at: number, suppressed: number];

/** Since when a rule's alerts are counted, and how many were told. */
type Told = readonly [since: number, count: number];

/** Of the gateway's own doing, and about alerts themselves: never a reason for one. */
const IGNORED = /^(?:alert|delivery)\./;

/** @param stored what `state` gave; anything else begins anew */
export function createWatch(rules: readonly AlertRule[], quietMs: number, stored: unknown): Watch {
  const known = recordOf(stored);
  const detectors = rules.map((rule) => ({ rule, detector: detectorOf(rule, known[rule.id]) }));
  const quiet = new Remembered<Quiet>(known[QUIET], readPair);
  const told = new Remembered<Told>(known[TOLD], readPair);

  /** What is told of it: that there are too many, where there are. */
  function bounded(rule: AlertRule, { group = '', ...found }: Finding, at: number): Omit<Finding, 'group'> {
    const key = cut(found.key, limits.alertKeyCharsMax);
    const message = cut(found.message, limits.alertMessageCharsMax);
    const [last] = quiet.get(`${rule.id} ${key}`) ?? [-Infinity];
    if (at - last < quietMs) return { ...found, key, message };
    const place = `${rule.id} ${group}`;
    const [since, count] = told.get(place) ?? [at, 0];
    const isNew = at - since >= quietMs;
    if (!isNew && count >= limits.alertsPerRuleMax) return tooMany(rule, group, quietMs);
    told.set(place, isNew ? [Math.floor(at), 1] : [Math.floor(since), count + 1]);
    return { ...found, key, message };
  }

  return {
    observe(event) {
      if (IGNORED.test(event.type)) return [];
      const alerts: Alert[] = [];
      for (const { rule, detector } of detectors) {
        for (const one of [detector.observe(event) ?? []].flat()) {
          const found = bounded(rule, one, event.at);
          const place = `${rule.id} ${found.key}`;
          const [last, suppressed] = quiet.get(place) ?? [-Infinity, 0];
          if (event.at - last < quietMs) {
            quiet.set(place, [Math.floor(event.at), suppressed + 1]);
            continue;
          }
          quiet.set(place, [Math.floor(event.at), 0]);
          const { sequence, at } = event;
          const id = [
            'alr',
            sequence,
            rule.id,
            ...(alerts.some((one) => one.rule === rule.id) ? [alerts.length] : []),
          ].join('_');
          alerts.push({ id, rule: rule.id, kind: rule.kind, ...found, sequence, at, suppressed });
        }
      }
      return alerts;
    },
    state: () => ({
      ...Object.fromEntries(
        detectors.map(({ rule, detector }): [string, Json] => [rule.id, detector.state()]),
      ),
      [QUIET]: quiet.state(),
      [TOLD]: told.state(),
    }),
  };
}

/** No rule has such an id. */
const QUIET = '*quiet';
const TOLD = '*told';

const readPair = (value: unknown): readonly [number, number] | null => {
  const [one, other] = readNumbers(value) ?? [];
  return one === undefined || other === undefined ? null : [one, other];
};

const cut = (text: string, charsMax: number): string =>
  text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;

function tooMany(rule: AlertRule, group: string, quietMs: number): Omit<Finding, 'group'> {
  const of = group === '' ? rule.id : `${rule.id} ${group}`;
  const minutes = Math.round(quietMs / 60_000);
  return {
    key: `${group} *`.trim(),
    message: `${of}: more than ${limits.alertsPerRuleMax} different alerts within ${minutes} minutes. What follows is in the audit log, and counted here.`,
    data: { more: true },
  };
}

function detectorOf(rule: AlertRule, stored: unknown): Detector {
  switch (rule.kind) {
    case 'volume':
      return volume(rule, stored);
    case 'first-host':
    case 'first-tool':
      return firstSeen(rule, stored);
    case 'denials':
    case 'crash-loop':
      return burst(rule, stored);
    case 'reflected-secret':
    case 'foreign-placeholder':
      return each(rule);
    case 'kill-switch':
      return killSwitch();
    case 'policy-rule':
      return policyRule();
    case 'off-hours':
      return offHours(rule);
    default:
      return rule satisfies never;
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
