/** A home of its own for one test, with everything real but the cells. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/kernel/index.ts';
import { type Config, loadConfig } from '../../src/main/config.ts';
import { initHome } from '../../src/main/init.ts';
import { openServices, type Services } from '../../src/main/services.ts';

export interface TemporaryHome {
  readonly folder: string;
  readonly config: Config;
  services(): Promise<Services>;
  remove(): void;
}

export async function temporaryHome(): Promise<TemporaryHome> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-home-'));
  const config = loadConfig({ SALLYPORT_HOME: join(folder, 'home') });
  await initHome(config);
  return {
    folder,
    config,
    services: () => openServices(config, silentLog),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
