/**
 * Settings: `sallyport.yaml` in the home folder, overridden by `SALLYPORT_*`. The only reader of the environment
 * besides `bin.ts`. Owner-only: nothing here can be set by a manifest.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { certificateFingerprints, type EgressConfig, parseRevocationLists } from '../egress/index.ts';
import type { Durability } from '../audit/index.ts';
import { AppError, limits, Secret } from '../kernel/index.ts';
import { type RecordingLevel, recordingLevels } from '../recording/index.ts';
import { registryAddress } from '../sandbox/index.ts';
import { classifyAddress, isNetwork, parseAuthority } from '../wire/index.ts';
import { type AlertConfig, alertSettings } from './config-alerts.ts';
import { approvalSettings, type ApprovalSettings } from './config-approvals.ts';
import { type AuditExportConfig, auditExports } from './config-exports.ts';
import { namePattern, proxyUrl } from './config-proxy.ts';
import { issuer, publicOrigin } from './config-public.ts';
import { type Environment, homeFiles, homeOf } from './home.ts';

const HOST_PORT = /^(?:[^\s:[\]]+|\[[0-9a-f:.]+\]):(\d{1,5})$/i;
const isHostPort = (text: string): boolean => Number(HOST_PORT.exec(text)?.[1] ?? Infinity) <= 65_535;
const hostPort = z.string().refine(isHostPort, 'is not of the form HOST:PORT');
/** A host's name or address alone, in the one form that headers are compared in. */
const hostName = z.string().transform((text, context) => {
  const parsed = parseAuthority(/^[0-9a-f:.]*:[0-9a-f:.]*:/i.test(text) ? `[${text}]` : text, 0);
  if (parsed.ok && parsed.value.port === 0) return parsed.value.host;
  context.addIssue(`\`${text}\` is not a host name alone, such as gateway.example.com`);
  return z.NEVER;
});
/** What comes in the clear, or whoever can reach it may have: from this machine alone. */
const loopbackPort = hostPort.refine((text) => {
  if (!isHostPort(text)) return true; // said already
  const { host } = parseListen(text);
  return host === 'localhost' || classifyAddress(host) === 'loopback';
}, 'is not on a loopback address, such as 127.0.0.1:7801');
const network = z.string().refine(isNetwork, 'is not a network, such as 10.1.0.0/16 or fd00::/8');

/** Of a registry. Its login, if it wants one, is npm's to keep. */
const registryUrl = z.string().superRefine((text, context) => {
  const address = registryAddress(text);
  if (!address.ok) context.addIssue(address.error);
});
const hostOrHostPort = z
  .string()
  .refine((text) => parseAuthority(text, 443).ok, 'is not of the form HOST or HOST:PORT');

/** `HOST:PORT` to `HOST:PORT`, the left side in the one form that it is looked up by. */
const redirections = z.record(z.string(), z.string()).transform((given, context) =>
  Object.fromEntries(
    Object.entries(given).map(([from, to]) => {
      const parsed = parseAuthority(from, 0);
      const ok = parsed.ok && parsed.value.port > 0 && isHostPort(to) && parseAuthority(to, 0).ok;
      if (!ok) context.addIssue(`\`${from}\` to \`${to}\` is not of the form HOST:PORT to HOST:PORT`);
      return [parsed.ok ? `${parsed.value.host}:${parsed.value.port}` : from, to];
    }),
  ),
);

