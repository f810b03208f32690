/**
 * `npm run bench [-- NAME…]`: the benchmarks by name, or all. Each prints a table whose last column is a ratio against
 * something named that ran in the same run: machines are shared and noisy, so only ratios are worth quoting.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3));
const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (existsSync(join(import.meta.dirname, `${name}.ts`)) && name !== 'run') continue;
  process.stderr.write(`There is no benchmark ${name}. There are: ${known.join(', ')}.\n`);
  process.exit(2);
}

process.stdout.write(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}\n`,
);
let failed = false;
for (const name of wanted.length > 0 ? wanted : known) {
  process.stdout.write(`\n== ${name}\n`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
process.exitCode = failed ? 1 : 0;
