/** What the data plane is told about a sealed credential: its stand-in, and the requests that the value may be put into. */
import type { CredentialBinding } from '../../egress/index.ts';
import type { Manifest } from '../../manifest/index.ts';

export function bindingOf(
  { name, hosts, ports, methods, paths, inject, use }: Manifest['credentials'][number],
  placeholder: string,
): CredentialBinding {
  return {
    name,
    placeholder,
    hosts,
    inject,
    ...(ports === undefined ? {} : { ports }),
    ...(methods === undefined ? {} : { methods }),
    ...(paths === undefined ? {} : { paths }),
    ...(use === undefined ? {} : { use }),
  };
}
