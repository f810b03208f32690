/** `sallyport doctor`: is everything there that Sallyport needs, and if not, what exactly to do. Changes nothing. */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Check } from '../cli/index.ts';
import { isAppError, silentLog, systemClock, systemRandom, toWire } from '../kernel/index.ts';
import { createSandbox } from '../sandbox/index.ts';
import { type Config, type Environment, homeFiles, loadConfig } from './config.ts';
import { openServices } from './services.ts';
import { isListening } from './transport.ts';

export async function diagnose(env: Environment): Promise<readonly Check[]> {
  const checks: Check[] = [{ name: 'Node.js', ok: true, found: process.versions.node }];
  let config: Config;
  try {
    config = loadConfig(env);
    checks.push({ name: 'configuration', ok: true, found: homeFiles(config.home).config });
  } catch (error) {
    checks.push(failed('configuration', error));
    return checks;
  }
  checks.push(...(await sandboxChecks()));
  if (!existsSync(config.home))
    return [
      ...checks,
      { name: 'home', ok: false, found: `${config.home} is not there`, fix: 'sallyport init' },
    ];
  checks.push(
    modeCheck('home', config.home, 0o700),
    ...(config.masterKey === null ? [modeCheck('master key', homeFiles(config.home).masterKey, 0o600)] : []),
  );
  checks.push(await storeCheck(config));
  const running = await isListening(homeFiles(config.home).socket);
  checks.push({ name: 'gateway', ok: true, found: running ? 'running' : 'not running' });
  if (!running) checks.push(await portCheck(config.listen));
  return checks;
}

function failed(name: string, error: unknown): Check {
  const { message, hint } = toWire(error);
  return {
    name,
    ok: false,
    found: isAppError(error) ? message : String(error),
    ...(hint === undefined ? {} : { fix: hint }),
  };
}

/** In a folder of their own: a home that is not there must not be made by looking. */
async function sandboxChecks(): Promise<readonly Check[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-doctor-'));
  try {
    const sandbox = await createSandbox({
      stateDir: folder,
      log: silentLog,
      clock: systemClock,
      random: systemRandom,
    });
    return (await sandbox.check()).map(({ name, ok, found, fix }) => ({
      name,
      ok,
      found,
      ...(fix === '' ? {} : { fix }),
    }));
  } catch (error) {
    return [failed('sandbox', error)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function modeCheck(name: string, path: string, wanted: number): Check {
  if (!existsSync(path)) return { name, ok: false, found: `${path} is not there`, fix: 'sallyport init' };
  const mode = statSync(path).mode & 0o777;
  const ok = (mode & ~wanted) === 0;
  return {
    name,
    ok,
    found: `${path}, mode ${mode.toString(8)}`,
    ...(ok ? {} : { fix: `chmod ${wanted.toString(8)} ${path}` }),
  };
}

/** Opens the database with the master key: the one check that both are right. */
async function storeCheck(config: Config): Promise<Check> {
  try {
    const services = await openServices(config, silentLog);
    try {
      const report = await services.audit.verify(services.workspace);
      const found = `${report.events} audit events${report.ok ? ', every one in its place' : ', and the chain is broken'}`;
      return {
        name: 'database and master key',
        ok: report.ok,
        found,
        ...(report.ok ? {} : { fix: 'sallyport audit verify' }),
      };
    } finally {
      await services.close();
    }
  } catch (error) {
    return failed('database and master key', error);
  }
}

function portCheck({ host, port }: Config['listen']): Promise<Check> {
  const name = `port ${host}:${port}`;
  return new Promise((done) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      done({
        name,
        ok: false,
        found: error.code ?? 'not available',
        fix: 'Set another address: `listen` in sallyport.yaml, or --listen.',
      }),
    );
    server.listen(port, host, () => server.close(() => done({ name, ok: true, found: 'free' })));
  });
}
