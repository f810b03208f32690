/**
 * A process that installs one package and says what it does, to be killed or starved: `install-driver.ts STORE SPEC [scripts]`. Each
 * step is a line; the last line is JSON, with what came of it and what is left in the store besides whole packages.
 */
import { readdirSync, rmSync } from 'node:fs';
import { isAppError } from '../../src/kernel/index.ts';
import { install, makePackageWorld } from '../sandbox/package-world.ts';

const [dir = '', spec = '', scripts = ''] = process.argv.slice(2);
const world = makePackageWorld(() => process.env['npm_config_registry'] ?? '');
const store = await world.store(dir);
const outcome = await install(store, spec, { allowScripts: scripts === 'scripts' }, (step) =>
  process.stdout.write(`${step}\n`),
).then(
  ({ integrity }) => ({ integrity }),
  (error: unknown) => ({ code: isAppError(error) ? error.code : String(error) }),
);
const left = readdirSync(dir).filter((name) => name.startsWith('.'));
rmSync(world.root, { recursive: true, force: true });
process.stdout.write(`${JSON.stringify({ ...outcome, left })}\n`);
process.exit();
