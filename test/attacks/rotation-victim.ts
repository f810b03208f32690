/**
 * A process that rotates the master key of a home and kills itself with SIGKILL at a given step: before a call to the
 * file system, or before or after a call to the store. Prints the number of steps when it lived through all of them.
 *
 * Arguments: home folder, step to die at (-1: none).
 */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { openHome } from './product-home.ts';

const [home = '', dieAt = '-1'] = process.argv.slice(2);
let steps = 0;
const step = (): void => {
  if (steps++ === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
};

const services = await openHome(home);
const { tenantKeys, audit } = services.store;

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

const list = tenantKeys.list.bind(tenantKeys);
const replace = tenantKeys.replace.bind(tenantKeys);
Object.assign(tenantKeys, {
  async list() {
    step();
    const rows = await list();
    step();
    return rows;
  },
  async replace(...args: Parameters<typeof replace>) {
    step();
    const done = await replace(...args);
    step();
    return done;
  },
});
const append = audit.append.bind(audit);
Object.assign(audit, {
  async append(...args: Parameters<typeof append>) {
    step();
    await append(...args);
    step();
  },
});

const { workspace, vault } = services;
await vault.rotateMasterKey({ workspace, actor: { kind: 'local', id: '0' } });
await services.close();
process.stdout.write(String(steps));
