/** What a rule does, with its parameters, which stand beside `do` under the action's own name. */
import {
  type Cursor,
  type Fields,
  readChoice,
  readEach,
  readFields,
  readFlag,
  readInteger,
  readList,
  readText,
  refuse,
  type Report,
} from '../../manifest/index.ts';
import { isTimeZone } from './calendar.ts';
import { readMask } from './masking.ts';
import {
  type Action,
  alertSeverities,
  type Deed,
  type Limit,
  limitKeys,
  limitPeriods,
  recordLevels,
} from './types.ts';

const COUNT = { min: 1, max: 1_000_000_000 };
/** A week. */
const MINUTES = { min: 1, max: 10_080 };
const PEOPLE = { min: 1, max: 20 };

/** @param fields of the rule */
export function readAction(deed: Deed, fields: Fields, report: Report): Action | undefined {
  if (deed === 'deny' || deed === 'allow') return { do: deed };
  const cursor = fields.get(deed);
  if (deed === 'approve') return readApprove(cursor, report);
  if (deed === 'record') {
    const given = parameters(cursor, ['level'], report);
    return { do: 'record', level: readChoice(given?.get('level'), recordLevels, report) ?? 'arguments' };
  }
  if (deed === 'alert') {
    const given = parameters(cursor, ['severity'], report);
    return {
      do: 'alert',
      severity: readChoice(given?.get('severity'), alertSeverities, report) ?? 'warning',
    };
  }
  const needed = fields.need(deed, `what to ${deed}`);
  if (needed === undefined) return undefined;
  return deed === 'limit' ? readLimit(needed, report) : readMask(needed, report);
}

const parameters = (
  cursor: Cursor | undefined,
  keys: readonly string[],
  report: Report,
): Fields | undefined => (cursor === undefined ? undefined : readFields(cursor, keys, report));

function readApprove(cursor: Cursor | undefined, report: Report): Action {
  const given = parameters(cursor, ['people', 'expireMinutes', 'justification'], report);
  return {
    do: 'approve',
    people: readInteger(given?.get('people'), PEOPLE, report) ?? 1,
    expireMinutes: readInteger(given?.get('expireMinutes'), MINUTES, report) ?? 60,
    justification: readFlag(given?.get('justification'), report) ?? false,
  };
}

function readLimit(cursor: Cursor, report: Report): Action | undefined {
  const given = readFields(
    cursor,
    ['calls', 'per', 'burst', 'zone', 'by', 'concurrent', 'resultBytes'],
    report,
  );
  if (given === undefined) return undefined;
  const calls = readInteger(given.get('calls'), COUNT, report) ?? null;
  const concurrent = readInteger(given.get('concurrent'), COUNT, report) ?? null;
  const resultBytes = readInteger(given.get('resultBytes'), COUNT, report) ?? null;
  const by = readEach(readList(given.get('by'), `a list of ${limitKeys.join(', ')}`, report), (one) =>
    readChoice(one, limitKeys, report),
  );
  if (calls === null && concurrent === null && resultBytes === null) {
    const expected = 'calls, concurrent or resultBytes';
    return refuse(
      cursor,
      { code: 'policy_nothing_limited', message: 'this limits nothing', expected },
      report,
    );
  }
  const per = readChoice(given.get('per'), limitPeriods, report) ?? 'minute';
  const burst = readInteger(given.get('burst'), COUNT, report) ?? null;
  const zone = readZone(given.get('zone'), report) ?? 'UTC';
  refuseMisfits({ calls, per }, given, report);
  return { do: 'limit', calls, per, burst, zone, by: by ?? ['token'], concurrent, resultBytes };
}

function readZone(cursor: Cursor | undefined, report: Report): string | undefined {
  const expected = 'a time zone such as Europe/Berlin';
  const zone = readText(cursor, expected, report);
  if (cursor === undefined || zone === undefined || isTimeZone(zone)) return zone;
  const message = `there is no time zone ${JSON.stringify(zone)}`;
  return refuse(cursor, { code: 'policy_zone_unknown', message, expected }, report);
}

/** What would be read and mean nothing. */
function refuseMisfits({ calls, per }: Pick<Limit, 'calls' | 'per'>, given: Fields, report: Report): void {
  const misfit = (key: string, expected: string): void => {
    const at = given.get(key);
    const message = `\`${key}\` means nothing here`;
    if (at !== undefined) refuse(at, { code: 'policy_limit_misfit', message, expected }, report);
  };
  if (calls === null) for (const key of ['per', 'burst', 'zone']) misfit(key, '`calls` beside it');
  else if (per === 'minute' || per === 'hour') misfit('zone', '`per: day` or `per: month`, or no zone');
  else {
    misfit('burst', '`per: minute` or `per: hour`, or no burst');
    if (per === 'session') misfit('zone', '`per: day` or `per: month`, or no zone');
  }
}
