/**
 * Settings: `sallyport.yaml` in the home folder, overridden by `SALLYPORT_*`. The only reader of the environment
 * besides `bin.ts`. Owner-only: nothing here can be set by a manifest.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { AppError, limits, Secret } from '../kernel/index.ts';

const HOST_PORT = /^[^\s:]+:\d{1,5}$|^\[[0-9a-f:.]+\]:\d{1,5}$/i;
const hostPort = z.string().regex(HOST_PORT, 'is not of the form HOST:PORT');

const FileSettings = z.strictObject({
  /** Where MCP clients connect. Anything but a loopback address exposes the gateway to the network. */
  listen: hostPort.default('127.0.0.1:7800'),
  /** Names that clients may use in `Host` besides loopback names and the listen address. */
  allowedHosts: z.array(z.string()).default([]),
  /** Origins' host names from which browsers may connect. */
  allowedOrigins: z.array(z.string()).default([]),
  log: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  cells: z
    .strictObject({ idleSeconds: z.number().int().min(1).default(limits.cellIdleSeconds) })
    .prefault({}),
  egress: z
    .strictObject({
      /** Dial here instead; the checks on the name stay. */
      resolve: z.record(hostPort, hostPort).default({}),
      /** PEM files, trusted for upstreams in addition to the system's. Relative to the home folder. */
      extraCa: z.array(z.string()).default([]),
      /** Otherwise refused ranges that may be dialled. */
      allowNetworks: z.array(z.string()).default([]),
    })
    .prefault({}),
});

export interface Config {
  readonly home: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly log: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly idleSeconds: number;
  readonly egress: {
    readonly resolve: Readonly<Record<string, string>>;
    /** PEM text. */
    readonly extraCa: readonly string[];
    readonly allowNetworks: readonly string[];
  };
  /** The master key from the environment; null: the file in the home folder. */
  readonly masterKey: { readonly current: Secret; readonly previous: readonly Secret[] } | null;
  /** What the process was started with: npm finds the user's settings by it. Never passed to a cell. */
  readonly environment: Environment;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export function homeOf(env: Environment): string {
  return resolve(env['SALLYPORT_HOME'] || join(homedir(), '.sallyport'));
}

/** Every file and socket of a home. */
export const homeFiles = (home: string) => ({
  config: join(home, 'sallyport.yaml'),
  database: join(home, 'sallyport.db'),
  masterKey: join(home, 'master.key'),
  socket: join(home, 'sallyport.sock'),
  packages: join(home, 'packages'),
  run: join(home, 'run'),
});

/** @throws AppError `config_unreadable`, `config_invalid` with the field and what would be right */
export function loadConfig(env: Environment): Config {
  const home = homeOf(env);
  const file = homeFiles(home).config;
  const parsed = FileSettings.safeParse(merge(readSettings(file), fromEnvironment(env)));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`,
    );
    throw new AppError('config_invalid', `The configuration is wrong: ${problems.join('; ')}.`, {
      kind: 'invalid',
      hint: `Correct ${file} or the SALLYPORT_* variable.`,
    });
  }
  const settings = parsed.data;
  return {
    home,
    listen: parseListen(settings.listen),
    allowedHosts: settings.allowedHosts,
    allowedOrigins: settings.allowedOrigins,
    log: settings.log,
    idleSeconds: settings.cells.idleSeconds,
    egress: {
      ...settings.egress,
      extraCa: settings.egress.extraCa.map((path) =>
        readNeeded(isAbsolute(path) ? path : join(home, path), 'egress.extraCa'),
      ),
    },
    masterKey: masterKeyFrom(env),
    environment: env,
  };
}

/** @param text `HOST:PORT` or `[IPV6]:PORT` */
export function parseListen(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (!HOST_PORT.test(text) || port > 65_535) {
    throw new AppError('config_invalid', `\`${text}\` is not an address to listen on.`, {
      kind: 'invalid',
      hint: 'Write HOST:PORT, such as 127.0.0.1:7800.',
    });
  }
  return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port };
}

function readSettings(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new AppError('config_unreadable', `${file} cannot be read.`, { kind: 'failed', cause: error });
  }
  const document = parseDocument(text, { version: '1.2', uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined)
    throw new AppError('config_invalid', `${file} is not valid YAML: ${problem.message}`, {
      kind: 'invalid',
    });
  const value: unknown = document.toJS({ maxAliasCount: 0 }) ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AppError('config_invalid', `${file} must hold settings, \`name: value\`.`, { kind: 'invalid' });
}

/** Lists are separated by commas; `SALLYPORT_EGRESS_RESOLVE` is `from=to` pairs. */
function fromEnvironment(env: Environment): Record<string, unknown> {
  const list = (text: string | undefined): string[] | undefined =>
    text
      ?.split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  const pairs = list(env['SALLYPORT_EGRESS_RESOLVE'])?.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  const egress = dropUndefined({
    resolve: pairs === undefined ? undefined : Object.fromEntries(pairs),
    extraCa: list(env['SALLYPORT_EGRESS_EXTRA_CA']),
    allowNetworks: list(env['SALLYPORT_EGRESS_ALLOW_NETWORKS']),
  });
  const idle = env['SALLYPORT_CELLS_IDLE_SECONDS'];
  return dropUndefined({
    listen: env['SALLYPORT_LISTEN'],
    allowedHosts: list(env['SALLYPORT_ALLOWED_HOSTS']),
    allowedOrigins: list(env['SALLYPORT_ALLOWED_ORIGINS']),
    log: env['SALLYPORT_LOG'],
    cells: idle === undefined ? undefined : { idleSeconds: Number(idle) },
    egress: Object.keys(egress).length === 0 ? undefined : egress,
  });
}

const dropUndefined = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The environment wins, setting by setting. */
function merge(file: Record<string, unknown>, environment: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...file };
  for (const [key, value] of Object.entries(environment)) {
    const before = merged[key];
    merged[key] = isRecord(before) && isRecord(value) ? { ...before, ...value } : value;
  }
  return merged;
}

function masterKeyFrom(env: Environment): Config['masterKey'] {
  const value = secretFrom(env, 'SALLYPORT_MASTER_KEY');
  if (value === null) return null;
  const previous = secretFrom(env, 'SALLYPORT_MASTER_KEY_PREVIOUS');
  return { current: value, previous: previous === null ? [] : [previous] };
}

/** A secret setting, from `NAME` or the file that `NAME_FILE` names. */
function secretFrom(env: Environment, name: string): Secret | null {
  const file = env[`${name}_FILE`];
  const text = env[name] ?? (file === undefined ? undefined : readNeeded(file, `${name}_FILE`).trim());
  return text === undefined || text === '' ? null : Secret.fromString(text);
}

function readNeeded(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('config_unreadable', `The file ${path} cannot be read.`, {
      kind: 'invalid',
      hint: `It is named by ${setting}.`,
      cause: error,
    });
  }
}
