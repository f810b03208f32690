/**
 * What of the user's npm settings holds for installations: where packages come from, who asks, and how patient npm is.
 * The rest (folders, scripts, proxies, trust) is the gateway's business. Pure: texts in, settings out.
 *
 * Like npm: variables win over the user's file, that over the machine's; `${NAME}` in a file is a variable's value.
 */
import { AppError, Secret } from '../../kernel/index.ts';
import type { RegistryHost, RegistryLogin } from './install-cell.ts';
import { type RegistryAddress, registryAddress } from './registry-address.ts';

export interface NpmSettings {
  /** For packages that no scope leads elsewhere. */
  readonly registry: RegistryAddress;
  /** `@scope` to its registry. */
  readonly scopes: Readonly<Record<string, RegistryAddress>>;
  readonly logins: readonly NpmLogin[];
  /** Settings of npm's own that are handed on as they are, name to value. */
  readonly handedOn: Readonly<Record<string, string>>;
  /** Further hosts that archives may come from. */
  readonly hosts: readonly RegistryHost[];
}

interface NpmLogin extends RegistryLogin {
  /** `//host/path/` as npm's settings name it. */
  readonly place: string;
}

export interface NpmSettingsInput {
  /** The operator's own setting, which wins over npm's. */
  readonly registry?: string;
  readonly hosts?: readonly RegistryHost[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Texts of `.npmrc` files, the one that wins first. */
  readonly files: readonly string[];
}

const PUBLIC = 'https://registry.npmjs.org/';

const HANDED_ON = [
  'fetch-retries',
  'fetch-retry-mintimeout',
  'fetch-retry-maxtimeout',
  'fetch-timeout',
  'maxsockets',
];

/** @throws AppError `package_registry_invalid` */
export function npmSettings({ registry, hosts = [], environment, files }: NpmSettingsInput): NpmSettings {
  const settings = new Map<string, string>();
  for (const text of files.toReversed()) {
    for (const [name, value] of readLines(text, environment)) settings.set(name, value);
  }
  for (const [name, value] of Object.entries(environment)) {
    const setting = /^npm_config_(.+)$/i.exec(name)?.[1];
    // As npm does: an empty variable says nothing, and `_` stands for `-`, but not at the start.
    if (setting !== undefined && value !== undefined && value !== '')
      settings.set(
        setting.startsWith('//') ? setting : setting.toLowerCase().replaceAll(/(?!^)_/g, '-'),
        value,
      );
  }
  const scopes = [...settings].flatMap(([name, value]) => {
    const scope = /^(@[^:/]+):registry$/.exec(name)?.[1];
    return scope === undefined ? [] : [[scope, addressIn(value, `${scope}:registry`)] as const];
  });
  const main =
    registry === undefined
      ? addressIn(settings.get('registry') ?? PUBLIC, 'registry')
      : addressIn(registry, 'packages.npmRegistry');
  return {
    registry: main,
    scopes: Object.fromEntries(scopes),
    logins: loginsIn(settings, [main, ...scopes.map(([, address]) => address)]),
    handedOn: Object.fromEntries(
      HANDED_ON.flatMap((name) => {
        const value = settings.get(name);
        return value === undefined || !/^\d+$/.test(value) ? [] : [[name, value]];
      }),
    ),
    hosts,
  };
}

function addressIn(text: string, setting: string): RegistryAddress {
  const address = registryAddress(text);
  if (address.ok) return address.value;
  throw new AppError('package_registry_invalid', `The setting \`${setting}\` ${address.error}.`, {
    kind: 'invalid',
    hint: 'Correct it in sallyport.yaml (packages.npmRegistry), in .npmrc, or in the environment.',
  });
}

/** `name = value` lines; `;` and `#` begin comments; quotes around either are dropped. */
function* readLines(
  text: string,
  environment: NpmSettingsInput['environment'],
): Generator<readonly [string, string]> {
  for (const line of text.split(/\r?\n/)) {
    const [, name, value] = /^\s*([^;#\s[][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    yield [unquoted(name), filledIn(unquoted(value), environment)];
  }
}

const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text;

/** What is not set stays as it is written, as with npm; `${NAME?}` is then empty. */
const filledIn = (text: string, environment: NpmSettingsInput['environment']): string =>
  text.replaceAll(
    /\$\{([^?}]+)(\?)?\}/g,
    (whole, name: string, optional?: string) => environment[name] ?? (optional === undefined ? whole : ''),
  );

/** `//host/path/:_authToken`, `:_auth`, or `:username` with `:_password` (in base64), for the registries there are. */
function loginsIn(
  settings: ReadonlyMap<string, string>,
  registries: readonly RegistryAddress[],
): readonly NpmLogin[] {
  const places = new Set(
    [...settings.keys()].flatMap(
      (name) => /^(\/\/.+?):(?:_authToken|_auth|_password)$/.exec(name)?.[1] ?? [],
    ),
  );
  return [...places].flatMap((given, index) => {
    const login = loginAt(settings, given);
    const address = registryAddress(`https:${given}`);
    if (!address.ok || login === null) return [];
    const place = address.value.url.slice('https:'.length);
    const registry =
      registries.find(({ url }) => placeOf(url).startsWith(place)) ??
      // Its archives may lie on another path of it.
      registries.find(({ url }) => authorityOf(placeOf(url)) === authorityOf(place));
    if (registry === undefined) return [];
    const { host, port } = registry.host;
    const { pathname: path } = new URL(address.value.url);
    return [{ ...login, variable: `SALLYPORT_REGISTRY_LOGIN_${index}`, place, host, port, path }];
  });
}

const placeOf = (url: string): string => url.replace(/^https?:/, '');

/** Of `//host:port/path/`. */
const authorityOf = (place: string): string | undefined => place.split('/', 3)[2];

function loginAt(
  settings: ReadonlyMap<string, string>,
  place: string,
): Pick<RegistryLogin, 'scheme' | 'value'> | null {
  const token = settings.get(`${place}:_authToken`);
  if (token !== undefined) return { scheme: 'Bearer', value: Secret.fromString(token) };
  const auth = settings.get(`${place}:_auth`);
  if (auth !== undefined) return { scheme: 'Basic', value: Secret.fromString(auth) };
  const [user, password] = [settings.get(`${place}:username`), settings.get(`${place}:_password`)];
  if (user === undefined || password === undefined) return null;
  const pair = `${user}:${Buffer.from(password, 'base64').toString()}`;
  return { scheme: 'Basic', value: Secret.fromString(Buffer.from(pair).toString('base64')) };
}
