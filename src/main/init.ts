/** `sallyport init`: makes what a home needs, and leaves alone what is there. */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { AppError, isAppError, newId, silentLog, systemClock, systemRandom } from '../kernel/index.ts';
import { createLocalKeyFile } from '../seal/index.ts';
import { openStore } from '../store/index.ts';
import { type Config, homeFiles } from './config.ts';
import { profiles } from './repositories.ts';
import { openServices } from './services.ts';

const TEMPLATE = `# Settings of this Sallyport: some of them, with their defaults. docs/configuration.md has all.
# listen: 127.0.0.1:7800        # where MCP clients connect
# log: info                     # debug, info, warn, error, silent
# cells:
#   idleSeconds: 600            # a server without a call for so long is stopped
# proxy:
#   listen: 127.0.0.1:7801      # for programs outside of cells: sallyport proxy env
# egress:
#   extraCa: [ company-ca.pem ] # trusted for upstreams in addition to the system's
#   allowNetworks: []           # private ranges that servers may reach, such as 10.1.0.0/16
`;

/**
 * @returns what was made, a sentence each; empty when all was there
 * @throws AppError `home_not_private`, `home_unwritable`, and whatever keeps the database and the key from being opened
 */
export async function initHome(config: Config): Promise<readonly string[]> {
  const files = homeFiles(config.home);
  const made: string[] = [];
  try {
    if (makeFolder(config.home, isDatabase(files.database)))
      made.push(`Made ${config.home}, for your eyes only.`);
    if (!existsSync(files.config)) {
      writeFileSync(files.config, TEMPLATE, { mode: 0o600, flag: 'wx' });
      made.push(`Wrote ${files.config} with some of the settings. All of them: docs/configuration.md.`);
    }
  } catch (error) {
    throw isAppError(error) ? error : unwritable(config.home, error);
  }
  const existed = isDatabase(files.database);
  if (config.masterKey === null && !existsSync(files.masterKey) && !existed) {
    await createLocalKeyFile(files.masterKey, { random: systemRandom, clock: systemClock });
    made.push(
      `Made the master key ${files.masterKey}. Back it up apart from the database: without it, nothing can be opened.`,
    );
  }
  await makeWorkspace(files.database);
  if (!existed) made.push(`Made the database ${files.database}.`);
  // What is there has to fit together: a key that is missing or another one shows now, not at the first call.
  await (await openServices(config, silentLog)).close();
  return made;
}

async function makeWorkspace(database: string): Promise<void> {
  const store = await openStore({ path: database, log: silentLog, clock: systemClock });
  try {
    if ((await store.workspaces.findByName('default')) !== null) return;
    const id = newId<'workspace'>('wsp', systemRandom);
    await store.workspaces.insert({ id, name: 'default', createdAt: systemClock.now() });
    await profiles(store, systemClock, systemRandom).save(id, { name: 'default', entries: [] });
  } finally {
    await store.close();
  }
}

/** Whether there is one: an empty file is what an interrupted `init` leaves. */
const isDatabase = (path: string): boolean => existsSync(path) && statSync(path).size > 0;

/**
 * Makes the folder, or closes one that is there to others, unless it holds what is not ours. Whatever is in one that is a
 * home already belongs to it: files that settings name are there, too.
 *
 * @returns whether it was made
 */
function makeFolder(home: string, isHome: boolean): boolean {
  if (!existsSync(home)) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    return true;
  }
  if ((statSync(home).mode & 0o077) === 0) return false;
  const isForeign = (name: string): boolean =>
    !/^(sallyport|policy\.yaml|master\.key|gateway\.lock|audit-journal|packages|run)/.test(name);
  if (!isHome && readdirSync(home).some(isForeign)) {
    throw new AppError(
      'home_not_private',
      `${home} is open to others and holds files that are not Sallyport's.`,
      {
        kind: 'failed',
        hint: `Choose a folder of its own with SALLYPORT_HOME, or close this one: chmod 700 ${home}`,
      },
    );
  }
  chmodSync(home, 0o700);
  return false;
}

function unwritable(home: string, cause: unknown): AppError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  return new AppError('home_unwritable', `${home} cannot be written: ${code}.`, {
    kind: 'failed',
    hint: 'Choose another home with SALLYPORT_HOME, or see to it that this one belongs to you.',
    cause,
  });
}
