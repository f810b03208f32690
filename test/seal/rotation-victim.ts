/**
 * A process that rotates the master key and kills itself with SIGKILL at a given step: before a call to the file
 * system, or before or after a call to the store. Prints the number of steps when it lived through all of them.
 *
 * Arguments: key file, database, step to die at (-1: none).
 */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { systemClock, systemRandom } from '../../src/kernel/index.ts';
import { localKeyProvider, rotateMasterKey } from '../../src/seal/index.ts';
import { sqliteTenantKeys } from './sqlite-tenant-keys.ts';

const [file = '', database = '', dieAt = '-1'] = process.argv.slice(2);
let steps = 0;
const step = (): void => {
  if (steps++ === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
};

const { open, rename, unlink } = fs;
fs.open = async (...args) => {
  step();
  const handle = await open(...args);
  const writeFile = handle.writeFile.bind(handle);
  const sync = handle.sync.bind(handle);
  handle.writeFile = async (...content) => {
    step();
    await writeFile(...content);
    step();
  };
  handle.sync = async () => {
    step();
    await sync();
  };
  return handle;
};
fs.rename = async (...args) => {
  step();
  await rename(...args);
  step();
};
fs.unlink = async (...args) => {
  step();
  await unlink(...args);
};
syncBuiltinESMExports();

const store = sqliteTenantKeys(database, step);
const provider = localKeyProvider({ file, random: systemRandom, clock: systemClock });
await rotateMasterKey({ provider, store, random: systemRandom });
store.close();
process.stdout.write(String(steps));