const FileSettings = z.strictObject({
  /** Where MCP clients connect. Anything but a loopback address exposes the gateway to the network. */
  listen: hostPort.default('127.0.0.1:7800'),
  /** Names that clients may use in `Host` besides loopback names and the listen address. */
  allowedHosts: z.array(hostName).default([]),
  /** Origins' host names from which browsers may connect. */
  allowedOrigins: z.array(hostName).default([]),
  /** What clients call the gateway, where that is not the listen address: behind a proxy that ends TLS. */
  publicUrl: publicOrigin.optional(),
  /** Issuers of authorization servers that give out tokens for the gateway. */
  authorizationServers: z.array(issuer).default([]),
  log: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  audit: z
    .strictObject({
      /** Whether what is recorded counts when it is written, or when it is on the disk. */
      durability: z.enum(['grouped', 'strict']).default('grouped'),
      /** Where the log goes besides: see docs/audit-exports.md. */
      exports: auditExports.default([]),
    })
    .prefault({}),
  /** What is kept of what clients and servers say to each other. */
  recording: z
    .strictObject({
      /** Of profiles that do not say, and of the local operator. */
      level: z.enum(recordingLevels).default('off'),
      /** Whether a request waits until it is on record, and is refused where it cannot be. */
      required: z.boolean().default(false),
      /** Days after the last message. 0: for ever. */
      keepDays: z.number().int().min(0).default(limits.recordingKeepDays),
      /** Of all recordings together; the oldest go first. 0: as many as there are. */
      keepMiB: z.number().int().min(0).default(limits.recordingKeepMib),
    })
    .prefault({}),
  /** What calls wait for, and who answers from where. */
  approvals: approvalSettings,
  cells: z
    .strictObject({
      /** Without a call for so long, a cell is ended. */
      idleSeconds: z.number().int().min(1).default(limits.cellIdleSeconds),
      /** `none-unsafe`: servers run as plain programs, for machines that cannot have cells. */
      isolation: z.enum(['cell', 'none-unsafe']).default('cell'),
      /** How long a server may take to end once its input is closed, and again after SIGTERM. */
      stopSeconds: z.number().int().min(0).max(limits.cellStopSecondsMax).default(limits.cellStopSeconds),
      /** Cells that are made before anybody asks for one, at most. */
      prepared: z.number().int().min(0).max(limits.preparedCellsMax).default(limits.preparedCells),
    })
    .prefault({}),
  /** What is watched for in the audit log, and who is told: see docs/alerts.md. Absent: nothing, and nobody. */
  alerts: alertSettings.optional(),
  /** For who watches the gateway: names of servers and tools, and no token is asked for. Absent: the local socket alone. */
  metrics: z.strictObject({ listen: loopbackPort.optional() }).prefault({}),
  /** For programs outside of cells: an HTTP proxy that takes tokens. Absent: there is none. */
  proxy: z.strictObject({ listen: loopbackPort.optional() }).prefault({}),
  /** Where packages come from. What is not set is as the user's npm and pip say. */
  packages: z
    .strictObject({
      npmRegistry: registryUrl.optional(),
      pypiIndex: registryUrl.optional(),
      /** The interpreter that packages of Python's are installed for: `/usr/bin/python3.N`. */
      python: z.string().startsWith('/usr/', 'is not below /usr, which is what cells see').optional(),
      /** Further hosts that registries keep archives on. */
      hosts: z.array(hostOrHostPort).default([]),
    })
    .prefault({}),
  oauth: z
    .strictObject({
      /** Address of a document that describes this gateway as a client, for authorization servers that read such. */
      clientMetadataUrl: z
        .string()
        .regex(/^https:\/\/[^/?#\s@]+\/[^?#\s]+$/, 'is not https://HOST/PATH')
        .optional(),
    })
    .prefault({}),
  egress: z
    .strictObject({
      /** Dial here instead; the checks on the name stay. */
      resolve: redirections.prefault({}),
      /** PEM files, trusted for upstreams in addition to the system's. Relative to the home folder. */
      extraCa: z.array(z.string()).default([]),
      /** Otherwise refused ranges that may be dialled. */
      allowNetworks: z.array(network).default([]),
      /** PEM revocation lists. With any, an upstream must show its whole chain, and nothing of it may be listed. */
      crl: z.array(z.string()).default([]),
      /** The company's own proxy, `http://[USER:PASSWORD@]HOST:PORT`: upstreams are reached through it with CONNECT. */
      proxy: proxyUrl.optional(),
      /** Leaves names to the proxy, where they cannot be resolved here: then their addresses are not checked. */
      proxyResolves: z.boolean().default(false),
      /** Names, and `*.` patterns, that are dialled directly all the same. */
      noProxy: z.array(namePattern).default([]),
    })
    .prefault({}),
});

export interface Config {
  readonly home: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Without a path; null: whatever clients call it. */
  readonly publicUrl: string | null;
  readonly authorizationServers: readonly string[];
  readonly log: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly audit: { readonly durability: Durability; readonly exports: readonly AuditExportConfig[] };
  readonly recording: {
    readonly level: RecordingLevel;
    readonly required: boolean;
    /** Null: for ever. */
    readonly keepDays: number | null;
    readonly keepMiB: number | null;
  };
  /** Null: nothing is watched. */
  readonly alerts: AlertConfig | null;
  readonly approvals: ApprovalSettings;
  readonly idleSeconds: number;
  readonly stopSeconds: number;
  /** Whether servers run in cells. */
  readonly isolation: 'cell' | 'none-unsafe';
  /** How many cells are kept that wait to be told what they are; 0: none. */
  readonly preparedCells: number;
  /** Where metrics are told without a token; null: nowhere. */
  readonly metricsListen: { readonly host: string; readonly port: number } | null;
  /** Where the explicit proxy listens; null: nowhere. */
  readonly proxyListen: { readonly host: string; readonly port: number } | null;
  readonly packages: {
    /** Null: what the user's npm says. */
    readonly npmRegistry: string | null;
    /** Null: what `PIP_INDEX_URL` says, or the public index. */
    readonly pypiIndex: string | null;
    /** Null: the one that `python3` leads to. */
    readonly python: string | null;
    /** `HOST` or `HOST:PORT`. */
    readonly hosts: readonly string[];
  };
  /** Address of a document that describes this gateway to authorization servers; null: there is none. */
  readonly clientMetadataUrl: string | null;
  readonly egress: EgressConfig;
  /** The master key from the environment; null: the file in the home folder. */
  readonly masterKey: { readonly current: Secret; readonly previous: readonly Secret[] } | null;
  /** What the process was started with: npm finds the user's settings by it. Never passed to a cell. */
  readonly environment: Environment;
}

export { type Environment, homeFiles, homeOf };

/** @throws AppError `config_unreadable`, `config_invalid` with the field and what would be right */
export function loadConfig(env: Environment): Config {
  const home = homeOf(env);
  const file = homeFiles(home).config;
  const parsed = FileSettings.safeParse(merge(readSettings(file), fromEnvironment(env)));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
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
    publicUrl: settings.publicUrl ?? null,
    authorizationServers: settings.authorizationServers,
    log: settings.log,
    audit: settings.audit,
    recording: {
      ...settings.recording,
      keepDays: settings.recording.keepDays || null,
      keepMiB: settings.recording.keepMiB || null,
    },
    approvals: settings.approvals,
    alerts: settings.alerts ?? null,
    idleSeconds: settings.cells.idleSeconds,
    stopSeconds: settings.cells.stopSeconds,
    isolation: settings.cells.isolation,
    preparedCells: settings.cells.prepared,
    metricsListen: settings.metrics.listen === undefined ? null : parseListen(settings.metrics.listen),
    proxyListen: settings.proxy.listen === undefined ? null : parseListen(settings.proxy.listen),
    packages: {
      ...settings.packages,
      npmRegistry: settings.packages.npmRegistry ?? null,
      pypiIndex: settings.packages.pypiIndex ?? null,
      python: settings.packages.python ?? null,
    },
    clientMetadataUrl: settings.oauth.clientMetadataUrl ?? null,
    egress: egressFrom(settings.egress, home),
    masterKey: masterKeyFrom(env),
    environment: env,
  };
}

/** Reads the files that the settings name. */
function egressFrom(settings: z.output<typeof FileSettings>['egress'], home: string): EgressConfig {
  const { resolve: redirected, allowNetworks, proxy, proxyResolves, noProxy } = settings;
  const pathOf = (path: string): string => (isAbsolute(path) ? path : join(home, path));
  return {
    resolve: redirected,
    allowNetworks,
    extraCa: settings.extraCa.map((path) => readAuthorities(pathOf(path))),
    crl: settings.crl.map((path) => readRevocations(pathOf(path))),
    proxy: proxy === undefined ? null : { ...proxy, resolves: proxyResolves, except: noProxy },
  };
}

/** @param text `HOST:PORT` or `[IPV6]:PORT` */
export function parseListen(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (!isHostPort(text)) {
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
    throw new AppError('config_unreadable', `${file} cannot be read: ${codeOf(error)}.`, {
      kind: 'failed',
      hint: 'A home belongs to one user: run Sallyport as that user, or choose another home with SALLYPORT_HOME.',
      cause: error,
    });
  }
  const malformed = (message: string, hint: string): AppError =>
    new AppError('config_invalid', message, { kind: 'invalid', hint });
  const document = parseDocument(text, { version: '1.2', uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [summary = ''] = problem.message.split('\n', 1);
    throw malformed(`${file} is not valid YAML: ${summary}`, 'Correct that line.');
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 }) ?? {};
  } catch {
    throw malformed(`${file} uses an alias (\`*name\`), which settings do not have.`, 'Write the value out.');
  }
  if (isRecord(value)) return value;
  throw malformed(`${file} must hold settings, \`name: value\`.`, 'Write one setting a line.');
}

