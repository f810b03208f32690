import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { templates } from '../../../src/policy/index.ts';

test('the page lists every template with what it does', () => {
  const page = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
  const rows = templates.map(({ name, summary }) => `| \`${name}\` | ${summary} |`);
  expect(page.split('\n').filter((line) => /^\| `[a-z0-9-]+` \| [A-Z]/.test(line))).toEqual(rows);
});
