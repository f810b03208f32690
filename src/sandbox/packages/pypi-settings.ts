/** Where packages of Python's come from. Pure: settings in, addresses out. */
import { AppError, Secret } from '../../kernel/index.ts';
import type { RegistryHost, RegistryLogin } from './install-cell.ts';
import { registryAddress } from './registry-address.ts';

export interface PypiSettings {
  /** The index (PEP 503) as pip in the cell is given it; ends with a slash. */
  readonly index: string;
  /** The index's host, and where its archives lie. */
  readonly hosts: readonly RegistryHost[];
  /** Who asks the index, where it wants to know. */
  readonly login?: PypiLogin;
  /** The operator's choice of an interpreter. */
  readonly python?: string;
}

interface PypiLogin extends RegistryLogin {
  readonly user: string;
}

export interface PypiSettingsInput {
  /** The operator's own setting, which wins over pip's variable. */
  readonly index?: string;
  /** Further hosts that archives may come from. */
  readonly hosts?: readonly RegistryHost[];
  readonly python?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const PUBLIC = 'https://pypi.org/simple/';
const PUBLIC_FILES: RegistryHost = { host: 'files.pythonhosted.org', port: 443, protocol: 'https' };

/** @throws AppError `package_registry_invalid` */
export function pypiSettings({ index, hosts = [], python, environment }: PypiSettingsInput): PypiSettings {
  const variable = environment['PIP_INDEX_URL'];
  const fromPip = variable === undefined || variable === '' ? undefined : variable;
  const given = withoutLogin(index ?? fromPip ?? PUBLIC);
  const address = registryAddress(given.url);
  if (!address.ok) {
    const setting = index === undefined ? 'PIP_INDEX_URL' : 'packages.pypiIndex';
    throw new AppError('package_registry_invalid', `The setting \`${setting}\` ${address.error}.`, {
      kind: 'invalid',
      hint: 'Correct it in sallyport.yaml (packages.pypiIndex), or in the environment.',
    });
  }
  const { url, host } = address.value;
  return {
    index: url,
    hosts: [host, ...(url === PUBLIC ? [PUBLIC_FILES] : []), ...hosts],
    ...(given.login === null ? {} : { login: { ...given.login, host: host.host, port: host.port } }),
    ...(python === undefined ? {} : { python }),
  };
}

/** pip takes the login as a part of the address. Without a password, or with an odd user name, that is refused as it is. */
function withoutLogin(text: string): { url: string; login: Omit<PypiLogin, 'host' | 'port'> | null } {
  if (!URL.canParse(text)) return { url: text, login: null };
  const url = new URL(text);
  const [user, password] = [decoded(url.username), decoded(url.password)];
  // As `.netrc` has it: one word.
  if (user === null || password === null || !/^[\x21-\x7e]+$/.test(user) || password === '')
    return { url: text, login: null };
  url.username = '';
  url.password = '';
  const value = Secret.fromString(password);
  return { url: url.href, login: { variable: 'SALLYPORT_INDEX_LOGIN', scheme: 'Password', value, user } };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
