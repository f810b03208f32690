/** The operational log where nobody can take it: a full disk, a reader that has gone or does not read. The gateway goes on. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const CHILD = fileURLToPath(new URL('log-child.ts', import.meta.url));

const logging = (stderr: number | 'pipe', lines: number): ChildProcess =>
  spawn(process.execPath, [CHILD, String(lines)], { stdio: ['ignore', 'pipe', stderr] });

async function outcome(child: ChildProcess): Promise<unknown[]> {
  let said = '';
  child.stdout?.on('data', (text) => {
    said += String(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return [said, code];
}

it('goes to stderr, a line of JSON for each', async () => {
  const child = logging('pipe', 2);
  let text = '';
  child.stderr?.on('data', (piece) => {
    text += String(piece);
  });
  expect(await outcome(child)).toEqual(['still there', 0]);
  const lines = text.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { event: 'line', n: 0 },
    { event: 'line', n: 1 },
  ]);
});

it('is lost on a full disk, and nothing else is', async () => {
  const full = openSync('/dev/full', 'w');
  const child = logging(full, 3_000);
  closeSync(full);
  expect(await outcome(child)).toEqual(['still there', 0]);
});

it('is lost when its reader has gone, and nothing else is', async () => {
  const child = logging('pipe', 50);
  child.stderr?.destroy();
  expect(await outcome(child)).toEqual(['still there', 0]);
});

it('is lost when its reader does not read, and holds nobody up', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-test-'));
  const pipe = join(folder, 'stderr');
  execFileSync('mkfifo', [pipe]);
  const unread = openSync(pipe, 'r+');
  const child = logging(unread, 3_000);
  try {
    expect(await outcome(child)).toEqual(['still there', 0]);
  } finally {
    child.kill('SIGKILL');
    closeSync(unread);
    rmSync(folder, { recursive: true });
  }
});
