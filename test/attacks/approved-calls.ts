/**
 * A gateway as far as approvals go, on a home of its own or shared: makes each of so many approved requests once, one after
 * the other, and prints the number of each that it may send, as soon as it may. Arguments: the home, how many. It begins when
 * its input says so, and ends by itself, or is killed.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { silentLog } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/index.ts';
import { openServices } from '../../src/main/services.ts';
import { bookOn, request } from '../main/approvals/book-world.ts';

const [home = '', count = '0'] = process.argv.slice(2);
const services = await openServices(loadConfig({ SALLYPORT_HOME: home }), silentLog, {
  auditWriter: 'journal',
});
const { workspace } = services;
const book = bookOn(services);
process.stdout.write('ready\n');
await once(process.stdin, 'data');
for (let n = 0; n < Number(count); n += 1) {
  const { state } = await book.pass(request({ workspace }, { argumentsText: `{"n":${n}}` }));
  // A pipe: it is written when the call returns.
  if (state === 'granted') writeSync(1, `${n}\n`);
}
writeSync(1, 'all\n');
process.stdin.destroy();
book.close();
await services.close();
