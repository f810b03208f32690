/** `sallyport init`: makes what a home needs, and leaves alone what is there. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { newId, silentLog, systemClock, systemRandom } from '../kernel/index.ts';
import { createLocalKeyFile } from '../seal/index.ts';
import { openStore } from '../store/index.ts';
import { type Config, homeFiles } from './config.ts';
import { profiles } from './repositories.ts';

const TEMPLATE = `# Settings of this Sallyport. Each can also be set as SALLYPORT_<NAME>.
# listen: 127.0.0.1:7800        # where MCP clients connect
# log: info                     # debug, info, warn, error, silent
# cells:
#   idleSeconds: 600            # a server without a call for so long is stopped
# egress:
#   extraCa: [ company-ca.pem ] # trusted for upstreams in addition to the system's
#   allowNetworks: []           # private ranges that servers may reach, such as 10.1.0.0/16
`;

/** @returns what was made, a sentence each; empty when all was there */
export async function initHome(config: Config): Promise<readonly string[]> {
  const files = homeFiles(config.home);
  const made: string[] = [];
  if (!existsSync(config.home)) {
    mkdirSync(config.home, { recursive: true, mode: 0o700 });
    made.push(`Made ${config.home}, for your eyes only.`);
  }
  chmodSync(config.home, 0o700);
  if (!existsSync(files.config)) {
    writeFileSync(files.config, TEMPLATE, { mode: 0o600, flag: 'wx' });
    made.push(`Wrote ${files.config} with every setting explained.`);
  }
  const existed = existsSync(files.database);
  if (config.masterKey === null && !existsSync(files.masterKey) && !existed) {
    await createLocalKeyFile(files.masterKey, { random: systemRandom, clock: systemClock });
    made.push(
      `Made the master key ${files.masterKey}. Back it up apart from the database: without it, nothing can be opened.`,
    );
  }
  const store = await openStore({ path: files.database, log: silentLog, clock: systemClock });
  try {
    let workspace = await store.workspaces.findByName('default');
    if (workspace === null) {
      workspace = {
        id: newId<'workspace'>('wsp', systemRandom),
        name: 'default',
        createdAt: systemClock.now(),
      };
      await store.workspaces.insert(workspace);
      await profiles(store, systemClock, systemRandom).save(workspace.id, { name: 'default', entries: [] });
    }
  } finally {
    await store.close();
  }
  if (!existed) made.push(`Made the database ${files.database}.`);
  return made;
}
