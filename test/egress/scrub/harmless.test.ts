/** A short run of the fuzzing target; the long one is `npm run fuzz -- scrub`. */
import { expect, it } from 'vitest';
import { scrub } from '../../fuzz/scrub.ts';

it('twenty thousand random answers without a key come through byte for byte', {
  timeout: 60_000,
}, async () => {
  const report: string[] = [];
  await scrub.run(1, 20_000, (line) => report.push(line));
  expect(report.join()).toMatch(/^20000 answers without a key/);
});
