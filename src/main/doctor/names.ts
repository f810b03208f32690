/** Whether the hosts that servers may reach have addresses, and whether those may be dialled. */
import type { Check } from '../../cli/index.ts';
import type { EgressConfig } from '../../egress/index.ts';
import { limits } from '../../kernel/index.ts';
import { addressFamily, classifyAddress, inNetworks } from '../../wire/index.ts';
import type { Machine } from './machine.ts';

/** A place that a server may connect to. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

const NAME = 'names';

/** @param places of every enabled server */
export async function checkNames(
  places: readonly Place[],
  { resolve, proxy, allowNetworks }: EgressConfig,
  machine: Machine,
): Promise<readonly Check[]> {
  if (proxy?.resolves === true)
    return [{ name: NAME, ok: true, found: 'resolved by the proxy of egress.proxy' }];
  const hosts = new Set(
    places
      .filter(({ host, port }) => !host.startsWith('*') && resolve[`${host}:${port}`] === undefined)
      .map(({ host }) => host),
  );
  const asked = [...hosts].slice(0, limits.doctorNamesMax);
  if (asked.length === 0) return [checkResolver(machine)];
  return Promise.all(asked.map((host) => checkName(host, allowNetworks, machine)));
}

/** Where there is nothing to ask for. */
function checkResolver(machine: Machine): Check {
  const servers = [...(machine.text('/etc/resolv.conf') ?? '').matchAll(/^nameserver\s+(\S+)/gm)].map(
    ([, server = '']) => server,
  );
  if (servers.length > 0) return { name: NAME, ok: true, found: `resolved by ${servers.join(', ')}` };
  return { name: NAME, ok: true, found: 'no name server in /etc/resolv.conf', fix: FIXES['EAI_AGAIN'] };
}

const FIXES: Readonly<Record<string, string>> & { readonly EAI_AGAIN: string } = {
  EAI_AGAIN:
    'Name a server that answers: a line `nameserver ADDRESS` in /etc/resolv.conf (under systemd: resolvectl status)',
};

async function checkName(host: string, allowNetworks: readonly string[], machine: Machine): Promise<Check> {
  const name = `name ${host}`;
  const answer = await machine.resolve(host);
  if (!answer.ok) {
    const fix =
      answer.code === 'ENOTFOUND'
        ? `Nobody knows this name here. Compare: getent hosts ${host}`
        : FIXES.EAI_AGAIN;
    return { name, ok: false, found: answer.code, fix };
  }
  const { addresses } = answer;
  const refused = addresses.filter(
    (address) => classifyAddress(address) !== 'public' && !inNetworks(address, allowNetworks),
  );
  const found = addresses.join(', ');
  if (refused.length < addresses.length) return { name, ok: true, found };
  const [first = ''] = refused;
  const network = `${first}/${addressFamily(first) === 4 ? 32 : 128}`;
  return {
    name,
    ok: false,
    found: `${found}: ${classifyAddress(first)} addresses are not dialled`,
    fix: `If that is right, put it in sallyport.yaml: egress: { allowNetworks: [ ${network} ] }`,
  };
}