/** Lists are separated by commas; `SALLYPORT_EGRESS_RESOLVE` is `from=to` pairs. */
function fromEnvironment(all: Environment): Record<string, unknown> {
  // Containers like to define every variable that they know of: an empty one says nothing.
  const env: Environment = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
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
    crl: list(env['SALLYPORT_EGRESS_CRL']),
    proxy: secretFrom(env, 'SALLYPORT_EGRESS_PROXY')?.reveal(),
    proxyResolves: flag(env['SALLYPORT_EGRESS_PROXY_RESOLVES']),
    noProxy: list(env['SALLYPORT_EGRESS_NO_PROXY']),
  });
  const cells = dropUndefined({
    idleSeconds: wholeNumber(env['SALLYPORT_CELLS_IDLE_SECONDS']),
    stopSeconds: wholeNumber(env['SALLYPORT_CELLS_STOP_SECONDS']),
    isolation: env['SALLYPORT_CELLS_ISOLATION'],
    prepared: wholeNumber(env['SALLYPORT_CELLS_PREPARED']),
  });
  const recording = dropUndefined({
    level: env['SALLYPORT_RECORDING_LEVEL'],
    required: flag(env['SALLYPORT_RECORDING_REQUIRED']),
    keepDays: wholeNumber(env['SALLYPORT_RECORDING_KEEP_DAYS']),
    keepMiB: wholeNumber(env['SALLYPORT_RECORDING_KEEP_MIB']),
  });
  const packages = dropUndefined({
    npmRegistry: env['SALLYPORT_PACKAGES_NPM_REGISTRY'],
    pypiIndex: env['SALLYPORT_PACKAGES_PYPI_INDEX'],
    python: env['SALLYPORT_PACKAGES_PYTHON'],
    hosts: list(env['SALLYPORT_PACKAGES_HOSTS']),
  });
  const oauth = dropUndefined({ clientMetadataUrl: env['SALLYPORT_OAUTH_CLIENT_METADATA_URL'] });
  const holdSeconds = wholeNumber(env['SALLYPORT_APPROVALS_HOLD_SECONDS']);
  const durability = env['SALLYPORT_AUDIT_DURABILITY'];
  const proxyListen = env['SALLYPORT_PROXY_LISTEN'];
  const metricsListen = env['SALLYPORT_METRICS_LISTEN'];
  return dropUndefined({
    listen: env['SALLYPORT_LISTEN'],
    allowedHosts: list(env['SALLYPORT_ALLOWED_HOSTS']),
    allowedOrigins: list(env['SALLYPORT_ALLOWED_ORIGINS']),
    publicUrl: env['SALLYPORT_PUBLIC_URL'],
    authorizationServers: list(env['SALLYPORT_AUTHORIZATION_SERVERS']),
    log: env['SALLYPORT_LOG'],
    audit: durability === undefined ? undefined : { durability },
    recording: Object.keys(recording).length === 0 ? undefined : recording,
    approvals: holdSeconds === undefined ? undefined : { holdSeconds },
    cells: Object.keys(cells).length === 0 ? undefined : cells,
    metrics: metricsListen === undefined ? undefined : { listen: metricsListen },
    proxy: proxyListen === undefined ? undefined : { listen: proxyListen },
    packages: Object.keys(packages).length === 0 ? undefined : packages,
    oauth: Object.keys(oauth).length === 0 ? undefined : oauth,
    egress: Object.keys(egress).length === 0 ? undefined : egress,
  });
}

