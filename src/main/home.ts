/** Where everything of one installation is. Loads nothing but Node's own modules: `stdio-join.ts` starts with it. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

export function homeOf(env: Environment): string {
  return resolve(env['SALLYPORT_HOME'] || join(homedir(), '.sallyport'));
}

/** Every file and socket of a home. */
export const homeFiles = (home: string) => ({
  config: join(home, 'sallyport.yaml'),
  policy: join(home, 'policy.yaml'),
  database: join(home, 'sallyport.db'),
  masterKey: join(home, 'master.key'),
  socket: join(home, 'sallyport.sock'),
  gatewayLock: join(home, 'gateway.lock'),
  auditJournal: join(home, 'audit-journal'),
  packages: join(home, 'packages'),
  run: join(home, 'run'),
  logs: join(home, 'logs'),
  proxy: join(home, 'proxy'),
});
