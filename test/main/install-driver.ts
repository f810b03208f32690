/**
 * A process that installs one package and says what it does, to be killed or starved: `install-driver.ts STORE SPEC [scripts] [STEP]`.
 * Each step is a line; the last line is JSON, with what came of it and what is left in the store besides whole packages.
 * At a step that has `STEP` in it, it stands still for a minute: there it is killed.
 */
import { readdirSync, rmSync } from 'node:fs';
import { isAppError } from '../../src/kernel/index.ts';
import { install, makePackageWorld } from '../sandbox/package-world.ts';

const [dir = '', spec = '', scripts = '', last = ''] = process.argv.slice(2);
const standStill = (): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
const world = makePackageWorld(() => process.env['npm_config_registry'] ?? '');
const store = await world.store(dir);
const outcome = await install(store, spec, { allowScripts: scripts === 'scripts' }, (step) => {
  process.stdout.write(`${step}\n`);
  if (last !== '' && step.includes(last)) standStill();
}).then(
  ({ integrity }) => ({ integrity }),
  (error: unknown) => ({ code: isAppError(error) ? error.code : String(error) }),
);
const left = readdirSync(dir).filter((name) => name.startsWith('.'));
rmSync(world.root, { recursive: true, force: true });
process.stdout.write(`${JSON.stringify({ ...outcome, left })}\n`);
process.exit();
