/** Where packages of Python's come from. Pure: settings in, addresses out. */
import { AppError } from '../../kernel/index.ts';
import type { RegistryHost } from './install-cell.ts';
import { registryAddress } from './registry-address.ts';

export interface PypiSettings {
  /** The index (PEP 503) as pip in the cell is given it; ends with a slash. */
  readonly index: string;
  /** The index's host, and where its archives lie. */
  readonly hosts: readonly RegistryHost[];
  /** The operator's choice of an interpreter. */
  readonly python?: string;
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
  const address = registryAddress(index ?? fromPip ?? PUBLIC);
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
    ...(python === undefined ? {} : { python }),
  };
}
