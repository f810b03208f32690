/**
 * Records events as a gateway does, several at a time, and prints the number of each once it is acknowledged, in order,
 * until it is killed. Arguments: home folder, durability, the first number, how long to wait
 * between one record and the next, in milliseconds, and how long an event is, in characters.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/index.ts';
import { openServices } from '../../src/main/services.ts';

const [home = '', durability = '', first = '0', pauseMs = '0', chars = '0'] = process.argv.slice(2);
const text = 'x'.repeat(Number(chars));
const config = loadConfig({ SALLYPORT_HOME: home, SALLYPORT_AUDIT_DURABILITY: durability });
const { audit, workspace } = await openServices(config, silentLog, { auditWriter: 'journal' });
for (let n = Number(first); ; n += 8) {
  const numbers = Array.from({ length: 8 }, (_, more) => n + more);
  await Promise.all(
    numbers.map((number) =>
      audit.record({
        workspace,
        type: 'egress.finished',
        actor: { kind: 'cell', id: 'cel_1' },
        data: { n: number, text },
      }),
    ),
  );
  // A pipe: it is written when the call returns.
  process.stdout.write(numbers.map((number) => `${number}\n`).join(''));
  if (pauseMs !== '0') await sleep(Number(pauseMs));
}
