/**
 * `npm run conformance:client [-- --scenario S] [--verbose]`: the official suite's OAuth scenarios for clients, with the gateway as the
 * client (`wrapper.ts`). Fails where any check of any scenario fails that is not an extension.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const SUITE = resolve(
  import.meta.dirname,
  '../../clients/node_modules/@modelcontextprotocol/conformance/dist/index.js',
);
const WRAPPER = join(import.meta.dirname, 'wrapper.ts');
const REVISIONS: readonly string[] = ['2025-03-26', '2025-11-25', '2026-07-28'];
/** Each is a gateway of its own. */
const AT_ONCE = 2;

interface Run {
  readonly scenario: string;
  readonly revision: string;
}

const { values } = parseArgs({
  options: { scenario: { type: 'string' }, verbose: { type: 'boolean', default: false } },
});
const results = mkdtempSync(join(tmpdir(), 'sallyport-conformance-'));
const runs = scenariosIn(await suite('list', '--client'));
const total = { passed: 0, failed: 0 };
await Promise.all(Array.from({ length: AT_ONCE }, work));
rmSync(results, { recursive: true, force: true });
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

async function work(): Promise<void> {
  for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
    const { scenario, revision } = run;
    const command = `'${process.execPath}' '${WRAPPER}'`;
    const words = ['--command', command, '--scenario', scenario, '--spec-version', revision];
    const said = await suite('client', ...words, '--timeout', '60000', '-o', results);
    const [, passed = '0', failed = '1'] = /Passed: (\d+)\/\d+, (\d+) failed/.exec(said) ?? [];
    total.passed += Number(passed);
    total.failed += Number(failed);
    process.stdout.write(`${revision} ${scenario}: ${passed} passed, ${failed} failed\n`);
    if (values.verbose || failed !== '0') process.stdout.write(`${said}\n`);
  }
}

/** `  - auth/basic-cimd [2025-11-25,2026-07-28]`; what is an extension says so there. */
function scenariosIn(list: string): Run[] {
  return Array.from(list.matchAll(/^ {2}- (auth\/\S+) \[(.*)\]$/gm)).flatMap(
    ([, scenario = '', versions = '']) =>
      REVISIONS.filter((revision) => versions.split(',').includes(revision))
        .filter(() => values.scenario === undefined || values.scenario === scenario)
        .map((revision) => ({ scenario, revision })),
  );
}

function suite(...words: string[]): Promise<string> {
  const child = spawn(process.execPath, [SUITE, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', () => done(Buffer.concat(chunks).toString('utf8')));
  });
}
