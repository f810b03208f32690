/** Prints what the doctor says about cells, as JSON: to be run where something is taken away from it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createSandbox } from '../../src/sandbox/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-doctor-'));
try {
  const sandbox = await createSandbox({
    stateDir: join(folder, 'run'),
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
  });
  process.stdout.write(JSON.stringify(await sandbox.check()));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
