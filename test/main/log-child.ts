/** Logs lines until it is told to stop, each after another turn of the event loop, and says on stdout that it is still there. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLog } from '../../src/main/log.ts';

const log = createLog('info');
for (let n = 0; n < Number(process.argv[2]); n += 1) {
  log.info('line', { n, text: 'x'.repeat(1_000) });
  await nextTurn();
}
process.stdout.write('still there');
