/** `sallyport doctor`: is everything there that Sallyport needs, and if not, what exactly to do. Changes nothing. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { manifestOf, type ServerRow } from '../api/index.ts';
import type { Check } from '../cli/index.ts';
import { isAppError, silentLog, systemClock, systemRandom, toWire } from '../kernel/index.ts';
import { createSandbox, hostGroups } from '../sandbox/index.ts';
import { UNISOLATED } from './cells/unisolated-exit.ts';
import { type Config, type Environment, homeFiles, loadConfig } from './config.ts';
import { checkAuthorities } from './doctor/authorities.ts';
import { checkClock } from './doctor/clock.ts';
import { checkFiles, checkHome, checkMasterKey } from './doctor/files.ts';
import { thisMachine as machine } from './doctor/machine.ts';
import { checkNames, type Place } from './doctor/names.ts';
import { checkPort } from './doctor/port.ts';
import { checkDescriptors, checkDisk } from './doctor/room.ts';
import { serverRows } from './repositories.ts';
import { openServices, type Services } from './services.ts';
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
  checks.push(...(await sandboxChecks()), ...(await machineChecks(config)));
  if (config.isolation !== 'cell') checks.push(notIsolated);
  const home = checkHome(config.home, machine);
  if (!existsSync(config.home)) return [...checks, home];
  const keyInFile = config.masterKey === null;
  checks.push(home, ...(keyInFile ? [checkMasterKey(config.home, machine)] : []));
  checks.push(checkFiles(config.home, machine));
  const { check, places } = await storeCheck(config);
  checks.push(check, ...(await checkNames(places, config.egress, machine)));
  return [...checks, ...(await gatewayChecks(config))];
}

const notIsolated: Check = {
  name: 'isolation',
  ok: false,
  found: `none: ${UNISOLATED}`,
  fix: 'Take `isolation: none-unsafe` out of `cells` in sallyport.yaml (or SALLYPORT_CELLS_ISOLATION), and run Sallyport where cells can be had.',
};

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
      // Looked at, but not taken: the doctor leaves everything as it is.
      groups: { facts: () => hostGroups(silentLog).facts(), open: () => Promise.resolve(null) },
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

async function machineChecks({ home, egress }: Config): Promise<readonly Check[]> {
  const now = systemClock.now();
  const { database, config } = homeFiles(home);
  return [
    await checkClock(now, [database, `${database}-wal`, config], machine),
    checkAuthorities(egress.extraCa, now, machine),
    checkDisk(existing(home), machine),
    checkDescriptors(machine),
  ];
}

/** The path, or the nearest folder above it that is there. */
const existing = (path: string): string =>
  existsSync(path) || dirname(path) === path ? path : existing(dirname(path));

/** Opens the database with the master key: the one check that both are right. */
async function storeCheck(config: Config): Promise<{ check: Check; places: readonly Place[] }> {
  const name = 'database and master key';
  try {
    const services = await openServices(config, silentLog);
    try {
      const report = await services.audit.verify(services.workspace);
      const found = `${report.events} audit events${report.ok ? ', every one in its place' : ', and the chain is broken'}`;
      return {
        check: { name, ok: report.ok, found, ...(report.ok ? {} : { fix: 'sallyport audit verify' }) },
        places: await placesOf(services),
      };
    } finally {
      await services.close();
    }
  } catch (error) {
    return { check: failed(name, error), places: [] };
  }
}

async function placesOf({ store, workspace }: Services): Promise<readonly Place[]> {
  const rows = await serverRows(store).list(workspace);
  return rows.filter(({ enabled }) => enabled).flatMap(rulesOf);
}

function rulesOf(row: ServerRow): readonly Place[] {
  try {
    return manifestOf(row).egress;
  } catch {
    // `server list` says that it is broken.
    return [];
  }
}

async function gatewayChecks({ home, listen, proxyListen }: Config): Promise<readonly Check[]> {
  const running = await isListening(homeFiles(home).socket);
  const gateway = { name: 'gateway', ok: true, found: running ? 'running' : 'not running' };
  if (running) return [gateway];
  return [
    gateway,
    await checkPort('port', listen, '`listen` in sallyport.yaml, or --listen'),
    ...(proxyListen === null
      ? []
      : [await checkPort('proxy port', proxyListen, '`proxy: { listen: … }` in sallyport.yaml')]),
  ];
}
