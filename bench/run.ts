/**
 * `npm run bench [-- NAME…] [-- FLAGS]`: the benchmarks by name, or all but those that take minutes by design. What
 * follows the names goes to each of them. Most print a table whose last column is a ratio against something named that
 * ran in the same run: machines are shared and noisy, so only ratios are worth quoting.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

/** Not part of a run of everything: they are about minutes of load, or a look inside. */
const ON_REQUEST = ['memory', 'soak', 'profile'];

const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3));
const given = process.argv.slice(2);
const firstFlag = given.findIndex((argument) => argument.startsWith('-'));
const wanted = firstFlag < 0 ? given : given.slice(0, firstFlag);
const flags = firstFlag < 0 ? [] : given.slice(firstFlag);
for (const name of wanted) {
  if (known.includes(name)) continue;
  process.stderr.write(`There is no benchmark ${name}. There are: ${known.join(', ')}.\n`);
  process.exit(2);
}

process.stdout.write(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}\n`,
);
let failed = false;
const usual = known.filter((name) => !ON_REQUEST.includes(name));
for (const name of wanted.length > 0 ? wanted : usual) {
  process.stdout.write(`\n== ${name}\n`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...flags], {
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
process.exitCode = failed ? 1 : 0;
