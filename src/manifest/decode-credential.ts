/** `credentials`: named slots, their tier, and where their placeholder may stand. */
import type { CredentialSpec, InjectRule } from './types.ts';
import { envNameFault } from './env-name.ts';
import {
  type Cursor,
  type Fields,
  readChoice,
  readEach,
  readFields,
  readFlag,
  readList,
  refuse,
} from './fields.ts';
import { injectPlace, readInjectRule } from './inject-rule.ts';
import { defaultPlaceholder, placeholderFault } from './placeholder.ts';
import { pattern, proseRule, readRuled, type TextRule } from './plain-text.ts';
import type { Report } from './report.ts';
import { readDistinct, readHost, readMethods, readPaths, readPort } from './request-scope.ts';

const KEYS = [
  'name',
  'title',
  'description',
  'tier',
  'required',
  'use',
  'env',
  'placeholder',
  'hosts',
  'ports',
  'methods',
  'paths',
  'inject',
] as const;

const nameRule = pattern(
  'manifest_credential_name',
  'upper-case letters, digits and underscores, beginning with a letter, e.g. GITHUB_TOKEN',
  /^[A-Z][A-Z0-9_]{0,127}$/,
);
const envRule: TextRule = { expected: 'the name of an environment variable', fault: envNameFault };
const placeholderRule: TextRule = { expected: 'a pattern such as "ghp_{alnum:36}"', fault: placeholderFault };
export const titleRule = proseRule('one', 120);
export const descriptionRule = proseRule('several', 4_000);

export function readCredentials(
  cursor: Cursor | undefined,
  report: Report,
): readonly CredentialSpec[] | undefined {
  if (cursor === undefined) return [];
  return readEach(readList(cursor, 'a list of credentials', report), (item) => readCredential(item, report));
}

function readCredential(cursor: Cursor, report: Report): CredentialSpec | undefined {
  const fields = readFields(cursor, KEYS, report);
  if (fields === undefined) return undefined;
  const tierAt = fields.get('tier');
  const tier = tierAt === undefined ? 'sealed' : readChoice(tierAt, ['sealed', 'entrusted'], report);
  const requiredAt = fields.get('required');
  const placeholderAt = fields.get('placeholder');
  const values = {
    name: readRuled(fields.need('name', nameRule.expected), nameRule, report),
    title: readRuled(fields.get('title'), titleRule, report),
    description: readRuled(fields.get('description'), descriptionRule, report),
    required: requiredAt === undefined ? true : readFlag(requiredAt, report),
    use: readChoice(fields.get('use'), ['always', 'during-calls'], report),
    env: readRuled(fields.get('env'), envRule, report),
    placeholder:
      placeholderAt === undefined ? defaultPlaceholder : readRuled(placeholderAt, placeholderRule, report),
    hosts: readHosts(fields, tier, report),
    ports: readDistinct(fields.get('ports'), 'a list of ports', report, (item) => readPort(item, report)),
    methods: readMethods(fields.get('methods'), report),
    paths: readPaths(fields.get('paths'), report),
    inject: readInject(fields.get('inject'), report),
  };
  const { name, required, use, placeholder, hosts, inject, title, description, env, ports, methods, paths } =
    values;
  // A key that is there but could not be read has been reported; the whole credential is then unknown.
  const unread = KEYS.some(
    (key) => key !== 'tier' && fields.get(key) !== undefined && values[key] === undefined,
  );
  if (unread || tier === undefined || name === undefined || required === undefined) return undefined;
  if (placeholder === undefined || hosts === undefined || inject === undefined) return undefined;
  checkTier({ tier, fields, inject, cursor }, report);
  checkShape(placeholder, inject, placeholderAt ?? cursor, report);
  return {
    name,
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    tier,
    required,
    ...(use === 'during-calls' ? { use } : {}),
    ...(env === undefined ? {} : { env }),
    placeholder,
    hosts,
    ...(ports === undefined ? {} : { ports }),
    ...(methods === undefined ? {} : { methods }),
    ...(paths === undefined ? {} : { paths }),
    inject,
  };
}

