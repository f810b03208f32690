/** A sandbox in a home of its own, whose watch looks as often as a test wants. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createCellWatch, type WatchDeps } from '../../src/sandbox/cell-watch.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { openProc } from '../../src/sandbox/process-table.ts';

export async function watchedSandbox(
  looks: Pick<WatchDeps, 'intervalMs' | 'cpuWindowMs'>,
): Promise<{ readonly root: string; readonly sandbox: Sandbox; readonly remove: () => void }> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-watched-')));
  chmodSync(root, 0o755);
  mkdirSync(join(root, 'home'), { mode: 0o700 });
  const sandbox = await createSandbox({
    stateDir: join(root, 'home/run'),
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
    watch: createCellWatch({ proc: openProc, clock: systemClock, ...looks }),
  });
  return { root, sandbox, remove: () => rmSync(root, { recursive: true, force: true }) };
}

export async function textOf(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}
