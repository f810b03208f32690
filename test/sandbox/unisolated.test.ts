/** Programs without a cell: what is kept even then. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { newId, silentLog, systemRandom } from '../../src/kernel/index.ts';
import { type Cell, createUnisolated } from '../../src/sandbox/index.ts';
import { identify, isAlive } from '../../src/sandbox/process-identity.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-unisolated-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const stateDir = join(root, 'run');
mkdirSync(stateDir);
const programs = createUnisolated({
  stateDir,
  environment: { ...process.env, SALLYPORT_MASTER_KEY: 'never', AWS_SECRET_ACCESS_KEY: 'never' },
  log: silentLog,
});

const launch = (command: readonly string[], more: { packageDir?: string } = {}): Cell =>
  programs.launch({
    id: newId<'cell'>('cell', systemRandom),
    label: 'test',
    command,
    args: [],
    env: { API_KEY: 'placeholder' },
    files: [],
    ...more,
  });
const sh = (script: string): Cell => launch(['/bin/sh', '-c', script]);

async function output({ stdout }: Cell): Promise<string> {
  let text = '';
  for await (const chunk of stdout.setEncoding('utf8')) text += String(chunk);
  return text;
}

describe('a program without a cell', () => {
  it('is given its settings, and of the gateway only what every program has', async () => {
    const cell = sh('env');
    const names = (await output(cell)).split('\n').map((line) => line.split('=', 1)[0]);
    expect(names).toContain('API_KEY');
    expect(names).toContain('PATH');
    expect(names).not.toContain('SALLYPORT_MASTER_KEY');
    expect(names).not.toContain('AWS_SECRET_ACCESS_KEY');
    expect(await cell.exited).toMatchObject({ code: 0, started: true, reason: 'it ended by itself' });
  });

  it('finds the programs of its package first', async () => {
    const cell = launch(['/bin/sh', '-c', 'echo $PATH'], { packageDir: '/somewhere' });
    expect(await output(cell)).toMatch(/^\/somewhere\/node_modules\/\.bin:\/somewhere\/venv\/bin:/);
  });

  it('that is not there is said so', async () => {
    const cell = launch(['/nowhere/at-all']);
    expect(await cell.exited).toEqual({
      code: null,
      signal: null,
      started: false,
      reason: 'the program "/nowhere/at-all" could not be started: ENOENT',
      limit: null,
    });
    await cell.kill();
    await cell.stop(1);
  });

  it('is asked to end, and takes with it what it started', async () => {
    const cell = sh('sleep 600 </dev/null >/dev/null 2>&1 & echo $!; cat; exit 4');
    const first = new Promise<string>((done) => cell.stdout.once('data', (bytes) => done(String(bytes))));
    const child = identify(Number(await first));
    await cell.stop(60_000);
    expect(await cell.exited).toMatchObject({ code: 4, reason: 'it ended with code 4' });
    expect(child === null || !isAlive(child)).toBe(true);
    expect(readdirSync(join(stateDir, 'cells'))).toEqual([]);
  });

  it('is killed when it must be', async () => {
    const cell = sh("trap '' TERM; echo; while :; do sleep 600; done");
    await new Promise((done) => cell.stdout.once('data', done));
    expect(readdirSync(join(stateDir, 'cells'))).toHaveLength(1);
    await cell.kill();
    expect(await cell.exited).toMatchObject({ signal: 'SIGKILL', reason: 'stopped by Sallyport' });
    expect(readdirSync(join(stateDir, 'cells'))).toEqual([]);
  });
});