const HOSTS_EXPECTED = 'a list of the hosts that may receive the value, e.g. [api.example.com]';

function readHosts(
  fields: Fields,
  tier: CredentialSpec['tier'] | undefined,
  report: Report,
): readonly string[] | undefined {
  const cursor = tier === 'entrusted' ? fields.get('hosts') : fields.need('hosts', HOSTS_EXPECTED);
  if (cursor === undefined) return tier === 'entrusted' ? [] : undefined;
  if (tier === 'entrusted') {
    // The cell has the value itself: that no host is named here narrows nothing and widens nothing.
    const items = readList(cursor, HOSTS_EXPECTED, report);
    if (items === undefined || items.length === 0) return items === undefined ? undefined : [];
  }
  return readDistinct(cursor, HOSTS_EXPECTED, report, (item) => readHost(item, report));
}

function readInject(cursor: Cursor | undefined, report: Report): readonly InjectRule[] | undefined {
  if (cursor === undefined) return [];
  const items = readList(
    cursor,
    'a list of places, e.g. [{ header: Authorization, format: "Bearer {token}" }]',
    report,
  );
  const seen = new Set<string>();
  return readEach(items, (item) => {
    const rule = readInjectRule(item, report);
    if (rule === undefined) return undefined;
    const place = injectPlace(rule);
    if (seen.has(place)) {
      refuse(
        item,
        { code: 'manifest_repeated', message: `${place} is in the list twice`, expected: 'each place once' },
        report,
      );
    }
    seen.add(place);
    return rule;
  });
}

/** Characters that end a place: a placeholder with one of them in it could never stand there whole. */
const ENDS: Readonly<Record<string, RegExp>> = { cookie: /[;,]/, path: /[/?#]/, basic: /:/ };

function checkShape(placeholder: string, inject: readonly InjectRule[], at: Cursor, report: Report): void {
  const literal = placeholder.replaceAll(/\{[^}]*\}/g, '');
  for (const rule of inject) {
    const place = injectPlace(rule);
    const found = ENDS[place.split(' ', 1)[0] ?? '']?.exec(literal)?.[0];
    if (found === undefined || place === 'basic password') continue;
    refuse(
      at,
      {
        code: 'manifest_placeholder_place',
        message: `a placeholder with ${JSON.stringify(found)} cannot stand in its place (${place})`,
        expected: `a placeholder without ${JSON.stringify(found)}`,
      },
      report,
    );
  }
}

function checkTier(
  {
    tier,
    fields,
    inject,
    cursor,
  }: { tier: CredentialSpec['tier']; fields: Fields; inject: readonly InjectRule[]; cursor: Cursor },
  report: Report,
): void {
  const complain = (at: Cursor, code: string, message: string, expected: string): void => {
    refuse(at, { code, message, expected }, report);
  };
  const injectAt = fields.get('inject');
  if (tier === 'sealed' && inject.length === 0) {
    complain(
      injectAt ?? cursor,
      'manifest_sealed_without_inject',
      'a sealed credential says nowhere that it goes',
      'inject with at least one place, e.g. [{ header: Authorization, format: "Bearer {token}" }]',
    );
  }
  if (tier === 'entrusted' && inject.length > 0) {
    complain(
      injectAt ?? cursor,
      'manifest_entrusted_with_inject',
      'the server holds an entrusted value itself, so nothing is put in for it',
      'no inject, or tier: sealed',
    );
  }
  if (tier === 'entrusted' && fields.get('use') !== undefined) {
    complain(
      fields.get('use') ?? cursor,
      'manifest_entrusted_with_use',
      'the server holds an entrusted value itself, so nobody can say when it uses it',
      'no use, or tier: sealed',
    );
  }
  if (tier === 'entrusted' && fields.get('env') === undefined) {
    complain(
      cursor,
      'manifest_entrusted_without_env',
      'an entrusted credential has no variable to be handed over in',
      'env with the name of the variable',
    );
  }
}
