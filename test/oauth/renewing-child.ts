/** Another process at the same home: it is told by the server that its token is refused, and says what came of it. */
import { silentLog, systemClock } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/config.ts';
import { openServices } from '../../src/main/services.ts';
import { type Network, openOAuthWorld, refusal } from './world.ts';

const [home = '', aheadMs = '0', network = '{}'] = process.argv.slice(2);
const config = loadConfig({ SALLYPORT_HOME: home });
const world = await openOAuthWorld(JSON.parse(network) as Network, {
  clock: { now: () => systemClock.now() + Number(aheadMs), monotonic: () => systemClock.monotonic() },
  home: {
    folder: home,
    config,
    services: () => openServices(config, silentLog),
    remove: () => undefined,
  },
});
process.stdout.write('ready\n');
process.stdin.once('data', () => {
  void world.grants
    .challenged(world.server, refusal(401, 'Bearer error="invalid_token"'))
    .then(String, (error: unknown) => (error as { code?: string }).code ?? String(error))
    .then(async (outcome) => {
      await world.close();
      process.stdout.write(`${outcome}\n`, () => process.exit(0));
    });
});
