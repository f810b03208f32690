/** Runs the official suite's server leg against one address, and reads what it printed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PROGRAM = resolve(
  import.meta.dirname,
  '../clients/node_modules/@modelcontextprotocol/conformance/dist/index.js',
);

export type Revision = '2025-11-25' | '2026-07-28';

export interface Score {
  readonly passed: number;
  readonly failed: number;
}

export interface SuiteRun {
  readonly scores: ReadonlyMap<string, Score>;
  /** Scenarios that the revision does not require: extensions, pending ones. */
  readonly unscored: ReadonlySet<string>;
  /** Everything that the suite said. */
  readonly output: string;
}

/**
 * @param scenario one only; null: all that the revision lists
 * @throws where the suite ran no scenario
 */
export async function runSuite(url: string, revision: Revision, scenario: string | null): Promise<SuiteRun> {
  const results = mkdtempSync(join(tmpdir(), 'sallyport-conformance-'));
  try {
    const which = scenario === null ? ['--requirements', revision] : ['--scenario', scenario];
    const version = scenario === null ? [] : ['--spec-version', revision];
    const output = await outputOf(['server', '--url', url, ...which, ...version, '-o', results]);
    const { scores, unscored } = readSummary(output);
    if (scores.size > 0) return { scores, unscored, output };
    const [, passed, total, failed] = /Passed: (\d+)\/(\d+), (\d+) failed/.exec(output) ?? [];
    if (scenario === null || passed === undefined || total === undefined)
      throw new Error(`the conformance suite said nothing that can be read:\n${output}`);
    const score = { passed: Number(passed), failed: Number(failed) };
    return { scores: new Map([[scenario, score]]), unscored, output };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function outputOf(words: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', () => done(Buffer.concat(chunks).toString('utf8')));
  });
}

/** `✓ ping: 2 passed, 0 failed`, and further below `  ✓ json-schema-2020-12 (pending)`. */
export function readSummary(output: string): Pick<SuiteRun, 'scores' | 'unscored'> {
  const scores = new Map<string, Score>();
  const unscored = new Set<string>();
  for (const line of output.split('\n')) {
    const [, scored, passed, failed] = /^[✓✗~] (\S+): (\d+) passed, (\d+) failed/.exec(line) ?? [];
    if (scored !== undefined) scores.set(scored, { passed: Number(passed), failed: Number(failed) });
    const [, extra] = /^ {2}[✓✗] (\S+) \(\S+\)$/.exec(line) ?? [];
    if (extra !== undefined) unscored.add(extra);
  }
  return { scores, unscored };
}
