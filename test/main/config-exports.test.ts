import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { alertSettings } from '../../src/main/config-alerts.ts';
import { auditExports } from '../../src/main/config-exports.ts';

const problems = (...given: readonly object[]): string => {
  const parsed = auditExports.safeParse(given);
  return parsed.success ? '' : parsed.error.issues.map(({ message }) => message).join('; ');
};
const webhook = { name: 'siem', kind: 'webhook', url: 'https://siem.example/' };

describe('settings of audit exports', () => {
  it('have defaults', () => {
    const [syslog] = auditExports.parse([{ name: 's', kind: 'syslog', address: 'Logs.Example:6514' }]);
    expect(syslog).toMatchObject({
      from: 'start',
      required: false,
      lagEvents: 10_000,
      lagSeconds: 300,
      transport: 'tls',
      address: { host: 'logs.example', port: 6514 },
    });
  });

  it.each<[string, object, RegExp]>([
    ['an unknown kind', { name: 'x', kind: 'fax' }, /./],
    ['an unknown field', { ...webhook, colour: 'blue' }, /colour/],
    ['a name of other letters', { ...webhook, name: 'SIEM 1' }, /small letters/],
    ['no address', { name: 'x', kind: 'webhook' }, /url or urlFile/],
    ['two addresses', { ...webhook, urlFile: 'x' }, /url or urlFile/],
    ['another scheme', { ...webhook, url: 'ftp://siem.example/' }, /https/],
    ['a login in the address', { ...webhook, url: 'https://u:p@siem.example/' }, /authorizationFile/],
    ['a port that is missing', { name: 'x', kind: 'syslog', address: 'logs.example' }, /HOST:PORT/],
    ['no path', { name: 'x', kind: 'jsonl' }, /./],
  ])('with %s are refused', (_what, given, message) => {
    expect(problems(webhook)).toBe('');
    expect(problems(given)).toMatch(message);
  });

  it('have each name once', () => {
    expect(problems(webhook, webhook)).toBe('has two of one name');
  });
});

it('are as docs/audit-exports.md and docs/alerts.md show them', () => {
  const shown = ['audit-exports', 'alerts'].flatMap((page) => {
    const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8');
    return Array.from(
      text.matchAll(/```yaml\n([\s\S]*?)```/g),
      ([, yaml = '']) =>
        parse(yaml) as { audit?: { exports: unknown }; alerts?: { rules?: { kind: string }[] } },
    );
  });
  expect(shown).toHaveLength(3);
  const [exports, channels, rules] = shown;
  expect(auditExports.parse(exports?.audit?.exports).map(({ kind }) => kind)).toEqual([
    'jsonl',
    'syslog',
    'webhook',
    'otlp',
  ]);
  expect(alertSettings.parse(channels?.alerts).channels).toHaveLength(2);
  // All but the last are what holds without a word.
  expect(alertSettings.parse(rules?.alerts).rules.slice(0, -1)).toEqual(alertSettings.parse({}).rules);
});
