/**
 * The functions that conditions may call, all of them: those of the language that read no more than they are given, and
 * ours. None waits, none reads anything but its arguments, and each takes time in proportion to them.
 */
import { Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { limits } from '../../kernel/index.ts';
import { inNetworks, isNetwork } from '../../wire/index.ts';
import { domainOf, emailsOf, linkedHostsOf, recipientsOf, within } from './addresses.ts';
import { isTimeZone, localTime, momentOf } from './calendar.ts';
import { charge } from './meter.ts';
import { sqlTables, sqlVerbs } from './sql.ts';
import { usagePeriods, usageScopes, UsageCountsValue, UsageValue } from './usage.ts';
import { charactersOf, folded, mentions, numberOf, textsOf, valueAt } from './texts.ts';

/** Built in, and harmless. Not among them: `matches` with JavaScript's patterns, and what makes texts from texts. */
const STANDARD =
  'has size int double string bool timestamp duration type dyn contains startsWith endsWith lowerAscii upperAscii trim indexOf substring';
const OWN =
  'matches lower folded at texts mentions characters number recipients emails linkedHosts domainOf within inNetwork hour clock weekday date moment sqlVerbs sqlTables';

/** These take a part that is evaluated for each item of a list. */
export const COMPREHENSIONS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/** The standard's name for matching, and what it becomes here: patterns that take linear time. */
const MATCHES = 'matches';
const OWN_MATCHES = 'matchesInLinearTime';

const patterns = new Map<string, RE2JS>();

/** @throws where it is no pattern of RE2 */
function patternOf(text: string): RE2JS {
  const known = patterns.get(text);
  if (known !== undefined) return known;
  const made = RE2JS.compile(text);
  if (made.programSize() > limits.policyPatternSizeMax) throw new Error('it is too large');
  // Every pattern is written out in a condition, so there are as many as owners wrote.
  if (patterns.size >= limits.policySelectionsMax) patterns.clear();
  patterns.set(text, made);
  return made;
}

function patternFault(text: string): string | null {
  try {
    patternOf(text);
    return null;
  } catch (error) {
    return `this pattern does not compile: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Arguments that have to be written out, so that they are checked when the policy is, and by nobody else chosen. */
export const LITERALS: ReadonlyMap<string, { readonly index: number; fault(text: string): string | null }> =
  new Map([
    [MATCHES, { index: 0, fault: patternFault }],
    ['at', { index: 1, fault: () => null }],
    ...['hour', 'clock', 'weekday', 'date'].map(
      (name) =>
        [
          name,
          { index: 1, fault: (zone: string) => (isTimeZone(zone) ? null : 'this is no time zone') },
        ] as const,
    ),
    [
      'inNetwork',
      {
        index: 1,
        fault: (network) => (isNetwork(network) ? null : 'this is no network like 10.0.0.0/8'),
      },
    ],
  ]);

/** What authors are shown, and what each name is allowed for. */
export const FUNCTIONS: ReadonlySet<string> = new Set([
  ...STANDARD.split(' '),
  ...OWN.split(' '),
  ...COMPREHENSIONS,
]);

/** What makes lists of texts: as many as `limits.policyFoundMax`, however few values there are. */
export const FINDERS: ReadonlySet<string> = new Set(['recipients', 'emails', 'linkedHosts', 'sqlTables']);

/** The name that the evaluator knows a function by. */
export const evaluatedName = (name: string): string => (name === MATCHES ? OWN_MATCHES : name);

/** What conditions can ask for. A class for each, because a plain object would be copied at each use. */
export class CallValue {
  readonly subject: string;
  readonly server: string;
  readonly profile: string;
  readonly tool?: string;
  readonly prompt?: string;
  readonly resource?: string;

  constructor(fields: Pick<CallValue, keyof CallValue>) {
    Object.assign(this, fields);
    this.subject = fields.subject;
    this.server = fields.server;
    this.profile = fields.profile;
  }
}

export class ClientValue {
  readonly ip?: string;

  constructor(ip: string | undefined) {
    if (ip !== undefined) this.ip = ip;
  }
}

export class EgressValue {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly bytes?: bigint;

  constructor(fields: Pick<EgressValue, keyof EgressValue>) {
    Object.assign(this, fields);
    this.host = fields.host;
    this.method = fields.method;
    this.path = fields.path;
  }
}

const STRING = 'string';

/** What a condition may name, and the fields that each has; null: whatever the caller sent. */
export const VARIABLES: Readonly<Record<string, readonly string[] | null>> = {
  call: ['subject', 'server', 'profile', 'tool', 'prompt', 'resource'],
  args: null,
  annotations: null,
  user: [],
  agent: [],
  client: ['ip'],
  now: [],
  egress: ['host', 'method', 'path', 'bytes'],
  usage: usageScopes,
};

export function createEnvironment(): Environment {
  const texts = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, STRING]));
  const zoned = (read: (at: Date, zone: string) => unknown) => (at: Date, zone: string) => read(at, zone);
  return new Environment({
    homogeneousAggregateLiterals: false,
    limits: {
      maxAstNodes: limits.policyConditionNodesMax,
      maxListElements: limits.policyListMax,
      maxDepth: 50,
    },
  })
    .registerType('Call', { ctor: CallValue, fields: texts(VARIABLES['call'] ?? []) })
    .registerType('Client', { ctor: ClientValue, fields: texts(['ip']) })
    .registerType('Egress', {
      ctor: EgressValue,
      fields: { ...texts(['host', 'method', 'path']), bytes: 'int' },
    })
    .registerType('UsageCounts', {
      ctor: UsageCountsValue,
      fields: Object.fromEntries(usagePeriods.map((period) => [period, 'int'])),
    })
    .registerType('Usage', {
      ctor: UsageValue,
      fields: Object.fromEntries(usageScopes.map((scope) => [scope, 'UsageCounts'])),
    })
    .registerVariable('call', 'Call')
    .registerVariable('args', 'dyn')
    .registerVariable('annotations', 'dyn')
    .registerVariable('user', STRING)
    .registerVariable('agent', STRING)
    .registerVariable('client', 'Client')
    .registerVariable('now', 'google.protobuf.Timestamp')
    .registerVariable('egress', 'Egress')
    .registerVariable('usage', 'Usage')
    .registerFunction(`string.${OWN_MATCHES}(string): bool`, (text: string, pattern: string) => {
      charge(text.length);
      return patternOf(pattern).test(text);
    })
    .registerFunction('string.lower(): string', (text: string) => {
      charge(text.length);
      return text.toLowerCase();
    })
    .registerFunction('folded(string): string', folded)
    .registerFunction('at(dyn, string): dyn', valueAt)
    .registerFunction('texts(dyn): list<string>', textsOf)
    .registerFunction('mentions(dyn, list): bool', mentions)
    .registerFunction('characters(dyn): int', charactersOf)
    .registerFunction('number(dyn): double', numberOf)
    .registerFunction('recipients(dyn): list<string>', recipientsOf)
    .registerFunction('emails(dyn): list<string>', emailsOf)
    .registerFunction('linkedHosts(dyn): list<string>', linkedHostsOf)
    .registerFunction('domainOf(string): string', domainOf)
    .registerFunction('within(string, list): bool', within)
    .registerFunction('inNetwork(string, string): bool', (ip: string, network: string) =>
      inNetworks(ip, [network]),
    )
    .registerFunction(
      'hour(google.protobuf.Timestamp, string): int',
      zoned((at, zone) => BigInt(localTime(at, zone).hour)),
    )
    .registerFunction(
      'clock(google.protobuf.Timestamp, string): string',
      zoned((at, zone) => localTime(at, zone).clock),
    )
    .registerFunction(
      'weekday(google.protobuf.Timestamp, string): string',
      zoned((at, zone) => localTime(at, zone).weekday),
    )
    .registerFunction(
      'date(google.protobuf.Timestamp, string): string',
      zoned((at, zone) => localTime(at, zone).date),
    )
    .registerFunction('moment(dyn): google.protobuf.Timestamp', momentOf)
    .registerFunction('sqlVerbs(string): list<string>', sqlVerbs)
    .registerFunction('sqlTables(string): list<string>', sqlTables);
}
