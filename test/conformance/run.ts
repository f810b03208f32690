/**
 * `npm run conformance [-- --revision R] [--via cell|remote] [--era both|session|stateless] [--server URL] [--scenario S]
 * [--verbose]`: the official conformance suite against the everything server, or another that runs already, directly and through
 * the gateway, beside each other. Fails where a scenario is worse through the gateway than directly.
 */
import { parseArgs } from 'node:util';
import { type Revision, runSuite, type Score, type SuiteRun } from './suite.ts';
import { cellTarget, directTarget, type Era, remoteTarget, type Target } from './targets.ts';

const REVISIONS: readonly Revision[] = ['2025-11-25', '2026-07-28'];
const VIAS: Readonly<Record<string, (era: Era, url?: string) => Promise<Target>>> = {
  direct: directTarget,
  cell: cellTarget,
  remote: remoteTarget,
};

/** What the everything server reaches by itself: less means that it is broken, and that the comparison says nothing. */
const REACHED: Readonly<Record<Revision, Score>> = {
  '2025-11-25': { passed: 84, failed: 0 },
  '2026-07-28': { passed: 164, failed: 30 },
};

/**
 * What is reached where a server is to end the stream of a call before it answers, and has none that it could: on stdio, or
 * where it speaks the revision without sessions only. The suite notes that, and does not count it.
 */
const POLLING = { 'server-sse-polling': { passed: 2, failed: 0 } };
const onItsWay = (via: string, server: Era): Readonly<Record<string, Score>> =>
  via === 'cell' || (via === 'remote' && server === 'stateless') ? POLLING : {};

const { values } = parseArgs({
  options: {
    revision: { type: 'string', multiple: true },
    via: { type: 'string', multiple: true },
    era: { type: 'string', default: 'both' },
    server: { type: 'string' },
    scenario: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const revisions = REVISIONS.filter((revision) => values.revision?.includes(revision) ?? true);
// One that runs already cannot be put into a cell.
const vias = Object.keys(VIAS)
  .filter((via) => via === 'direct' || (values.via?.includes(via) ?? true))
  .filter((via) => via !== 'cell' || values.server === undefined);
const { era, scenario = null } = values;
if (revisions.length === 0 || (era !== 'both' && era !== 'session' && era !== 'stateless')) {
  process.stderr.write(`Revisions: ${REVISIONS.join(', ')}. Eras: both, session, stateless.\n`);
  process.exit(2);
}

let problems = 0;
for (const revision of revisions) {
  const runs: SuiteRun[] = [];
  for (const via of vias) runs.push(await run(via, revision, era));
  problems += print(revision, era, runs);
}
process.exitCode = problems === 0 ? 0 : 1;

async function run(via: string, revision: Revision, server: Era): Promise<SuiteRun> {
  const open = VIAS[via];
  if (open === undefined) throw new Error(`no way ${via}`);
  const target = await open(server, values.server);
  try {
    const suite = await runSuite(target.url, revision, scenario);
    if (values.verbose) process.stdout.write(`== ${revision} ${via}\n${suite.output}\n`);
    return suite;
  } finally {
    await target.close();
  }
}

/** @returns how many scenarios are worse through the gateway, and one more where the server itself is not what it was */
function print(revision: Revision, server: Era, runs: readonly SuiteRun[]): number {
  const [direct, ...others] = runs;
  if (direct === undefined) return 0;
  const line = (name: string, cells: readonly string[]): void => {
    process.stdout.write(`${name.padEnd(48)}${cells.map((cell) => cell.padStart(12)).join('')}\n`);
  };
  const show = (score: Score | undefined): string => (score ? `${score.passed}/${score.failed}` : 'not run');
  line(`\n${revision}: passed/failed`, vias);
  let worse = 0;
  for (const [name, before] of direct.scores) {
    const isWorse = others.some(({ scores }, index) => {
      const after = scores.get(name);
      const { passed, failed } = onItsWay(vias[index + 1] ?? '', server)[name] ?? before;
      return after === undefined || after.failed > failed || after.passed < passed;
    });
    worse += isWorse ? 1 : 0;
    const marks = `${isWorse ? '! ' : ''}${name}${direct.unscored.has(name) ? ' (not scored)' : ''}`;
    line(
      marks,
      runs.map(({ scores }) => show(scores.get(name))),
    );
  }
  const totals = (name: string, which: (scenario: string, run: SuiteRun) => boolean): void =>
    line(
      name,
      runs.map((suite) => show(sum([...suite.scores].filter(([scenario]) => which(scenario, suite))))),
    );
  totals('scored', (scenario, { unscored }) => !unscored.has(scenario));
  totals('all', () => true);
  process.stdout.write(worse === 0 ? '' : `${worse} scenarios are worse through the gateway.\n`);
  const reached = sum([...direct.scores]);
  const known = REACHED[revision];
  const asKnown = reached.passed === known.passed && reached.failed === known.failed;
  if (scenario !== null || server !== 'both' || values.server !== undefined || asKnown) return worse;
  process.stdout.write(`The everything server reached ${show(known)} directly, and does not now.\n`);
  return worse + 1;
}

function sum(scores: readonly (readonly [string, Score])[]): Score {
  return {
    passed: scores.reduce((all, [, { passed }]) => all + passed, 0),
    failed: scores.reduce((all, [, { failed }]) => all + failed, 0),
  };
}
