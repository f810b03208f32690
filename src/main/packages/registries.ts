/**
 * Where packages come from on this machine: the operator's settings, and what the user's npm and environment say. Read anew
 * for each installation, so that a login that was renewed meanwhile is seen.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { EgressConfig } from '../../egress/index.ts';
import { AppError } from '../../kernel/index.ts';
import {
  type NpmSettings,
  npmSettings,
  type PypiSettings,
  pypiSettings,
  reachableName,
  type RegistryHost,
} from '../../sandbox/index.ts';
import { parseAuthority } from '../../wire/index.ts';
import type { Config, Environment } from '../config.ts';
import { namePattern, proxyUrl } from '../config-proxy.ts';

type RegistryConfig = Pick<Config, 'packages' | 'environment'>;

/** @throws AppError `package_registry_invalid` */
export function readNpmSettings({ packages, environment }: RegistryConfig): NpmSettings {
  return npmSettings({
    ...(packages.npmRegistry === null ? {} : { registry: packages.npmRegistry }),
    hosts: furtherHosts(packages),
    environment,
    files: npmFiles(environment).flatMap((path) => textOf(path) ?? []),
  });
}

/** @throws AppError `package_registry_invalid` */
export function readPypiSettings({ packages, environment }: RegistryConfig): PypiSettings {
  const { pypiIndex, python } = packages;
  return pypiSettings({
    ...(pypiIndex === null ? {} : { index: pypiIndex }),
    ...(python === null ? {} : { python }),
    hosts: furtherHosts(packages),
    environment,
  });
}

const furtherHosts = ({ hosts }: Config['packages']): readonly RegistryHost[] =>
  hosts.map((text) => {
    const place = parseAuthority(text, 443);
    if (!place.ok) throw new Error(`unchecked setting: ${text}`);
    const { host, port } = place.value;
    return { ...reachableName(host, port), port, protocol: 'https' };
  });

/** The user's file, then those of the machine. */
function npmFiles(environment: Environment): readonly string[] {
  const home = environment['HOME'];
  const user = setting(environment, 'userconfig') ?? (home === undefined ? undefined : join(home, '.npmrc'));
  const prefix = setting(environment, 'prefix') ?? dirname(dirname(process.execPath));
  const machine = setting(environment, 'globalconfig') ?? join(prefix, 'etc/npmrc');
  return [...(user === undefined ? [] : [user]), machine, '/etc/npmrc'];
}

const setting = (environment: Environment, name: string): string | undefined =>
  environment[`npm_config_${name}`] || environment[`NPM_CONFIG_${name.toUpperCase()}`] || undefined;

/**
 * How installations reach the network: as servers do, and where nothing is set for those, as the environment says for every
 * other program of this machine.
 *
 * @throws AppError `package_proxy_invalid`
 */
export function installEgress({ egress, environment }: Pick<Config, 'egress' | 'environment'>): EgressConfig {
  const authorities = [environment['NODE_EXTRA_CA_CERTS'], setting(environment, 'cafile')]
    .flatMap((path) => (path === undefined || path === '' ? [] : (textOf(path) ?? [])))
    .filter((pem) => pem.includes('-----BEGIN CERTIFICATE-----'));
  const proxy = egress.proxy ?? proxyIn(environment);
  return { ...egress, extraCa: [...egress.extraCa, ...authorities], proxy };
}

function proxyIn(environment: Environment): NonNullable<EgressConfig['proxy']> | null {
  const named = (...names: readonly string[]): string | undefined =>
    names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
  const text = named('https_proxy', 'HTTPS_PROXY', 'npm_config_https_proxy', 'npm_config_proxy');
  if (text === undefined) return null;
  const parsed = proxyUrl.safeParse(text);
  if (!parsed.success) {
    throw new AppError('package_proxy_invalid', 'The proxy in the environment cannot be used.', {
      kind: 'invalid',
      hint: 'It has to be of the form http://[USER:PASSWORD@]HOST:PORT; or set egress.proxy in sallyport.yaml.',
    });
  }
  const except = (named('no_proxy', 'NO_PROXY') ?? '').split(',').flatMap((item) => {
    const pattern = namePattern.safeParse(item.trim());
    return pattern.success ? [pattern.data] : [];
  });
  // Whoever sets a proxy like this often has no names of the world to resolve.
  return { ...parsed.data, resolves: true, except };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // most users have none of these
  }
}
