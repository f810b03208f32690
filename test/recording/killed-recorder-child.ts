/** Records calls without an end in a home, and says after each how many are written, until it is killed. Argument: the home. */
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { homeFiles, loadConfig } from '../../src/main/config.ts';
import { createRecordings } from '../../src/main/recording/session-recordings.ts';
import { openServices } from '../../src/main/services.ts';
import { beginAt, sayTo } from './operator-world.ts';

const config = loadConfig({ SALLYPORT_HOME: process.argv[2] ?? '', SALLYPORT_RECORDING_LEVEL: 'full' });
const { workspace, store, ring, vault, audit } = await openServices(config, silentLog);
const recordings = createRecordings({
  workspace,
  store,
  ring,
  vault,
  audit,
  config: config.recording,
  threadOn: homeFiles(config.home).database,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
});
const tape = beginAt(recordings, workspace);
for (let count = 1; count <= 100_000; count += 1) {
  await sayTo(tape, count, `number ${count}`);
  await recordings.flush();
  process.stdout.write(`${count}\n`);
}