/** Anything but the two words is left to be refused. */
const flag = (text: string | undefined): boolean | string | undefined =>
  text === 'true' || text === 'false' ? text === 'true' : text;

/** What is none is left to be refused. */
const wholeNumber = (text: string | undefined): number | string | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : text;

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

/**
 * A secret setting, from `NAME` or the file that `NAME_FILE` names. A file that holds nothing is an error: the key
 * that was meant must not be replaced by another in silence.
 */
function secretFrom(env: Environment, name: string): Secret | null {
  const [text, file] = [env[name] || undefined, env[`${name}_FILE`] || undefined];
  if (text !== undefined && file !== undefined) {
    throw new AppError('config_invalid', `Both ${name} and ${name}_FILE are set.`, {
      kind: 'invalid',
      hint: 'Unset one of them.',
    });
  }
  if (file === undefined) return text === undefined ? null : Secret.fromString(text);
  const held = readNeeded(file, `${name}_FILE`).trim();
  if (held !== '') return Secret.fromString(held);
  throw new AppError('config_invalid', `The file ${file} is empty.`, {
    kind: 'invalid',
    hint: `It is named by ${name}_FILE.`,
  });
}

/** @throws AppError also where the file holds no certificate, or one that cannot be read: it would be ignored in silence */
function readAuthorities(path: string): string {
  const pem = readNeeded(path, 'egress.extraCa');
  try {
    certificateFingerprints(pem);
  } catch (error) {
    const message = `The file ${path} holds no certificate in PEM form, or one that cannot be read.`;
    throw new AppError('config_invalid', message, {
      kind: 'invalid',
      hint: 'It is named by egress.extraCa.',
      cause: error,
    });
  }
  return pem;
}

/** @throws AppError also where the file holds no list, or one that cannot be read */
function readRevocations(path: string): string {
  const pem = readNeeded(path, 'egress.crl');
  try {
    parseRevocationLists(pem);
  } catch (error) {
    throw new AppError('config_invalid', `The file ${path} holds no revocation list in PEM form.`, {
      kind: 'invalid',
      hint: 'It is named by egress.crl.',
      cause: error,
    });
  }
  return pem;
}

function readNeeded(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('config_unreadable', `The file ${path} cannot be read: ${codeOf(error)}.`, {
      kind: 'invalid',
      hint: `It is named by ${setting}.`,
      cause: error,
    });
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error';
