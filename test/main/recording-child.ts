/**
 * Records events as a gateway does, several at a time, and prints the number of each once it is acknowledged, in order,
 * until it is killed. Arguments: home folder, durability.
 */
import { writeSync } from 'node:fs';
import { silentLog } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/index.ts';
import { openServices } from '../../src/main/services.ts';

const [home = '', durability = ''] = process.argv.slice(2);
const config = loadConfig({ SALLYPORT_HOME: home, SALLYPORT_AUDIT_DURABILITY: durability });
const { audit, workspace } = await openServices(config, silentLog, { auditWriter: 'thread' });
for (let n = 0; ; n += 8) {
  const numbers = Array.from({ length: 8 }, (_, more) => n + more);
  await Promise.all(
    numbers.map((number) =>
      audit.record({
        workspace,
        type: 'egress.finished',
        actor: { kind: 'cell', id: 'cel_1' },
        data: { n: number },
      }),
    ),
  );
  writeSync(1, numbers.map((number) => `${number}\n`).join(''));
}
