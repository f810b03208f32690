/** Cells that are prepared ahead belong to the group that their gateway will be in. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { type Log, silentLog, systemClock, systemRandom } from '../../../src/kernel/index.ts';
import { createSandbox } from '../../../src/sandbox/index.ts';

it('are not begun before it is known which group that is', async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-ahead-')));
  mkdirSync(join(root, 'home/packages'), { recursive: true, mode: 0o700 });
  const events: string[] = [];
  const note = (event: string): void => void events.push(event);
  const log: Log = { ...silentLog, debug: note, info: note, warn: note };
  const sandbox = await createSandbox({
    stateDir: join(root, 'home/run'),
    packagesDir: join(root, 'home/packages'),
    preparedMax: 1,
    log,
    clock: systemClock,
    random: systemRandom,
    groups: {
      facts: () => ({ kind: 'none', why: 'not-delegated', scope: 'user' }),
      async open() {
        await new Promise((resolve) => setTimeout(resolve, 100));
        note('groups opened');
        return null;
      },
    },
  });
  try {
    sandbox.keepReady([[443]]);
    await vi.waitFor(() => expect(events).toContain('cell.prepared'), { timeout: 20_000, interval: 5 });
    expect(events.filter((event) => event === 'groups opened' || event === 'cell.prepared')).toEqual([
      'groups opened',
      'cell.prepared',
    ]);
  } finally {
    await sandbox.close();
    rmSync(root, { recursive: true, force: true });
  }
});
