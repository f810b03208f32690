/**
 * `npm run fuzz -- [TARGET…] [--count N] [--seed S]`: throws seeded inputs at parsers that read hostile bytes. The same seed and
 * count are the same inputs. Without a target, all; without a seed, one of the clock, which is printed.
 */
import { parseArgs } from 'node:util';
import { http1 } from './http1.ts';
import { json } from './json.ts';
import { scrub } from './scrub.ts';
import type { FuzzTarget } from './target.ts';
import { websocket } from './websocket.ts';
import { websocketRelay } from './websocket-relay.ts';

const targets: readonly FuzzTarget[] = [http1, json, scrub, websocket, websocketRelay];

const write = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0
    ? value
    : fail(`--${name} wants a whole number, not ${text}.`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: 'string', default: '100000' }, seed: { type: 'string' } },
});
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : wholeNumber('seed', values.seed);
const count = wholeNumber('count', values.count);
const known = targets.map(({ name }) => name);
const unknown = positionals.find((name) => !known.includes(name));
if (unknown !== undefined) fail(`There is no target ${unknown}. There are: ${known.join(', ')}.`);

for (const target of targets) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue;
  write(`\n== ${target.name}, seed ${seed}, ${count} inputs`);
  const start = performance.now();
  await target.run(seed, count, write);
  write(`${((performance.now() - start) / 1e3).toFixed(1)} s`);
}
