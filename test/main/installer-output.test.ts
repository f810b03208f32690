/** What an installer says: no faster than it can be listened to, and all of it. */
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { readLines } from '../../src/main/packages/installer-output.ts';

const LINE = 'x'.repeat(1_023);
/** A clock that stands still: nothing is regained. */
const clock = { monotonic: () => 0 };

it('is read up to a bound, and the rest when the writer is gone', async () => {
  const lines: string[] = [];
  const output = new PassThrough();
  const said = readLines(output, clock, (line) => lines.push(line));
  const whole = 2 * (limits.packageInstallOutputBurstBytes / 1_024);
  for (let count = 0; count < whole; count += 1) output.write(`${LINE}\n`);
  await new Promise((resolve) => setImmediate(resolve));
  expect(output.isPaused()).toBe(true);
  expect(lines.length).toBeLessThan(whole);
  output.end('the last one');
  await said.rest();
  expect(lines).toEqual([...Array.from({ length: whole }, () => LINE), 'the last one']);
});

it('is cut where a line has no end', async () => {
  const lines: string[] = [];
  const output = new PassThrough();
  const said = readLines(output, clock, (line) => lines.push(line));
  const most = 'y'.repeat(limits.packageInstallLineCharsMax);
  output.write(`${most}y`);
  output.end('z');
  await said.rest();
  expect(lines).toEqual([most, 'yz']);
});

it('is cut where a line is long and ends, so that whoever searches it has little to search', async () => {
  const lines: string[] = [];
  const output = new PassThrough();
  const said = readLines(output, clock, (line) => lines.push(line));
  const most = 'y'.repeat(limits.packageInstallLineCharsMax);
  output.end(`a\n${most}${most}y\n\n${most}\nb`);
  await said.rest();
  expect(lines).toEqual(['a', most, most, 'y', '', most, 'b']);
});
